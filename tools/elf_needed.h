/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The libraries that a program asks its loader for. The file is somebody else's, as in elf_info.h.
 */
#ifndef SEAMTLS_TOOLS_ELF_NEEDED_H
#define SEAMTLS_TOOLS_ELF_NEEDED_H

/* Calls `take` with each name; a name or a table that makes no sense ends it. 0; -ENOEXEC: no ELF
 * file of this machine; -EINVAL: a damaged one; or what reading it gave. */
int elf_needed_each(int fd, void (*take)(const char *name, void *arg), void *arg);

#endif
