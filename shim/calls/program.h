/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of a program that is to be executed, to be looked at. No allocation, as in exec(). */
#ifndef SEAMTLS_CALLS_PROGRAM_H
#define SEAMTLS_CALLS_PROGRAM_H

/* `path` or `file` is a string. A descriptor, or -1: it cannot be read. */
int program_open_path(const void *path);
/* ... which is looked for in PATH, as execvp(3) does. */
int program_open(const void *file);

#endif
