/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sentence for the operator, in a buffer of the caller. */
#ifndef SEAMTLS_TLS_WHY_H
#define SEAMTLS_TLS_WHY_H

#include "audit/cause.h"
#include <stddef.h>

struct why {
	char *buf;
	size_t len;
	enum cause *cause; /* NULL: nobody asks for it */
};

/* Writes the sentence (cut to what fits) and gives back r. */
__attribute__((format(printf, 3, 4))) int why_say(
	const struct why *why, int r, const char *format, ...);

/* The class of what is refused, where the alert does not tell. */
void why_because(const struct why *why, enum cause cause);

/* "Permission denied" for -EACCES; static. */
const char *why_errno(int r);

#endif
