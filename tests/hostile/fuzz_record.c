/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records from a peer. First byte: kind of key and where the plaintext goes; the rest is a record
 * as it came, or, since nobody guesses a tag, the inner plaintext of a record that authenticates.
 */
#include "fuzz.h"
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

static void open_one(struct record_key key, const uint8_t *data, size_t len, bool in_place)
{
	struct record_header header;
	uint8_t *record, *out;
	enum record_type type;
	ssize_t n;

	if (record_parse_header(&key, data, len, &header) != 0)
		return;
	record = malloc(len);
	memcpy(record, data, len);
	out = in_place ? record + RECORD_HEADER_LEN
		       : malloc(record_plaintext_max(&key, header.length) + 1);
	n = record_open(&key, record, len, out, &type);
	if (n > RECORD_MAX_PLAINTEXT ||
		(n >= 0 && (size_t)n > record_plaintext_max(&key, header.length)))
		abort();
	if (!in_place)
		free(out);
	free(record);
}

/* Type 0 is one more byte of padding: so the last bytes of `data` are padding, type and content. */
static void open_sealed(struct record_key key, const uint8_t *data, size_t len, bool in_place)
{
	struct record_key sender = key;
	struct iovec iov = { (void *)(uintptr_t)data, len };
	uint8_t *record = malloc(len + record_overhead(&key));
	ssize_t n = record_seal(&sender, 0, &iov, 0, len, record);

	if (n > 0)
		open_one(key, record, (size_t)n, in_place);
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
