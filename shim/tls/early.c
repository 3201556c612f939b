/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RFC 8446 4.2.10: the server skips what it cannot open, up to the first record that it can, or, if
 * it has asked for another ClientHello, up to that. How much there may be is the wire's to limit.
 */
#include "tls/early.h"
#include "tls/handshake_private.h"
#include "tls/hello.h"
#include "tls/suite.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void early_clear(struct early *early)
{
	free(early->record);
	early->record = NULL;
	early->size = early->have = early->given = 0;
}

static bool make_room(struct early *early, size_t size)
{
	uint8_t *record;

	if (size <= early->size)
		return true;
	record = realloc(early->record, size);
	if (record == NULL)
		return false;
	early->record = record;
	early->size = size;
	return true;
}

/* Of the record in hand; 0: its header is not there yet. */
static size_t whole_len(const struct early *early)
{
	return early->have >= RECORD_HEADER_LEN ? RECORD_HEADER_LEN + record_body_len(early->record)
						: 0;
}

/* What wolfSSL has just been given of the first record. */
static void note_hello(struct early *early, const uint8_t *buf, size_t len)
{
	struct hello hello;
	size_t whole;

	early->seen = early->have + len > RECORD_MAX_LEN || !make_room(early, early->have + len);
	if (!early->seen) {
		memcpy(early->record + early->have, buf, len);
		early->have += len;
	}
	whole = early->seen ? 0 : whole_len(early);
	if (whole > 0 && early->have >= whole) {
		early->seen = true;
		early->skipping = early->record[0] == RECORD_HANDSHAKE &&
				  hello_parse(early->record + RECORD_HEADER_LEN,
					  whole - RECORD_HEADER_LEN, &hello) == 0 &&
				  hello.early_data;
	}
	if (early->seen)
		early_clear(early);
}

/* Whether it is under the key of the client's handshake. Before there is one, the server has asked
 * for another ClientHello. */
static bool opens(const struct tls_handshake *handshake, size_t whole)
{
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));
	const struct tls_secret *secret = &handshake->secrets[SECRET_CLIENT_HANDSHAKE];
	uint8_t *record = handshake->early.record;
	struct record_key key;
	enum record_type type;
	bool ok;

	if (suite == NULL || secret->len == 0 ||
		record_key_from_secret(&key, suite->aead, secret->bytes, secret->len) < 0)
		return false;
	ok = record_open(&key, record, whole, record + RECORD_MAX_LEN, &type) >= 0;
	record_key_clear(&key);
	return ok;
}

/* All of the next record into the hand. 1; or as wire_read(). */
static ssize_t take_record(struct tls_handshake *handshake)
{
	struct early *early = &handshake->early;
	size_t whole = whole_len(early);

	while (early->have < (whole > 0 ? whole : RECORD_HEADER_LEN)) {
		size_t until = whole > 0 ? whole : RECORD_HEADER_LEN;
		ssize_t n = wire_read(
			&handshake->wire, early->record + early->have, until - early->have);

		if (n <= 0)
			return n;
		early->have += (size_t)n;
		whole = whole_len(
			early); /* no more than RECORD_MAX_LEN: wire_read() has seen to it */
	}
	return 1;
}

static ssize_t give(struct early *early, uint8_t *buf, size_t len)
{
	size_t left = early->have - early->given;

	if (len > left)
		len = left;
	memcpy(buf, early->record + early->given, len);
	early->given += len;
	if (early->given < early->have)
		return (ssize_t)len;
	early->have = early->given = 0;
	if (early->last) {
		early->skipping = false;
		early_clear(early);
	}
	return (ssize_t)len;
}

ssize_t early_read(struct tls_handshake *handshake, uint8_t *buf, size_t len)
{
	struct early *early = &handshake->early;
	ssize_t n;

	if (!early->skipping) {
		n = wire_read(&handshake->wire, buf, len);
		if (n > 0 && !early->seen)
			note_hello(early, buf, (size_t)n);
		return n;
	}
	/* For a record, and for its plaintext behind it. */
	if (!make_room(early, 2 * RECORD_MAX_LEN))
		return handshake->wire.error = -ENOMEM;
	while (early->given == 0) {
		n = take_record(handshake);
		if (n <= 0)
			return n;
		early->last = early->record[0] == RECORD_HANDSHAKE || opens(handshake, early->have);
		if (early->last || early->record[0] != RECORD_APPLICATION_DATA)
			break;
		early->have = 0;
	}
	return give(early, buf, len);
}
