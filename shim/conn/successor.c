/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/successor.h"

#include "conn/sys.h"
#include "libc.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPTS_MOST 4 /* an interpreter may be a script itself (execve(2)) */
#define HEADERS_MOST 64
#define LINE_MOST 256
#define MAPS_PART 4096
#define LIBRARY "/libseamtls.so"
#define LOADER "/ld-linux" /* glibc's, of every machine */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

/* --- A program's file */

static bool read_at(int fd, off_t at, void *out, size_t len)
{
	return pread(fd, out, len, at) == (ssize_t)len;
}

/* The loader ignores what is to be preloaded by its path (ld.so(8), secure-execution mode). */
static bool gains_privileges(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return false;
	return ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid()) ||
	       ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		       status.st_gid != getgid()) ||
	       (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

static bool is_loaders(int fd, const ElfW(Phdr) * header)
{
	char path[LINE_MOST] = "";
	size_t len = header->p_filesz < sizeof(path) ? header->p_filesz : sizeof(path) - 1;

	/* What cannot be read is not known. */
	return !read_at(fd, (off_t)header->p_offset, path, len) || strstr(path, LOADER) != NULL;
}

static bool is_out_of_reach(int fd, const ElfW(Ehdr) * elf)
{
	const int class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

	if (elf->e_ident[EI_CLASS] != class || elf->e_machine != MACHINE || gains_privileges(fd))
		return true;
	for (size_t i = 0; i < elf->e_phnum && i < HEADERS_MOST; i++) {
		ElfW(Phdr) header;

		if (!read_at(fd, (off_t)(elf->e_phoff + i * sizeof(header)), &header,
			    sizeof(header)))
			return false;
		if (header.p_type == PT_INTERP)
			return !is_loaders(fd, &header);
	}
	return true; /* static */
}

/* "#! INTERPRETER ARGUMENT": the interpreter. False: that is no script. */
static bool script_by(char *line, const char **interpreter)
{
	if (line[0] != '#' || line[1] != '!')
		return false;
	*interpreter = line + 2 + strspn(line + 2, " \t");
	line[strcspn(line, "\n")] = '\0';
	line = (char *)(uintptr_t)*interpreter;
	line[strcspn(line, " \t")] = '\0';
	return true;
}

/* Takes fd over. */
static bool is_foreign_file(int fd)
{
	for (int i = 0; fd >= 0 && i < SCRIPTS_MOST; i++) {
		union {
			ElfW(Ehdr) elf;
			char line[LINE_MOST + 1];
		} head = { 0 };
		const char *interpreter;
		bool foreign = false;

		if (pread(fd, &head, LINE_MOST, 0) >= (ssize_t)sizeof(head.elf) &&
			memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
			foreign = is_out_of_reach(fd, &head.elf);
		libc.close(fd);
		fd = -1;
		if (foreign)
			return true;
		if (script_by(head.line, &interpreter))
			fd = open(interpreter, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	}
	if (fd >= 0)
		libc.close(fd);
	return false;
}

enum departure successor_departure(const struct conn_next *next)
{
	int saved = errno;
	bool foreign = !next->preloads || is_foreign_file(next->open(next->how));

	errno = saved;
	return foreign ? DEPARTS_TO_FOREIGN : DEPARTS_TO_COVERED;
}

/* --- A process */

/* Whether the text of the file has `word` in it: 1, 0, or -1: it cannot be read. */
static int file_has(const char *path, const char *word)
{
	char text[MAPS_PART + sizeof(LIBRARY)];
	int fd = open(path, O_RDONLY | O_CLOEXEC), found = fd < 0 ? -1 : 0;
	size_t kept = 0, longest = strlen(word) - 1;
	ssize_t n = fd;

	while (found == 0 && (n = libc.read(fd, text + kept, MAPS_PART)) > 0) {
		size_t len = kept + (size_t)n;

		if (memmem(text, len, word, strlen(word)) != NULL)
			found = 1;
		kept = len < longest ? len : longest;
		memmove(text, text + len - kept, kept);
	}
	if (found == 0 && n < 0)
		found = -1;
	if (fd >= 0)
		libc.close(fd);
	return found;
}

static bool has_name(int (*get)(int, struct sockaddr *, socklen_t *), int fd)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	return get(fd, (struct sockaddr *)&name, &len) == 0 && name.sun_family == AF_UNIX &&
	       len > sizeof(name.sun_family);
}

enum departure successor_departure_through(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	char path[64];
	int saved = errno, found = -1;

	/* Of a pair the kernel knows who made it, and not who has its ends. */
	if ((has_name(libc.getsockname, fd) || has_name(libc.getpeername, fd)) &&
		sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0) {
		snprintf(path, sizeof(path), "/proc/%d/maps", (int)peer.pid);
		found = file_has(path, LIBRARY);
	}
	errno = saved;
	return found == 0 ? DEPARTS_TO_FOREIGN : DEPARTS_TO_COVERED;
}
