/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The signature schemes that are used (RFC 8446 4.2.3): IANA's names, wolfSSL's, and the keys that
 * make them. */
#ifndef SEAMTLS_TLS_SCHEME_H
#define SEAMTLS_TLS_SCHEME_H

#include "x509.h"

enum key_kind { KEY_KIND_OTHER, KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };

struct tls_signature {
	uint16_t id;
	const char *name;    /* IANA */
	const char *wolfssl; /* what wolfSSL_CTX_set1_sigalgs_list() calls it */
	enum key_kind kind;  /* of the key; TLS 1.2 leaves the curve open */
	bool tls13;          /* may sign handshakes of TLS 1.3 */
};

/* NULL after the last. */
const struct tls_signature *tls_signature_at(size_t index);
const struct tls_signature *tls_signature_by_name(const char *name);

/* Of a SubjectPublicKeyInfo. */
enum key_kind key_kind_find(struct x509_bytes spki);
bool key_kind_is_ec(enum key_kind kind);
/* The group that a TLS 1.2 client has to support to verify it (RFC 8422 5.1.1); 0: none. */
unsigned key_kind_group(enum key_kind kind);

#endif
