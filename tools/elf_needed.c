/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The dynamic section has the names' places in a table of strings, and that one's address; where in
 * the file the address is, the segments say.
 */
#include "elf_needed.h"
#include "elf_info.h"
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 4096
#define ENTRIES_MAX 4096
#define NAME_LEN 256

struct tables {
	ElfW(Phdr) dynamic;
	uint64_t strings; /* an address; 0: not found */
	uint64_t offset;  /* of it in the file */
};

static int read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n = offset <= INT64_MAX ? pread(fd, buf, len, (off_t)offset) : 0;

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EINVAL;
}

/* Calls `take` with each segment, until it says so. */
static int each_segment(int fd, const ElfW(Ehdr) * header,
	bool (*take)(const ElfW(Phdr) * segment, struct tables *tables), struct tables *tables)
{
	for (unsigned i = 0; i < header->e_phnum && i < SEGMENTS_MAX; i++) {
		ElfW(Phdr) segment;
		int r = read_at(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment);

		if (r < 0)
			return r;
		if (take(&segment, tables))
			return 1;
	}
	return 0;
}

static bool is_dynamic(const ElfW(Phdr) * segment, struct tables *tables)
{
	tables->dynamic = *segment;
	return segment->p_type == PT_DYNAMIC;
}

static bool has_strings(const ElfW(Phdr) * segment, struct tables *tables)
{
	if (segment->p_type != PT_LOAD || tables->strings < segment->p_vaddr ||
		tables->strings - segment->p_vaddr >= segment->p_filesz)
		return false;
	tables->offset = segment->p_offset + (tables->strings - segment->p_vaddr);
	return true;
}

/* 1: the entry; 0: there is no more. */
static int read_entry(int fd, const struct tables *tables, unsigned index, ElfW(Dyn) * out)
{
	int r = 0;

	if (index < ENTRIES_MAX && (index + 1) * sizeof *out <= tables->dynamic.p_filesz)
		r = read_at(fd, out, sizeof *out, tables->dynamic.p_offset + index * sizeof *out);
	else
		return 0;
	return r < 0 ? r : out->d_tag != DT_NULL;
}

static int find_strings(int fd, struct tables *tables)
{
	ElfW(Dyn) entry;
	int r;

	for (unsigned i = 0; (r = read_entry(fd, tables, i, &entry)) > 0; i++)
		if (entry.d_tag == DT_STRTAB)
			tables->strings = entry.d_un.d_ptr;
	return r;
}

static int take_names(
	int fd, const struct tables *tables, void (*take)(const char *name, void *arg), void *arg)
{
	ElfW(Dyn) entry;
	int r;

	for (unsigned i = 0; (r = read_entry(fd, tables, i, &entry)) > 0; i++) {
		char name[NAME_LEN];
		ssize_t n;

		if (entry.d_tag != DT_NEEDED)
			continue;
		n = pread(fd, name, sizeof name - 1, (off_t)(tables->offset + entry.d_un.d_val));
		if (n <= 0)
			return -EINVAL;
		name[n] = '\0';
		take(name, arg);
	}
	return r;
}

int elf_needed_each(int fd, void (*take)(const char *name, void *arg), void *arg)
{
	struct elf_info info;
	struct tables tables = { .strings = 0 };
	ElfW(Ehdr) header;
	int r = elf_read(fd, &info);

	if (r < 0)
		return r;
	if (!info.native)
		return -ENOEXEC;
	r = read_at(fd, &header, sizeof header, 0);
	if (r == 0)
		r = each_segment(fd, &header, is_dynamic, &tables);
	if (r <= 0)
		return r;
	r = find_strings(fd, &tables);
	if (r == 0)
		r = each_segment(fd, &header, has_strings, &tables);
	return r <= 0 ? r : take_names(fd, &tables, take, arg);
}
