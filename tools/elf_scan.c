/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A window moves over the file, with some bytes of the last one before it. In code an instruction
 * `syscall` is looked for, and before it the one that loads the number. That is done for x86-64
 * only; elsewhere nothing is found.
 */
#include "elf_scan.h"
#include "elf_info.h"
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW_LEN (1 << 20)
#define OVERLAP 64
#define SEGMENTS_MAX 64
#define FILE_MAX (INT64_C(2) << 30)
#define LOOK_BACK 24 /* bytes between the number and the call */

static const struct {
	long number;
	const char *name; /* NULL: of io_uring */
} calls[] = {
	{ SYS_socket, "socket" }, { SYS_connect, "connect" }, { SYS_accept4, "accept4" },
	{ SYS_sendto, "sendto" }, { SYS_recvfrom, "recvfrom" }, { SYS_sendmsg, "sendmsg" },
	{ SYS_recvmsg, "recvmsg" }, { SYS_sendmmsg, "sendmmsg" }, { SYS_recvmmsg, "recvmmsg" },
#ifdef SYS_accept
	{ SYS_accept, "accept" },
#endif
	{ 425, NULL }, /* io_uring_setup */
	{ 426, NULL }, /* io_uring_enter */
};

struct range {
	uint64_t begin, end; /* in the file */
};

struct scan {
	int fd;
	const char *const *words;
	struct elf_scan *out;
	struct range code[SEGMENTS_MAX];
	size_t code_count;
};

static int read_code(struct scan *scan)
{
	ElfW(Ehdr) header;

	if (pread(scan->fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
		return -ENOEXEC;
	for (unsigned i = 0; i < header.e_phnum && scan->code_count < SEGMENTS_MAX; i++) {
		uint64_t at = header.e_phoff + i * sizeof(ElfW(Phdr));
		ElfW(Phdr) segment;

		if (at > FILE_MAX || pread(scan->fd, &segment, sizeof segment, (off_t)at) !=
					     (ssize_t)sizeof segment)
			break;
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 &&
			segment.p_filesz < FILE_MAX)
			scan->code[scan->code_count++] = (struct range){ segment.p_offset,
				segment.p_offset + segment.p_filesz };
	}
	return 0;
}

static bool is_code(const struct scan *scan, uint64_t at)
{
	for (size_t i = 0; i < scan->code_count; i++)
		if (at >= scan->code[i].begin && at < scan->code[i].end)
			return true;
	return false;
}

static void note(struct elf_scan *out, const char *name)
{
	if (name == NULL) {
		out->io_uring = true;
		return;
	}
	for (size_t i = 0; i < out->call_count; i++)
		if (out->calls[i] == name)
			return;
	if (out->call_count < ELF_SCAN_CALLS_MAX)
		out->calls[out->call_count++] = name;
}

#ifdef __x86_64__
/* The number that `mov $number, %eax` loads, the last before `at`; -1: there is none. */
static long number_before(const uint8_t *window, size_t at)
{
	size_t least = at > LOOK_BACK ? at - LOOK_BACK : 0;

	for (size_t i = at; i-- > least;) {
		uint32_t number;
		size_t from = i + 1;

		if (window[i] == 0x0f && i + 1 < at && window[i + 1] == 0x05)
			return -1; /* another call's */
		/* 48 c7 c0 loads %rax; 41 b8 another register. */
		if (window[i] == 0xc0 && i >= 2 && window[i - 1] == 0xc7 && window[i - 2] == 0x48)
			from = i + 1;
		else if (window[i] != 0xb8 || (i > 0 && (window[i - 1] & 0xf1) == 0x41))
			continue;
		if (from + sizeof number > at)
			continue;
		memcpy(&number, window + from, sizeof number);
		return (long)number;
	}
	return -1;
}

static void look_for_calls(
	const struct scan *scan, const uint8_t *window, size_t len, uint64_t offset)
{
	static const uint8_t instruction[] = { 0x0f, 0x05 };
	const uint8_t *found, *from = window;

	while ((found = memmem(from, (size_t)(window + len - from), instruction,
			sizeof instruction)) != NULL) {
		size_t at = (size_t)(found - window);
		long number = is_code(scan, offset + at) ? number_before(window, at) : -1;

		for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
			if (calls[i].number == number)
				note(scan->out, calls[i].name);
		from = found + 1;
	}
}
#else
static void look_for_calls(
	const struct scan *scan, const uint8_t *window, size_t len, uint64_t offset)
{
	(void)scan, (void)window, (void)len, (void)offset;
	(void)note;
	(void)is_code;
}
#endif

static int look_at_all(const struct scan *scan, uint8_t *window)
{
	uint64_t offset = 0; /* of the window in the file */
	size_t have = 0;

	while (offset < FILE_MAX) {
		ssize_t n =
			pread(scan->fd, window + have, WINDOW_LEN - have, (off_t)(offset + have));

		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		have += (size_t)n;
		look_for_calls(scan, window, have, offset);
		for (size_t i = 0; i < ELF_SCAN_WORDS_MAX && scan->words[i] != NULL; i++)
			if (!scan->out->words[i])
				scan->out->words[i] = memmem(window, have, scan->words[i],
							      strlen(scan->words[i])) != NULL;
		if (have > OVERLAP) {
			memmove(window, window + have - OVERLAP, OVERLAP);
			offset += have - OVERLAP;
			have = OVERLAP;
		}
	}
	return 0;
}

int elf_scan(int fd, const char *const *words, struct elf_scan *out)
{
	struct scan scan = { .fd = fd, .words = words, .out = out };
	struct elf_info info;
	uint8_t *window;
	int r = elf_read(fd, &info);

	if (r == 0 && !info.native)
		r = -ENOEXEC;
	if (r == 0)
		r = read_code(&scan);
	if (r < 0)
		return r;
	window = malloc(WINDOW_LEN);
	if (window == NULL)
		return -ENOMEM;
	r = look_at_all(&scan, window);
	free(window);
	return r;
}
