/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signatures of certificates, revocation lists and OCSP responses, and how much they are worth. */
#ifndef SEAMTLS_TLS_SIGNATURE_H
#define SEAMTLS_TLS_SIGNATURE_H

#include "why.h"
#include "x509.h"

/* Whether the key of `spki` has made the signature. False also if it is of a kind that is not
 * known: MD5 and SHA-1 are not. */
bool signature_is_by(const struct x509_signed *proof, struct x509_bytes spki);

/* Whether it is made with a hash that nobody can find collisions of. False: `why` says what it is
 * ("is signed with SHA-1, ..."). */
bool signature_is_strong(struct x509_bytes algorithm, const struct why *why);

/* Whether a key is long enough: RSA of 2048 bits, elliptic curves of 256. False: `why` says what it
 * is ("is not acceptable: its RSA key has only 1024 bits ..."). */
bool signature_key_is_strong(struct x509_bytes spki, const struct why *why);

#endif
