/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trust anchors of a context, as far as a path is found and judged with them: names, keys, and
 * what they allow. */
#ifndef SEAMTLS_TLS_ANCHORS_H
#define SEAMTLS_TLS_ANCHORS_H

#include "x509.h"

/* Whose signature is checked. */
struct issuer {
	struct x509_bytes name, spki;
	unsigned usage; /* enum x509_usage */
};

struct anchor {
	struct issuer issuer;
	int64_t not_after;
	int path_len;
	unsigned purposes;
	uint8_t *memory; /* what name and key point into */
};

struct anchors {
	size_t count, size;
	struct anchor *items;
};

/* Copies what is needed. 0 or -ENOMEM. */
int anchors_add(struct anchors *anchors, const struct x509 *certificate);
void anchors_clear(struct anchors *anchors);

/* The next after `from` (NULL: the first) of that name; NULL: no more. */
const struct anchor *anchors_next(
	const struct anchors *anchors, const struct anchor *from, struct x509_bytes name);

#endif
