/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The peer's first message, looked at before wolfSSL sees it: a server's choice of a certificate
 * hangs on it, and there are things in it that wolfSSL would take. */
#include "tls/handshake_private.h"
#include "tls/hello_reply.h"
#include "tls/vector.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_MAX 65536 /* none that is meant is longer */

static bool is_whole(struct x509_bytes message)
{
	struct x509_bytes body;
	size_t type;

	return vector_take_number(&message, 1, &type) && vector_take_vector(&message, 3, &body);
}

int hello_take(struct tls_handshake *handshake)
{
	struct wire *wire = &handshake->wire;

	while (!is_whole((struct x509_bytes){ handshake->hello, handshake->hello_len })) {
		const uint8_t *record;
		uint8_t *hello;
		size_t len;
		int r = wire_read_ahead(wire, &record, &len);

		if (r <= 0)
			return r == -EAGAIN ? r : -EBADMSG;
		len -= RECORD_HEADER_LEN;
		if (record[0] != RECORD_HANDSHAKE || handshake->hello_len + len > HELLO_MAX)
			return -EBADMSG;
		hello = realloc(handshake->hello, handshake->hello_len + len + 1);
		if (hello == NULL)
			return -EBADMSG;
		memcpy(hello + handshake->hello_len, record + RECORD_HEADER_LEN, len);
		handshake->hello = hello;
		handshake->hello_len += len;
	}
	/* RFC 8446 5.1: it may come in pieces of any size. wolfSSL takes none that is shorter than
	 * a message's head. */
	if (wire->ahead_end > RECORD_HEADER_LEN + handshake->hello_len &&
		handshake->hello_len <= RECORD_MAX_PLAINTEXT)
		wire_join_ahead(wire, handshake->hello, handshake->hello_len);
	return 0;
}

void hello_drop(struct tls_handshake *handshake)
{
	free(handshake->hello);
	free(handshake->own_hello);
	handshake->hello = handshake->own_hello = NULL;
	handshake->hello_len = handshake->own_hello_len = 0;
}

void hello_note_own(struct tls_handshake *handshake, const uint8_t *record, size_t len)
{
	if (handshake->own_hello != NULL || len < RECORD_HEADER_LEN)
		return;
	len -= RECORD_HEADER_LEN;
	handshake->own_hello = malloc(len + 1);
	if (handshake->own_hello == NULL)
		return;
	memcpy(handshake->own_hello, record + RECORD_HEADER_LEN, len);
	handshake->own_hello_len = len;
}

int hello_check_reply(struct tls_handshake *handshake)
{
	const struct why why = { handshake->result.reason, sizeof handshake->result.reason,
		&handshake->result.cause };
	int r = wire_flush(&handshake->wire);

	if (r != -EAGAIN)
		r = hello_take(handshake);
	if (r == -EAGAIN)
		return r;
	handshake->looking = false;
	/* What is no ServerHello is wolfSSL's to refuse. */
	if (r == 0)
		handshake->alert = hello_reply_check(
			(struct x509_bytes){ handshake->own_hello, handshake->own_hello_len },
			(struct x509_bytes){ handshake->hello, handshake->hello_len }, &why);
	hello_drop(handshake);
	return handshake->alert != 0 ? -EPROTO : 0;
}
