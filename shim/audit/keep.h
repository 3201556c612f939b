/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Retention: deletes audit files that are old. Nothing is allocated. */
#ifndef SEAMTLS_AUDIT_KEEP_H
#define SEAMTLS_AUDIT_KEEP_H

#include <stdint.h>

/*
 * Deletes the files in `dir` that have the name of an audit file, are this user's, and were made
 * and last written to before `before` (seconds since the epoch). What cannot be deleted stays.
 */
void audit_keep(const char *dir, int64_t before);

#endif
