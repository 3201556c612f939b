/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stapled OCSP responses in a handshake: what a client asks for and holds its peer to, and what a
 * server sends. */
#ifndef SEAMTLS_TLS_STAPLE_H
#define SEAMTLS_TLS_STAPLE_H

#include "chain.h"
#include "ocsp.h"
#include "policy/policy.h"
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

struct tls_context;
struct tls_handshake;

/* A client's: what came, by the certificate that it came with, and what it is to be about. */
struct staple {
	bool asked;  /* status_request was sent */
	bool needed; /* by policy, or by the peer's certificate */
	bool good;   /* for the peer's own certificate there was one */
	struct x509_bytes response[CHAIN_MAX];
	struct ocsp_subject subject[CHAIN_MAX]; /* by the place in what was sent; no serial: not
						   known */
	uint8_t *memory;                        /* of the subjects */
};

/* A client's context: its handshakes may ask, and what is stapled comes to us. 0, or -errno with
 * the reason. */
int staple_context_client(struct tls_context *context, const struct why *why);
/* Loads the response that is to be stapled. What is wrong with it is a warning of the context's. 0,
 * or -errno with the reason. */
int staple_context_server(
	struct tls_context *context, const struct policy_list *files, const struct why *why);

/* Afterwards, of all contexts of a rule: a warning of responses that none of them can use. */
void staple_warn_of_strangers(struct tls_context *first, const struct policy_list *files);

/* A client's handshake begins. 0 or -ENOMEM. */
int staple_ask(struct tls_handshake *handshake);
/* The chain is trusted: what has come is held against it. 0; or an alert's description, and `why`.
 */
int staple_judge(struct tls_handshake *handshake, const struct chain *chain, const struct why *why);
/* Nothing more can come. As staple_judge(). */
int staple_end(struct tls_handshake *handshake, const struct why *why);
void staple_clear(struct staple *staple);

#endif
