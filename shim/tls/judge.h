/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The verdict on a peer, from its certificates alone: no handshake, no wolfSSL. So it can be asked
 * for again, of certificates that were kept, where a session is resumed.
 */
#ifndef SEAMTLS_TLS_JUDGE_H
#define SEAMTLS_TLS_JUDGE_H

#include "chain.h"
#include "context.h"
#include "why.h"

/* What a peer has shown. */
struct evidence {
	const struct x509_bytes *sent; /* certificates in DER, its own first */
	size_t count;
	const char *name; /* what its certificate has to be for; NULL: that is not asked */
};

/* What a verdict that is good is called by the context's settings: "ok" only if nothing is left
 * out; "chain", whoever it is; "pin", without a chain; "none". */
const char *judge_good(const struct tls_context *context);

/*
 * Judges by the context's settings. 0: trusted, and `why` gets judge_good(). Else an alert's
 * description, and `why` says what is wrong. *chain is filled in either case.
 */
int judge_peer(const struct tls_context *context, const struct evidence *evidence,
	struct chain *chain, const struct why *why);

/* Whether a certificate is for `name`, NULL: anybody. As judge_peer(), of this alone. */
int judge_name(const struct x509 *x509, const char *name, const struct why *why);

/* Where the way up from the chain's first certificate ends: for one that leads nowhere. */
void judge_say_no_issuer(const struct chain *chain, const struct why *why);

#endif
