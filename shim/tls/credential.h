/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An own certificate with its chain, and its key, out of whatever they are kept in: PEM, whose key
 * may be encrypted, or PKCS#12. */
#ifndef SEAMTLS_TLS_CREDENTIAL_H
#define SEAMTLS_TLS_CREDENTIAL_H

#include "pem.h"
#include "token.h"
#include "why.h"
#include <stdint.h>

struct credential {
	uint8_t *chain; /* DER, one certificate after the other, the own first */
	size_t chain_len;
	uint8_t *key; /* DER, PKCS#8 or the key's own form; NULL: it is in a token */
	size_t key_len;
	int device; /* the token, for wolfSSL */
	struct token_key token_key;
};

/* Where it is: files, or pkcs11: URIs. */
struct credential_source {
	const char *cert, *key;    /* which may be the same */
	const char *password_file; /* NULL: none */
};

/*
 * 0, and credential_clear() is to be called; or -errno with the reason, and there is nothing to
 * clear. -EKEYREJECTED: the files do not hold what they should, or the password is wrong; -ENOTSUP:
 * in a form that is not read. Whether certificate and key are a pair is not asked.
 */
int credential_read(
	const struct credential_source *source, struct credential *out, const struct why *why);
void credential_clear(struct credential *credential); /* wipes */

/* The first line of a file. */
#define PASSWORD_MAX 127 /* bytes; as many as PKCS#12 takes */
struct password {
	char text[PASSWORD_MAX + 1];
	const char *file; /* where it is from, for messages; NULL: it is empty for want of one */
};

/* credential.c: `path` NULL: there is none. 0, or -errno with the reason. */
int password_read(const char *path, struct password *out, const struct why *why);

/* pem_key.c: the key in a block, into credential->key. 0, or -errno with the reason. */
int pem_key_read(struct credential *out, const char *path, const struct pem_block *block,
	const struct password *password, const struct why *why);

/* credential_token.c: the certificate, or the key, that a pkcs11: URI names. */
int token_credential_read(struct credential *out, const char *uri_text,
	const struct password *password, bool chain, const struct why *why);

/* pkcs12.c: whether the file is PKCS#12; what is in it. */
bool pkcs12_is(const struct pem *file);
int pkcs12_read(struct credential *out, const char *path, const struct pem *file,
	const struct password *password, const struct why *why);

#endif
