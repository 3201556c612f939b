/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sentence for the operator, in a buffer of the caller. */
#ifndef SEAMTLS_TLS_WHY_H
#define SEAMTLS_TLS_WHY_H

#include <stddef.h>

struct why {
	char *buf;
	size_t len;
};

/* Writes the sentence (cut to what fits) and gives back r. */
__attribute__((format(printf, 3, 4))) int why_say(
	const struct why *why, int r, const char *format, ...);

/* "Permission denied" for -EACCES; static. */
const char *why_errno(int r);

#endif
