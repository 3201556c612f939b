/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What handshakes of one rule in one role share: credentials, trust anchors, versions, suites.
 * Built from a rule's settings (wolfSSL_CTX behind it), read-only afterwards, so any thread may use
 * it. Whoever uses it has a reference: another may take its place when its files change.
 */
#ifndef SEAMTLS_TLS_CONTEXT_H
#define SEAMTLS_TLS_CONTEXT_H

#include "policy/policy.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
enum tls_role { TLS_CLIENT, TLS_SERVER };

/*
 * 0 and *out (tls_context_free()); -errno, and in `why` a sentence for the operator that names the
 * file and what to do ("cannot read the key '/etc/x.key': Permission denied"; "the key '...' does
 * not belong to the certificate '...'"). -EINVAL: settings that cannot work (a server without
 * certificate); -EKEYREJECTED: credentials that are no pair or do not parse.
 */
int tls_context_new(const struct tls_settings *settings, enum tls_role role,
	struct tls_context **out, char *why, size_t why_len);
/* One more reference, which tls_context_free() gives back. */
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_free(struct tls_context *context);

/* What does not work without being an error, for the operator; "": nothing. */
const char *tls_context_warning(const struct tls_context *context);
/*
 * Sessions belong to the settings' credentials and trust anchors, by content, and to all that is
 * said here, in order: the name of the rule, its settings. Before the context is used.
 */
void tls_context_bind(struct tls_context *context, const char *text);

/* Whether one of the trusted CAs has this name (DER). For who tells of a chain, not to judge it. */
bool tls_context_knows(const struct tls_context *context, const uint8_t *name, size_t len);

/* Days until the first of the context's own certificates expires; INT_MAX if it has none. Negative:
 * expired. */
int tls_context_days_left(const struct tls_context *context);

/* A certificate that expires within so many days is warned of. */
#define TLS_DAYS_WARNED 30

/*
 * What the operator should know of own certificates and keys that can be used: that they have
 * expired, or will soon, or that others can read a key or its password. A sentence for each, with
 * the file. `settings`: those that the context was made from.
 */
void tls_context_warn(const struct tls_context *context, const struct tls_settings *settings,
	void (*tell)(const char *text, void *arg), void *arg);

#endif
