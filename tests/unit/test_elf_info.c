/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * elf_read() on images that are made here: a whole one, and for each row one change to it.
 */
#include "elf_info.h"
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOADER "/lib/ld-test.so.1"

/* A program with one PT_INTERP, one PT_NOTE, and two sections of which the second holds names. */
struct image {
	ElfW(Ehdr) header;
	ElfW(Phdr) interpreter, notes;
	ElfW(Shdr) sections[2];
	char loader[32];
	ElfW(Nhdr) note;
	char owner[8], id[8];
	char names[32];
};

static void image_make(struct image *image)
{
	memset(image, 0, sizeof *image);
	memcpy(image->header.e_ident, ELFMAG, SELFMAG);
	image->header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	image->header.e_ident[EI_DATA] =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	image->header.e_type = ET_DYN;
	image->header.e_phoff = offsetof(struct image, interpreter);
	image->header.e_phnum = 2;
	image->header.e_phentsize = sizeof(ElfW(Phdr));
	image->header.e_shoff = offsetof(struct image, sections);
	image->header.e_shnum = 2;
	image->header.e_shentsize = sizeof(ElfW(Shdr));
	image->header.e_shstrndx = 1;
	image->interpreter.p_type = PT_INTERP;
	image->interpreter.p_offset = offsetof(struct image, loader);
	image->interpreter.p_filesz = sizeof LOADER;
	image->notes.p_type = PT_NOTE;
	image->notes.p_offset = offsetof(struct image, note);
	image->notes.p_filesz = sizeof image->note + sizeof image->owner + sizeof image->id;
	strcpy(image->loader, LOADER);
	image->note.n_namesz = 4;
	image->note.n_descsz = sizeof image->id + 4;
	image->note.n_type = NT_GNU_BUILD_ID;
	strcpy(image->owner, "GNU");
	image->sections[0].sh_name = 1;
	image->sections[1].sh_offset = offsetof(struct image, names);
	image->sections[1].sh_size = sizeof image->names;
	strcpy(image->names + 1, ".text");
}

static void unchanged(struct image *image)
{
	(void)image;
}

static void no_magic(struct image *image)
{
	image->header.e_ident[0] = '#';
}

static void other_class(struct image *image)
{
	image->header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
}

static void other_order(struct image *image)
{
	image->header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
}

static void other_machine(struct image *image)
{
	image->header.e_machine = EM_SPARC;
}

static void core_file(struct image *image)
{
	image->header.e_type = ET_CORE;
}

static void no_segments(struct image *image)
{
	image->header.e_phnum = 0;
}

static void many_segments(struct image *image)
{
	image->header.e_phnum = UINT16_MAX;
}

static void odd_segment_size(struct image *image)
{
	image->header.e_phentsize = 1;
}

static void segments_past_end(struct image *image)
{
	image->header.e_phoff = sizeof *image - 8;
}

static void segments_past_everything(struct image *image)
{
	image->header.e_phoff = (ElfW(Off)) - 8;
}

static void loader_too_long(struct image *image)
{
	image->interpreter.p_filesz = (ElfW(Xword)) - 1;
}

static void loader_past_end(struct image *image)
{
	image->interpreter.p_offset = sizeof *image - 4;
}

static void loader_without_end(struct image *image)
{
	image->interpreter.p_filesz = sizeof LOADER - 1;
}

static void loader_empty(struct image *image)
{
	image->loader[0] = '\0';
}

static void loader_absent(struct image *image)
{
	image->interpreter.p_type = PT_NULL;
}

static void notes_past_end(struct image *image)
{
	image->notes.p_offset = sizeof *image;
}

static void note_too_long(struct image *image)
{
	image->note.n_namesz = UINT32_MAX;
}

static void go_note(struct image *image)
{
	image->note.n_type = 4;
	strcpy(image->owner, "Go");
}

static void go_section(struct image *image)
{
	strcpy(image->names + 1, ".go.buildinfo");
}

static void go_section_alike(struct image *image)
{
	strcpy(image->names + 1, ".go.buildinfo2");
}

static void no_section_names(struct image *image)
{
	go_section(image);
	image->header.e_shstrndx = 2;
}

static void many_sections(struct image *image)
{
	go_section(image);
	image->header.e_shnum = UINT16_MAX;
}

static void sections_past_everything(struct image *image)
{
	image->header.e_shoff = (ElfW(Off)) - 8;
}

