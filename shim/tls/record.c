/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sealing and opening. Both versions and all three AEADs come down to one construction: the nonce
 * is iv XOR sequence number. TLS 1.2 with GCM sends the last eight bytes of it along, and there
 * they start where the handshake's Finished left off (tls_handshake_keys() says how), so that no
 * nonce is used twice under one key. What an AEAD makes of a key stays with the AEAD: so a key
 * holds no pointers, and may be shared by processes.
 */
#include "tls/record.h"

#include "tls/aead.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define EXPLICIT_LEN 8 /* RFC 5288 3: nonce_explicit */

static size_t explicit_len(const struct record_key *key)
{
	return key->version == RECORD_TLS12 && key->aead != RECORD_CHACHA20_POLY1305 ? EXPLICIT_LEN
										     : 0;
}

/* RFC 8446 5.2: the content type at the end of the inner plaintext. */
static size_t inner_type_len(const struct record_key *key)
{
	return key->version == RECORD_TLS13 ? 1 : 0;
}

static void put_be16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_be64(uint8_t *at, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		at[i] = (uint8_t)value;
}

size_t record_seal_most(const struct record_key *key)
{
	return key->plaintext_most != 0 ? key->plaintext_most : RECORD_MAX_PLAINTEXT;
}

size_t record_overhead(const struct record_key *key)
{
	return RECORD_HEADER_LEN + explicit_len(key) + AEAD_TAG_LEN + inner_type_len(key);
}

/* RFC 8446 5.2: 2^14 + 256, padding included. TLS 1.2 has no padding, so its AEADs add what they
 * add and no more. */
static size_t ciphertext_max(const struct record_key *key)
{
	return key->version == RECORD_TLS13
		       ? RECORD_MAX_CIPHERTEXT
		       : RECORD_MAX_PLAINTEXT + explicit_len(key) + AEAD_TAG_LEN;
}

static bool type_known(unsigned type)
{
	return type >= RECORD_ALERT && type <= RECORD_APPLICATION_DATA;
}

int record_parse_header(
	const struct record_key *key, const uint8_t *buf, size_t len, struct record_header *out)
{
	bool tls13 = key->version == RECORD_TLS13;

	if (len < RECORD_HEADER_LEN)
		return -EAGAIN;
	out->type = buf[0];
	out->length = record_body_len(buf);
	/* RFC 8446 5.1: the minor version means nothing any more. TLS 1.2 authenticates it. */
	if (buf[1] != 3 || (!tls13 && buf[2] != 3))
		return -EPROTO;
	/* 5: a ChangeCipherSpec has no place behind the handshake. */
	if (tls13 && out->type != RECORD_APPLICATION_DATA)
		return -EPROTO;
	if (!tls13 && !type_known(out->type))
		return -EPROTO;
	return out->length <= ciphertext_max(key) ? 0 : -EMSGSIZE;
}

size_t record_plaintext_max(const struct record_key *key, size_t length)
{
	size_t added = record_overhead(key) - RECORD_HEADER_LEN;

	return length > added ? length - added : 0;
}

/* `record` begins with the header; `type` and `plaintext_len` are what TLS 1.2 authenticates (RFC
 * 5246 6.2.3.3). */
static void cover_init(struct aead_cover *cover, const struct record_key *key,
	const uint8_t *record, uint8_t type, size_t plaintext_len)
{
	uint8_t seq[8];

	put_be64(seq, key->seq);
	cover->key = key;
	memcpy(cover->nonce, key->iv, AEAD_NONCE_LEN);
	for (int i = 0; i < 8; i++)
		cover->nonce[4 + i] ^= seq[i];
	if (key->version == RECORD_TLS13) {
		memcpy(cover->aad, record, RECORD_HEADER_LEN);
		cover->aad_len = RECORD_HEADER_LEN;
		return;
	}
	memcpy(cover->aad, seq, 8);
	cover->aad[8] = type;
	put_be16(cover->aad + 9, RECORD_TLS12);
	put_be16(cover->aad + 11, plaintext_len);
	cover->aad_len = AEAD_AAD_MAX;
}

/* Past the limit there is room for what has to be said then: a KeyUpdate, an alert. */
static uint64_t seal_limit(const struct record_key *key)
{
	bool limited = key->version == RECORD_TLS13 && key->aead != RECORD_CHACHA20_POLY1305;

	return limited ? RECORD_GCM_LIMIT + RECORD_GCM_SPARE : UINT64_MAX;
}

