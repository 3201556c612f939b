/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the few headers that matter, each with a pread() of its own: a program may be larger than
 * memory, and no offset in it is to be trusted further than pread() does. What is of another
 * machine is told by the first 20 bytes, which all ELF files share.
 */
#include "elf_info.h"
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define HEADERS_MAX 4096 /* program headers, section headers: ordinary files have tens */
#define NOTES_MAX 4096   /* bytes of one note segment that are looked at; Go's note is about 100 */
#define NT_GO_BUILD_ID 4

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#elif defined(__riscv)
#define NATIVE_MACHINE EM_RISCV
#elif defined(__i386__)
#define NATIVE_MACHINE EM_386
#else
#error "which ELF machine is this?"
#endif

#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define NATIVE_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

/* 0 if all of it could be read; -EINVAL if the file ends before. */
static int read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	if (offset > INT64_MAX)
		return -EINVAL;
	n = pread(fd, buf, len, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EINVAL;
}

static int read_interpreter(int fd, const ElfW(Phdr) * segment, struct elf_info *out)
{
	size_t len = segment->p_filesz;
	int r;

	if (len < 2 || len > sizeof out->interpreter)
		return -EINVAL;
	r = read_at(fd, out->interpreter, len, segment->p_offset);
	if (r < 0)
		return r;
	return out->interpreter[len - 1] == '\0' && out->interpreter[0] != '\0' ? 0 : -EINVAL;
}

/* Looks for Go's build id among the notes of a segment. Notes that make no sense end the search:
 * they are no reason to refuse. */
static int read_notes(int fd, const ElfW(Phdr) * segment, struct elf_info *out)
{
	_Alignas(ElfW(Nhdr)) uint8_t notes[NOTES_MAX];
	size_t len = segment->p_filesz < sizeof notes ? segment->p_filesz : sizeof notes;
	size_t at = 0;
	int r = read_at(fd, notes, len, segment->p_offset);

	if (r < 0)
		return r;
	while (len - at >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t name, body;

		memcpy(&note, notes + at, sizeof note);
		at += sizeof note;
		name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		body = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name > len - at || body > len - at - name)
			break;
		if (note.n_type == NT_GO_BUILD_ID && note.n_namesz == 4 &&
			memcmp(notes + at, "Go\0", 4) == 0)
			out->go = true;
		at += name + body;
	}
	return 0;
}

static int read_segments(int fd, const ElfW(Ehdr) * header, struct elf_info *out)
{
	if (header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phnum == 0 ||
		header->e_phnum > HEADERS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		ElfW(Phdr) segment;
		int r = read_at(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment);

		if (r == 0 && segment.p_type == PT_INTERP)
			r = read_interpreter(fd, &segment, out);
		else if (r == 0 && segment.p_type == PT_NOTE)
			r = read_notes(fd, &segment, out);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_section(int fd, const ElfW(Ehdr) * header, unsigned index, ElfW(Shdr) * out)
{
	return read_at(fd, out, sizeof *out, header->e_shoff + index * sizeof *out);
}

/*
 * Distributions build Go programs without a build id, but Go's own section stays. Sections play no
 * part in starting a program, so that a file may lack them, or have nonsense there.
 */
static bool has_go_section(int fd, const ElfW(Ehdr) * header)
{
	static const char wanted[] = ".go.buildinfo";
	char name[sizeof wanted];
	ElfW(Shdr) names, section;

	if (header->e_shentsize != sizeof section || header->e_shnum > HEADERS_MAX ||
		header->e_shstrndx >= header->e_shnum)
		return false;
	if (read_section(fd, header, header->e_shstrndx, &names) < 0)
		return false;
	for (unsigned i = 0; i < header->e_shnum; i++) {
		if (read_section(fd, header, i, &section) < 0)
			return false;
		if (section.sh_name < names.sh_size &&
			read_at(fd, name, sizeof name, names.sh_offset + section.sh_name) == 0 &&
			memcmp(name, wanted, sizeof wanted) == 0)
			return true;
	}
	return false;
}

int elf_read(int fd, struct elf_info *out)
{
	ElfW(Ehdr) header;
	int r;

	memset(out, 0, sizeof *out);
	memset(&header, 0, sizeof header);
	r = read_at(fd, &header, offsetof(ElfW(Ehdr), e_version), 0);
	if (r == -EINVAL || (r == 0 && memcmp(header.e_ident, ELFMAG, SELFMAG) != 0))
		return -ENOEXEC;
	if (r < 0)
		return r;
	out->native = header.e_ident[EI_CLASS] == NATIVE_CLASS &&
		      header.e_ident[EI_DATA] == NATIVE_DATA && header.e_machine == NATIVE_MACHINE;
	if (!out->native)
		return 0;
	r = read_at(fd, &header, sizeof header, 0);
	if (r < 0)
		return r;
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return -EINVAL;
	r = read_segments(fd, &header, out);
	if (r == 0 && !out->go)
		out->go = has_go_section(fd, &header);
	return r;
}
