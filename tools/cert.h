/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys and certificates in memory, for `seamtls cert`: a CA of one level, and what it signs.
 */
#ifndef SEAMTLS_TOOLS_CERT_H
#define SEAMTLS_TOOLS_CERT_H

#include <stddef.h>

enum cert_key_type { CERT_ECDSA, CERT_RSA };
enum cert_use { CERT_CA, CERT_SERVER, CERT_CLIENT };

struct cert_key;

struct cert_request {
	const char *name; /* CERT_CA: the common name; else what cert_name_check() accepts */
	enum cert_use use;
	unsigned days;
};

/* Who signs. */
struct cert_issuer {
	struct cert_key *key;
	const char *pem; /* its certificate */
};

/* 0: a DNS name (with '*' for its first label, if wanted), an IP address or a mail address;
 * -EINVAL. */
int cert_name_check(const char *name);

/* 0 and *out (cert_key_free()), -ENOMEM, -EIO. ECDSA: P-256; RSA: 2048 bits. */
int cert_key_new(enum cert_key_type type, struct cert_key **out);

/* Reads an unencrypted private key. 0 and *out, -EINVAL: it is none, or of another type; -ENOMEM.
 */
int cert_key_parse(const char *pem, struct cert_key **out);
void cert_key_free(struct cert_key *key); /* wipes */

/* 0 and *pem, PKCS#8 (cert_text_free()), -ENOMEM, -EIO. */
int cert_key_text(const struct cert_key *key, char **pem);

/*
 * Makes the certificate of `key`, signed by `issuer` (NULL: by itself). 0 and *pem
 * (cert_text_free()); -EKEYREJECTED: the issuer's key and certificate are no valid pair; -ENOMEM,
 * -EIO.
 */
int cert_make(const struct cert_request *request, const struct cert_key *key,
	const struct cert_issuer *issuer, char **pem);
void cert_text_free(char *pem); /* wipes */

#endif
