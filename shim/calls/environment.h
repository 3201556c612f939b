/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The environment of programs that this one starts. With `cover_children = yes`, or if a protected
 * listening socket is handed on, an environment that was built anew gets back what loads and sets
 * up the library.
 */
#ifndef SEAMTLS_CALLS_ENVIRONMENT_H
#define SEAMTLS_CALLS_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* At the start, before the program changes what it was given. */
void environment_learn(char *const envp[]);

/* How many strings have to be put in; 0: envp may be used as it is. */
size_t environment_lacks(char *const envp[]);
/* Whether a program that is given `envp` by ENVIRONMENT_FOR() has the library in it, if its loader
 * can. */
bool environment_loads(char *const envp[]);
/* Bytes that environment_complete() needs for envp. */
size_t environment_size(char *const envp[]);
/* envp with all that it lacks, in `memory`. */
char *const *environment_complete(char *const envp[], void *memory);

/* envp, or a completed copy on the caller's stack: exec() and spawn never return to give it back.
 */
#define ENVIRONMENT_FOR(envp)                                                                      \
	(environment_lacks(envp) == 0                                                              \
			? (char *const *)(envp)                                                    \
			: environment_complete(envp, __builtin_alloca(environment_size(envp))))

#endif
