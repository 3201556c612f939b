/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own variables, and those that say where a user's files are, as they were when the process
 * started: programs overwrite the memory of their environment (to show another title), or empty it,
 * before their first socket makes us ask.
 */
#ifndef SEAMTLS_VARIABLES_H
#define SEAMTLS_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

#define VARIABLES_PASSED_ON 5

/* In the first constructor. Where nobody calls it, the environment is asked as it is. */
void variables_learn(char *const envp[]);

/* The value; NULL: not set, or empty, or what the environment says is not to be followed
 * (AT_SECURE). */
const char *variable_get(const char *name);

/* NAME=VALUE of those that programs which this one starts need too, `i` below VARIABLES_PASSED_ON;
 * NULL: not set. */
const char *variable_setting(size_t i);

#endif
