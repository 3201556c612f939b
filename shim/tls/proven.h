/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Signatures that were found good, by digest: the arithmetic does not have to be done again for
 * each connection to a peer, nor when a session is resumed. Whether a certificate is still valid,
 * revoked or trusted is another question, and asked each time.
 */
#ifndef SEAMTLS_TLS_PROVEN_H
#define SEAMTLS_TLS_PROVEN_H

#include "x509.h"
#include <stdbool.h>

#define PROVEN_LEN 32
#define PROVEN_MOST 64 /* the oldest is forgotten */

/* Of all that the result rests on. False: it is too long to be worth it, or there is no memory. */
bool proven_digest(
	const struct x509_signed *proof, struct x509_bytes spki, uint8_t digest[PROVEN_LEN]);
bool proven_has(const uint8_t digest[PROVEN_LEN]);
void proven_add(const uint8_t digest[PROVEN_LEN]);

#endif
