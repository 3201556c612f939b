/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A TLS 1.3 client's certificate, asked for after the handshake (RFC 8446 4.6.2). Offered, and
 * kept, only where the rule has a certificate: wolfSSL's object has to stay for it, some 14 KB.
 */
#ifndef SEAMTLS_TLS_POST_AUTH_H
#define SEAMTLS_TLS_POST_AUTH_H

#include <stddef.h>
#include <stdint.h>

struct tls_post_auth;

/*
 * What answers the CertificateRequest in `message`, its head included, of at most
 * RECORD_MAX_PLAINTEXT bytes. `updates`: how many KeyUpdates we have sent since the handshake. 0,
 * and messages in *out, malloc'ed; -EPROTO: malformed; -ENOMEM. Signs: to be run on a deep stack.
 */
int tls_post_auth_answer(struct tls_post_auth *auth, const uint8_t *message, size_t len,
	uint32_t updates, uint8_t **out, size_t *out_len);
void tls_post_auth_free(struct tls_post_auth *auth); /* wipes */

#endif
