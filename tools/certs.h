/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The certificates that peers showed: of each peer of a rule the last one, since a certificate that
 * was renewed is of no interest any more. In bounded memory: of too many, those stay that end
 * first.
 */
#ifndef SEAMTLS_TOOLS_CERTS_H
#define SEAMTLS_TOOLS_CERTS_H

#include "audit/event.h"

#define CERTS_MAX 2048

struct cert_row {
	char *key; /* the rule and the peer */
	char *rule, *peer, *subject, *issuer;
	uint64_t not_after; /* seconds since the epoch */
	uint64_t seen_us;   /* last */
};

/* All zeroes: empty. */
struct certs {
	void *tree;
	size_t count;
	uint64_t dropped;
};

/* The certificate of an `open` event, if it has one, of `peer`. 0; -ENOMEM. */
int certs_add(struct certs *certs, const struct audit_event *event, const char *peer);

/* Those that end first, first. The list is malloc'ed. 0; -ENOMEM. */
int certs_sort(const struct certs *certs, const struct cert_row ***out);

void certs_clear(struct certs *certs);

#endif
