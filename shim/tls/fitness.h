/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the certificates on a way to an anchor are fit for what they do on it: dates, key usage,
 * lengths of paths, and strengths (RFC 5280 6.1). */
#ifndef SEAMTLS_TLS_FITNESS_H
#define SEAMTLS_TLS_FITNESS_H

#include "chain.h"
#include "why.h"

/* `purpose`: X509_SERVER_AUTH or X509_CLIENT_AUTH, what the peer is here. 0, or the alert's
 * description, and `why` says which certificate lacks what. */
int fitness_check(
	const struct chain *chain, enum x509_purpose purpose, int64_t now, const struct why *why);

/* The same for the signatures and keys alone, of a chain that may lead nowhere. */
int fitness_check_strength(const struct chain *chain, const struct why *why);

#endif
