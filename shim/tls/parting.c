/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL ends some handshakes without a word, others with two alerts, and it has one for all that
 * is wrong with a certificate. So its alerts do not go out: the alert is made here, with the record
 * layer, from the secrets that wolfSSL has told us of.
 */
#include "tls/alert.h"
#include "tls/handshake_private.h"
#include "tls/suite.h"
#include <errno.h>

#include <wolfssl/internal.h>

static int description_for(const struct tls_handshake *handshake, int r)
{
	if (handshake->alert != 0)
		return handshake->alert;
	if (handshake->wolfssl_alert >= 0)
		return handshake->wolfssl_alert;
	return r == -EPROTO || r == -EKEYREJECTED ? ALERT_HANDSHAKE_FAILURE : ALERT_INTERNAL_ERROR;
}

/*
 * TLS 1.3: a client writes with its handshake secret up to its Finished, with which the handshake
 * ends; a server with its own, and from its Finished on with that of the application's data, of
 * which it has sent none. -ENOENT: nothing is protected yet.
 */
static int current_key(const struct tls_handshake *handshake, struct record_key *key)
{
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));
	bool client = handshake->context->role == TLS_CLIENT;
	bool finished = !client && handshake->secrets[SECRET_SERVER_TRAFFIC].len > 0;
	const struct tls_secret *secret = &handshake->secrets[client     ? SECRET_CLIENT_HANDSHAKE
							      : finished ? SECRET_SERVER_TRAFFIC
									 : SECRET_SERVER_HANDSHAKE];
	int r;

	if (suite == NULL || secret->len == 0)
		return -ENOENT;
	r = record_key_from_secret(key, suite->aead, secret->bytes, secret->len);
	key->seq = finished ? 0 : handshake->wire.sealed;
	return r;
}

/* TLS 1.2 behind our Finished. */
static ssize_t seal_tls12(struct tls_handshake *handshake, struct record_key *key,
	const struct iovec *iov, uint8_t *record)
{
	if (handshake_send_key(handshake, key) < 0)
		return -ENOENT;
	return record_seal(key, RECORD_ALERT, iov, 0, iov->iov_len, record);
}

void parting_alert(struct tls_handshake *handshake, int r)
{
	struct tls_result *result = &handshake->result;
	uint8_t body[2] = { 2 /* fatal */, (uint8_t)description_for(handshake, r) };
	uint8_t record[64] = { RECORD_ALERT, 3, 3, 0, sizeof body, body[0], body[1] };
	const struct wire *wire = &handshake->wire;
	struct iovec iov = { body, sizeof body };
	ssize_t len = RECORD_HEADER_LEN + sizeof body;
	struct record_key key = { 0 };
	int found;

	if (result->alert_sent >= 0 || result->alert_received >= 0 || wire->not_tls || wire->eof ||
		(wire->error != 0 && wire->fault.text == NULL))
		return;
	found = current_key(handshake, &key);
	if (found == 0)
		len = record_seal(&key, RECORD_ALERT, &iov, 0, sizeof body, record);
	else if (wolfSSL_version(handshake->ssl) == RECORD_TLS12 &&
		 IsEncryptionOn(handshake->ssl, 1))
		len = seal_tls12(handshake, &key, &iov, record);
	record_key_clear(&key);
	if (len > 0 && wire_write(&handshake->wire, record, (size_t)len) == 0)
		result->alert_sent = body[1];
}
