/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a record key: from a traffic secret (RFC 8446 7.3), to the next one (7.2), how long
 * it lasts (5.5), wiped. */
#include "tls/record.h"

#include "tls/aead.h"

#include <errno.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/kdf.h>

_Static_assert(
	sizeof(struct record_key) <= 128, "the place of a key in memory that processes share");

static int expand(const struct record_key *key, const char *label, uint8_t *out, size_t len)
{
	static const char protocol[] = "tls13 ";
	int digest = key->hash_len == 48 ? WC_SHA384 : WC_SHA256;

	return wc_Tls13_HKDF_Expand_Label(out, (word32)len, key->secret, key->hash_len,
		       (const byte *)protocol, sizeof protocol - 1, (const byte *)label,
		       (word32)strlen(label), NULL, 0, digest) == 0
		       ? 0
		       : -EIO;
}

static int derive(struct record_key *key)
{
	int r;

	key->seq = 0;
	r = expand(key, "key", key->key, key->aead == RECORD_AES_128_GCM ? 16 : 32);
	return r == 0 ? expand(key, "iv", key->iv, sizeof key->iv) : r;
}

int record_key_from_secret(
	struct record_key *key, enum record_aead aead, const uint8_t *secret, size_t secret_len)
{
	if (secret_len != 32 && secret_len != RECORD_MAX_SECRET)
		return -EINVAL;
	memset(key, 0, sizeof *key);
	key->version = RECORD_TLS13;
	key->aead = (uint8_t)aead;
	key->hash_len = (uint8_t)secret_len;
	memcpy(key->secret, secret, secret_len);
	return derive(key);
}

int record_key_update(struct record_key *key)
{
	uint8_t next[RECORD_MAX_SECRET];
	int r;

	if (key->version != RECORD_TLS13)
		return -EPROTO;
	r = expand(key, "traffic upd", next, key->hash_len);
	if (r == 0) {
		record_key_forget(key);
		memcpy(key->secret, next, key->hash_len);
		r = derive(key);
	}
	explicit_bzero(next, sizeof next);
	return r;
}

/*
 * RFC 8446 5.5 binds TLS 1.3, which can change keys. TLS 1.2 cannot: there the sequence number is
 * the limit (RFC 5246 6.1), as closing a long-lived connection in mid-stream would be worse than a
 * bound that holds for full-size records only.
 */
uint64_t record_key_left(const struct record_key *key)
{
	uint64_t max = key->version == RECORD_TLS13 && key->aead != RECORD_CHACHA20_POLY1305
			       ? RECORD_GCM_LIMIT
			       : UINT64_MAX;

	return key->seq < max ? max - key->seq : 0;
}

void record_key_forget(const struct record_key *key)
{
	aead_chosen()->forget(key);
}

void record_key_clear(struct record_key *key)
{
	record_key_forget(key);
	explicit_bzero(key, sizeof *key);
}
