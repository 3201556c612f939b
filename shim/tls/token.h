/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tokens of PKCS#11 modules. A module is loaded into the process at the first use of it and stays,
 * and so does a token that is used, with a session that is logged in. A forked child initialises
 * the module again, and opens and logs into the token again, before its first signature.
 */
#ifndef SEAMTLS_TLS_TOKEN_H
#define SEAMTLS_TLS_TOKEN_H

#include "pkcs11_uri.h"

struct token;

/* The token that the URI names, logged in with the PIN (NULL: none). 0 and *out; or -errno with the
 * reason. */
int token_open(
	const struct pkcs11_uri *uri, const char *pin, struct token **out, const struct why *why);

/* What wolfSSL calls the token. */
int token_device(const struct token *token);

/* Of the private key that the URI names: its CKA_ID or, if it has none, its CKA_LABEL. */
struct token_key {
	unsigned char name[PKCS11_VALUE_MAX + 1];
	size_t len;
	bool is_label;
};
int token_find_key(struct token *token, const struct pkcs11_uri *uri, struct token_key *out,
	const struct why *why);

/* The certificate that the URI names, DER, malloc'ed. */
int token_read_certificate(struct token *token, const struct pkcs11_uri *uri, uint8_t **der,
	size_t *len, const struct why *why);

#endif
