/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a context, for the files that make one and the handshakes that use it. */
#ifndef SEAMTLS_TLS_CONTEXT_PRIVATE_H
#define SEAMTLS_TLS_CONTEXT_PRIVATE_H

#include "anchors.h"
#include "binding.h"
#include "context.h"
#include "pem.h"
#include "revocation.h"
#include "scheme.h"
#include "ticket_key.h"
#include "why.h"
#include "x509.h"
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#define CONTEXT_GROUPS_MAX WOLFSSL_MAX_GROUP_COUNT

/* Nothing in it points into the settings it was made from: a policy may be replaced while its
 * connections live on. */
struct tls_context {
	_Atomic unsigned refs; /* of the first of a rule, on all of them */
	WOLFSSL_CTX *ctx;
	enum tls_role role;
	enum policy_verify verify;
	enum policy_client_auth client_auth;
	bool must_staple;
	struct pem response; /* OCSP, in DER: what is stapled; no text: nothing */
	char warning[256];   /* what is no reason to refuse the context; "": nothing */
	struct revocation revocation;
	struct anchors anchors; /* what wolfSSL's manager has, for our own part of the verdict */
	size_t pin_count;
	uint8_t (*pins)[POLICY_SPKI_LEN];
	char *server_name;
	struct policy_list allow_peer;
	char *keylog;                   /* NULL: none */
	int groups[CONTEXT_GROUPS_MAX]; /* wolfSSL's numbers */
	int group_count;
	size_t alpn_count;
	char **alpn;
	bool tls12, tls13;
	uint32_t suites;     /* those that are on, as bits by tls_suite_at() */
	uint32_t signatures; /* ... by tls_signature_at() */

	/* The own certificate. A server that has several has a context of its own for each. */
	uint8_t *chain; /* DER; NULL: none */
	size_t chain_len;
	struct x509 certificate;
	enum key_kind key_kind;
	int64_t not_after;        /* of the first of the chain to expire */
	struct tls_context *next; /* that of the rule's next certificate */

	bool authenticates_later;        /* client: after the handshake, if it is asked to */
	bool resumes;                    /* sessions */
	uint8_t binding[BINDING_LEN];    /* what they belong to */
	struct ticket_file *ticket_file; /* server; NULL: keys of our own */
};

/* trust.c: loads what `ca` names. 0, or -errno with the reason. */
int trust_load(struct tls_context *context, const struct policy_list *ca, const struct why *why);

/* Copies and frees what the policy keeps as a list of strings. 0 or -ENOMEM. */
int context_list_copy(struct policy_list *to, const struct policy_list *from);
void context_list_clear(struct policy_list *list);

/* identity.c: how many contexts a rule is; loads the certificate chain and its key, those at
 * `index` of the lists. 0, or -errno with the reason. */
size_t identity_count(const struct tls_settings *settings, enum tls_role role);
struct credential_source;
void identity_source(
	const struct tls_settings *settings, size_t index, struct credential_source *out);
int identity_load(struct tls_context *context, const struct tls_settings *settings, size_t index,
	const struct why *why);

#endif
