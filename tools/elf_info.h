/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an ELF file tells of how it would be started. The file is somebody else's: every length is
 * checked, the work is bounded.
 */
#ifndef SEAMTLS_TOOLS_ELF_INFO_H
#define SEAMTLS_TOOLS_ELF_INFO_H

#include <limits.h>
#include <stdbool.h>

struct elf_info {
	bool native; /* of this machine and word size; else nothing below is filled in */
	bool go;     /* made by the Go compiler */
	char interpreter[PATH_MAX]; /* the dynamic loader; "": statically linked */
};

/* 0 and *out; -ENOEXEC: no ELF file; -EINVAL: a damaged one; or what reading it gave. */
int elf_read(int fd, struct elf_info *out);

#endif
