/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which file a program's name means, and whether a preloaded library would be loaded into it.
 */
#ifndef SEAMTLS_TOOLS_REACH_H
#define SEAMTLS_TOOLS_REACH_H

#include <stddef.h>

/* As execvp() finds it: `name` itself if it has a '/', else in PATH. 0; -ENOENT; -EACCES: no
 * program; -ENAMETOOLONG. */
int reach_find(const char *name, char *path, size_t path_len);

/*
 * 0: a library that LD_PRELOAD names is loaded into the program `path`, as far as its files tell.
 * -ENOTSUP: it is not, and `why` says so in a sentence ("it is statically linked, so no loader runs
 * ..."). Else what looking at it gave, `why` naming the file.
 */
int reach_check(const char *path, char *why, size_t why_len);

/* The same, and `program` is what runs: of a script, its interpreter. PATH_MAX bytes. */
int reach_program(const char *path, char *program, char *why, size_t why_len);

#endif
