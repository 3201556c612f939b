/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of both directions out of a handshake that is through. */
#include "tls/handshake_private.h"
#include "tls/suite.h"
#include <errno.h>
#include <string.h>

/* RFC 5246 6.3: of the key block, which TLS 1.2 does not hand out as secrets. Both sides have sent
 * one record, the Finished. */
static int key_from_block(struct tls_handshake *handshake, const struct tls_suite *suite,
	bool client, bool own, struct record_key *key)
{
	WOLFSSL *ssl = handshake->ssl;
	const unsigned char *secret =
		client ? wolfSSL_GetClientWriteKey(ssl) : wolfSSL_GetServerWriteKey(ssl);
	const unsigned char *iv =
		client ? wolfSSL_GetClientWriteIV(ssl) : wolfSSL_GetServerWriteIV(ssl);
	int len = wolfSSL_GetKeySize(ssl);
	size_t implicit = suite->aead == RECORD_CHACHA20_POLY1305 ? sizeof key->iv : 4;

	if (secret == NULL || iv == NULL || len <= 0 || len > (int)sizeof key->key)
		return -ENOTSUP;
	memset(key, 0, sizeof *key);
	key->version = RECORD_TLS12;
	key->aead = (uint8_t)suite->aead;
	memcpy(key->key, secret, (size_t)len);
	memcpy(key->iv, iv, implicit);
	/*
	 * wolfSSL draws the first explicit nonce at random and counts from there. Ours is (this one
	 * XOR sequence number), so 0, the Finished, has the nonce that it had, and all others
	 * differ from it and from each other.
	 */
	if (own)
		memcpy(key->iv + implicit, handshake->wire.finished_nonce,
			sizeof key->iv - implicit);
	key->seq = 1;
	return 0;
}

static int key_make(struct tls_handshake *handshake, const struct tls_suite *suite, bool client,
	bool own, struct record_key *key)
{
	const struct tls_secret *secret =
		&handshake->secrets[client ? SECRET_CLIENT_TRAFFIC : SECRET_SERVER_TRAFFIC];

	if (suite->version == RECORD_TLS12)
		return key_from_block(handshake, suite, client, own, key);
	return record_key_from_secret(key, suite->aead, secret->bytes, secret->len);
}

int handshake_send_key(struct tls_handshake *handshake, struct record_key *key)
{
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));

	return suite == NULL ? -ENOTSUP
			     : key_make(handshake, suite, handshake->context->role == TLS_CLIENT,
				       true, key);
}

/* RFC 6066 4: what a client has asked for, and got. */
static void limit_records(struct tls_handshake *handshake, struct record_key *send)
{
	int most = wolfSSL_GetMaxOutputSize(handshake->ssl);

	if (most > 0 && most < RECORD_MAX_PLAINTEXT)
		send->plaintext_most = (uint16_t)most;
}

int tls_handshake_keys(
	struct tls_handshake *handshake, struct record_key *send, struct record_key *receive)
{
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));
	bool client = handshake->context->role == TLS_CLIENT;

	if (handshake->status != 0 || suite == NULL)
		return -ENOTSUP;
	if (key_make(handshake, suite, client, true, send) == 0 &&
		key_make(handshake, suite, !client, false, receive) == 0) {
		limit_records(handshake, send);
		return 0;
	}
	record_key_clear(send);
	record_key_clear(receive);
	handshake->result.cause = CAUSE_NOTHING_IN_COMMON;
	return -ENOTSUP;
}
