/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records from a peer. First byte: kind of key and where the plaintext goes; the rest is a record
 * as it came, or, since nobody guesses a tag, the inner plaintext of a record that authenticates.
 * All AEAD implementations have to agree on what it is.
 */
#include "fuzz.h"
#include "tls/aead.h"
#include "tls/record.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct record_key key_for(unsigned choice)
{
	static const uint8_t secret[48] = { 1, 2, 3 };
	enum record_aead aead = choice % 3;
	struct record_key key;

	if (record_key_from_secret(&key, aead, secret, aead == RECORD_AES_256_GCM ? 48 : 32) != 0)
		abort();
	if (choice / 3 % 2 != 0)
		key.version = RECORD_TLS12;
	return key;
}

/* What became of a record. */
struct outcome {
	ssize_t n;
	enum record_type type;
	uint8_t *content; /* NULL: none */
};

static struct outcome open_with(const struct aead *aead, struct record_key key, const uint8_t *data,
	size_t len, size_t room, bool in_place)
{
	uint8_t *record = malloc(len);
	uint8_t *out = in_place ? record + RECORD_HEADER_LEN : malloc(room + 1);
	struct outcome outcome = { 0 };

	memcpy(record, data, len);
	aead_choose(aead);
	outcome.n = record_open(&key, record, len, out, &outcome.type);
	if (outcome.n > RECORD_MAX_PLAINTEXT || (outcome.n >= 0 && (size_t)outcome.n > room))
		abort();
	if (outcome.n > 0) {
		outcome.content = malloc((size_t)outcome.n);
		memcpy(outcome.content, out, (size_t)outcome.n);
	}
	if (!in_place)
		free(out);
	free(record);
	return outcome;
}

static void open_one(struct record_key key, const uint8_t *data, size_t len, bool in_place)
{
	struct record_header header;
	struct outcome wolfcrypt, other;
	size_t room;

	if (record_parse_header(&key, data, len, &header) != 0)
		return;
	room = record_plaintext_max(&key, header.length);
	wolfcrypt = open_with(aead_wolfcrypt(), key, data, len, room, in_place);
	if (aead_ipsec_mb() != NULL) {
		other = open_with(aead_ipsec_mb(), key, data, len, room, in_place);
		if (other.n != wolfcrypt.n || (other.n >= 0 && other.type != wolfcrypt.type) ||
			(other.n > 0 &&
				memcmp(other.content, wolfcrypt.content, (size_t)other.n) != 0))
			abort();
		free(other.content);
	}
	free(wolfcrypt.content);
}

/* Type 0 is one more byte of padding: so the last bytes of `data` are padding, type and content. */
static void open_sealed(struct record_key key, const uint8_t *data, size_t len, bool in_place)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct record_key sender = key, again = key;
	size_t room = len + record_overhead(&key);
	uint8_t *record = malloc(room), *same = malloc(room);
	ssize_t n;

	aead_choose(aead_wolfcrypt());
	n = record_seal(&sender, 0, &iov, 0, len, record);
	if (aead_ipsec_mb() != NULL) {
		aead_choose(aead_ipsec_mb());
		if (record_seal(&again, 0, &iov, 0, len, same) != n ||
			(n > 0 && memcmp(record, same, (size_t)n) != 0))
			abort();
	}
	if (n > 0)
		open_one(key, record, (size_t)n, in_place);
	free(same);
	free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	bool in_place;

	if (len < 1)
		return 0;
	in_place = (data[0] & 0x80) != 0;
	if ((data[0] & 0x40) != 0)
		open_sealed(key_for(data[0] & 0x3f), data + 1, len - 1, in_place);
	else
		open_one(key_for(data[0] & 0x3f), data + 1, len - 1, in_place);
	return 0;
}