static void name_past_end(struct image *image)
{
	image->sections[0].sh_name = UINT32_MAX;
	image->sections[1].sh_size = (ElfW(Xword)) - 1;
	image->sections[1].sh_offset = (ElfW(Off)) - 1;
}

#define WHOLE sizeof(struct image)

static const struct elf_case {
	void (*change)(struct image *image);
	size_t len; /* of the image, as far as the file goes */
	int want;
	bool native, go;
	const char *loader;
} elf_case[] = {
	{ unchanged, 0, -ENOEXEC, false, false, "" },
	{ unchanged, 4, -ENOEXEC, false, false, "" },
	{ unchanged, 19, -ENOEXEC, false, false, "" },
	{ unchanged, 20, -EINVAL, true, false, "" },
	{ unchanged, sizeof(ElfW(Ehdr)), -EINVAL, true, false, "" },
	{ no_magic, WHOLE, -ENOEXEC, false, false, "" },
	{ core_file, WHOLE, -EINVAL, true, false, "" },
	{ no_segments, WHOLE, -EINVAL, true, false, "" },
	{ many_segments, WHOLE, -EINVAL, true, false, "" },
	{ odd_segment_size, WHOLE, -EINVAL, true, false, "" },
	{ segments_past_end, WHOLE, -EINVAL, true, false, "" },
	{ segments_past_everything, WHOLE, -EINVAL, true, false, "" },
	{ loader_too_long, WHOLE, -EINVAL, true, false, "" },
	{ loader_past_end, WHOLE, -EINVAL, true, false, "" },
	{ loader_without_end, WHOLE, -EINVAL, true, false, LOADER },
	{ loader_empty, WHOLE, -EINVAL, true, false, "" },
	{ notes_past_end, WHOLE, -EINVAL, true, false, LOADER },
	{ other_class, WHOLE, 0, false, false, "" },
	{ other_order, WHOLE, 0, false, false, "" },
	{ other_machine, WHOLE, 0, false, false, "" },
	{ unchanged, WHOLE, 0, true, false, LOADER },
	{ loader_absent, WHOLE, 0, true, false, "" },
	{ note_too_long, WHOLE, 0, true, false, LOADER },
	{ go_note, WHOLE, 0, true, true, LOADER },
	{ go_section, WHOLE, 0, true, true, LOADER },
	{ go_section_alike, WHOLE, 0, true, false, LOADER },
	{ no_section_names, WHOLE, 0, true, false, LOADER },
	{ many_sections, WHOLE, 0, true, false, LOADER },
	{ sections_past_everything, WHOLE, 0, true, false, LOADER },
	{ name_past_end, WHOLE, 0, true, false, LOADER },
};

/* The machine is that of this very test. */
static uint16_t own_machine(void)
{
	ElfW(Ehdr) header;
	FILE *self = fopen("/proc/self/exe", "rb");

	ck_assert_ptr_nonnull(self);
	ck_assert_uint_eq(fread(&header, sizeof header, 1, self), 1);
	fclose(self);
	return header.e_machine;
}

START_TEST(image_is_read_or_refused)
{
	const struct elf_case *row = &elf_case[_i];
	struct image image;
	struct elf_info info;
	int fd = memfd_create("image", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	image_make(&image);
	image.header.e_machine = own_machine();
	row->change(&image);
	ck_assert_int_eq(write(fd, &image, row->len), (ssize_t)row->len);
	ck_assert_int_eq(elf_read(fd, &info), row->want);
	close(fd);
	ck_assert_int_eq(info.native, row->native);
	ck_assert_int_eq(info.go, row->go);
	if (row->want == 0)
		ck_assert_str_eq(info.interpreter, row->loader);
}
END_TEST

START_TEST(own_program_is_read)
{
	struct elf_info info;
	FILE *self = fopen("/proc/self/exe", "rb");

	ck_assert_ptr_nonnull(self);
	ck_assert_int_eq(elf_read(fileno(self), &info), 0);
	fclose(self);
	ck_assert(info.native);
	ck_assert(!info.go);
	ck_assert_ptr_nonnull(strstr(info.interpreter, "/ld-"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf_info");
	TCase *tcase = tcase_create("elf_info");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(
		tcase, image_is_read_or_refused, 0, sizeof elf_case / sizeof elf_case[0]);
	tcase_add_test(tcase, own_program_is_read);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
