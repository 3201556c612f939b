/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the contents of an ELF file let fear: system calls that its code makes itself, past libc and
 * so past the library, and what it may load while it runs. Signs, not proofs: code that is reached
 * by nobody has them too, and a number that is computed has none.
 */
#ifndef SEAMTLS_TOOLS_ELF_SCAN_H
#define SEAMTLS_TOOLS_ELF_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define ELF_SCAN_CALLS_MAX 16
#define ELF_SCAN_WORDS_MAX 16

struct elf_scan {
	/* Names of socket calls that are made by an instruction of its own, and of io_uring's. */
	const char *calls[ELF_SCAN_CALLS_MAX];
	size_t call_count;
	bool io_uring;
	/* Which of the words that were looked for are in it, by their place in the list. */
	bool words[ELF_SCAN_WORDS_MAX];
};

/* Adds what is found in the file to *out, which is all zeroes at first. `words`: up to
 * ELF_SCAN_WORDS_MAX, NULL ends them. 0; -errno of reading or allocating; -ENOEXEC: no ELF file of
 * this machine. */
int elf_scan(int fd, const char *const *words, struct elf_scan *out);

#endif
