/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a context, for the files that make one and the handshakes that use it. */
#ifndef SEAMTLS_TLS_CONTEXT_PRIVATE_H
#define SEAMTLS_TLS_CONTEXT_PRIVATE_H

#include "anchors.h"
#include "context.h"
#include "why.h"
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#define CONTEXT_GROUPS_MAX WOLFSSL_MAX_GROUP_COUNT

/* Nothing in it points into the settings it was made from: a policy may be replaced while its
 * connections live on. */
struct tls_context {
	WOLFSSL_CTX *ctx;
	enum tls_role role;
	enum policy_verify verify;
	enum policy_client_auth client_auth;
	struct anchors anchors; /* what wolfSSL's manager has, for our own part of the verdict */
	size_t pin_count;
	uint8_t (*pins)[POLICY_SPKI_LEN];
	char *server_name;
	struct policy_list allow_peer;
	char *keylog; /* NULL: none */
	int groups[CONTEXT_GROUPS_MAX]; /* wolfSSL's numbers */
	int group_count;
	size_t alpn_count;
	char **alpn;
	bool has_certificate;
	int64_t not_after; /* of the first of the own certificates to expire */
};

/* trust.c: loads what `ca` names. 0, or -errno with the reason. */
int trust_load(struct tls_context *context, const struct policy_list *ca, const struct why *why);

/* Copies and frees what the policy keeps as a list of strings. 0 or -ENOMEM. */
int context_list_copy(struct policy_list *to, const struct policy_list *from);
void context_list_clear(struct policy_list *list);

/* identity.c: loads the certificate chain and its key. 0, or -errno with the reason. */
int identity_load(
	struct tls_context *context, const struct tls_settings *settings, const struct why *why);

#endif
