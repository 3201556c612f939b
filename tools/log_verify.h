/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether audit files are as they were written: `seamtls log --verify`. */
#ifndef SEAMTLS_TOOLS_LOG_VERIFY_H
#define SEAMTLS_TOOLS_LOG_VERIFY_H

#include "rows.h"

/*
 * Prints a row for each file of `places` (files and directories, the last one NULL). `key_file`:
 * that of the policy's audit_key; NULL: none. EXIT_SUCCESS: nothing is known to be wrong; else
 * EXIT_FAILURE.
 */
int log_verify(char **places, const char *key_file, enum rows_format format);

#endif
