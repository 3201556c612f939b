/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `strict = yes`: what a preloaded library cannot see is made to fail for the program, which then
 * falls back to calls that it does see. Today that is io_uring.
 */
#ifndef SEAMTLS_STRICT_H
#define SEAMTLS_STRICT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the policy at `path` may ask for it. Not parsed, only looked through: false is certain.
 */
bool strict_is_mentioned(const char *path);

/* From here on io_uring fails with ENOSYS, in this process and in all that it starts. 0; or -errno,
 * and in why[] what stood in the way. */
int strict_enforce(char *why, size_t why_len);

#endif