ssize_t record_seal(struct record_key *key, enum record_type type, const struct iovec *iov,
	size_t offset, size_t len, uint8_t *out)
{
	bool tls13 = key->version == RECORD_TLS13;
	uint8_t *body = out + RECORD_HEADER_LEN + explicit_len(key);
	const struct aead_source source = { iov, offset, len, (uint8_t)type, tls13 };
	struct aead_cover cover;
	int r;

	if (len > record_seal_most(key))
		return -EINVAL;
	if (key->seq >= seal_limit(key))
		return -EOVERFLOW;
	out[0] = tls13 ? RECORD_APPLICATION_DATA : (uint8_t)type;
	put_be16(out + 1, RECORD_TLS12);
	put_be16(out + 3, len + record_overhead(key) - RECORD_HEADER_LEN);
	cover_init(&cover, key, out, (uint8_t)type, len);
	memcpy(out + RECORD_HEADER_LEN, cover.nonce + AEAD_NONCE_LEN - EXPLICIT_LEN,
		explicit_len(key));
	r = aead_chosen()->seal(&cover, &source, body);
	if (r != 0) {
		/* Plaintext may stand in the buffer that is meant for the network. */
		explicit_bzero(out, len + record_overhead(key));
		return -EIO;
	}
	key->seq++;
	return (ssize_t)(len + record_overhead(key));
}

/* RFC 8446 5.4: the type is the last byte that is not zero. `last` follows the `len` bytes in out.
 */
static ssize_t strip_padding(const uint8_t *out, size_t len, uint8_t last, enum record_type *type)
{
	/* RFC 8446 5.4: the inner plaintext is at most 2^14 + 1, with its padding. */
	if (len > RECORD_MAX_PLAINTEXT)
		return -EMSGSIZE;
	while (last == 0 && len > 0)
		last = out[--len];
	if (!type_known(last))
		return -EPROTO;
	*type = last;
	return (ssize_t)len;
}

static ssize_t open_tls13(struct record_key *key, const uint8_t *record, size_t body_len,
	uint8_t *out, enum record_type *type)
{
	const uint8_t *body = record + RECORD_HEADER_LEN;
	struct aead_cover cover;
	uint8_t aside = 0;
	uint8_t *last = out == body ? out + body_len - 1 : &aside;

	if (record[0] != RECORD_APPLICATION_DATA)
		return -EPROTO;
	if (body_len == 0)
		return -EPROTO;
	cover_init(&cover, key, record, 0, 0);
	if (aead_chosen()->open(&cover, body, body_len, out, last) != 0)
		return -EBADMSG;
	return strip_padding(out, body_len - 1, *last, type);
}

static ssize_t open_tls12(struct record_key *key, const uint8_t *record, size_t body_len,
	uint8_t *out, enum record_type *type)
{
	size_t lead = explicit_len(key);
	const uint8_t *body = record + RECORD_HEADER_LEN + lead;
	/* In place the plaintext starts before its ciphertext: the AEADs can do "at the same
	 * place", but not "overlapping". */
	uint8_t *at = out == record + RECORD_HEADER_LEN ? out + lead : out;
	struct aead_cover cover;

	cover_init(&cover, key, record, record[0], body_len);
	memcpy(cover.nonce + AEAD_NONCE_LEN - EXPLICIT_LEN, record + RECORD_HEADER_LEN, lead);
	if (aead_chosen()->open(
		    &cover, body, body_len, at, body_len > 0 ? at + body_len - 1 : at) != 0) {
		explicit_bzero(at, body_len);
		return -EBADMSG;
	}
	if (at != out)
		memmove(out, at, body_len);
	*type = record[0];
	return (ssize_t)body_len;
}

ssize_t record_open(struct record_key *key, const uint8_t *record, size_t record_len, uint8_t *out,
	enum record_type *type)
{
	size_t lead = explicit_len(key);
	enum record_type found = RECORD_APPLICATION_DATA;
	struct record_header header;
	size_t body_len;
	ssize_t n;

	if (record_parse_header(key, record, record_len, &header) != 0 ||
		record_len != RECORD_HEADER_LEN + (size_t)header.length)
		return -EPROTO;
	if (key->seq == UINT64_MAX)
		return -EOVERFLOW;
	if (header.length < lead + AEAD_TAG_LEN)
		return -EBADMSG;
	body_len = header.length - lead - AEAD_TAG_LEN;
	n = key->version == RECORD_TLS13 ? open_tls13(key, record, body_len, out, &found)
					 : open_tls12(key, record, body_len, out, &found);
	/* RFC 8446 5.4, RFC 5246 6.2.1: only application data may be empty. */
	if (n == 0 && found != RECORD_APPLICATION_DATA)
		n = -EPROTO;
	if (n < 0) {
		explicit_bzero(out, record_plaintext_max(key, header.length));
		return n;
	}
	*type = found;
	key->seq++;
	return n;
}
