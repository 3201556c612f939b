/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_reference.h"
#include "tls/aead.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void use_wolfcrypt(void)
{
	aead_choose(aead_wolfcrypt());
}

static void use_ipsec_mb(void)
{
	aead_choose(aead_ipsec_mb());
}

static void add_case(
	Suite *suite, const struct aead *aead, void (*use)(void), void (*add)(TCase *tcase))
{
	TCase *tcase = tcase_create(aead->name);

	tcase_add_checked_fixture(tcase, use, NULL);
	add(tcase);
	suite_add_tcase(suite, tcase);
}

void reference_add_each_aead(Suite *suite, void (*add)(TCase *tcase))
{
	add_case(suite, aead_wolfcrypt(), use_wolfcrypt, add);
	if (aead_ipsec_mb() != NULL)
		add_case(suite, aead_ipsec_mb(), use_ipsec_mb, add);
}

size_t reference_hex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

struct record_key reference_key(uint16_t version, enum record_aead aead)
{
	size_t hash_len = aead == RECORD_AES_256_GCM ? 48 : 32;
	uint8_t secret[48];
	struct record_key key;

	for (size_t i = 0; i < sizeof secret; i++)
		secret[i] = (uint8_t)(0x40 + i);
	if (version == RECORD_TLS13) {
		ck_assert_int_eq(record_key_from_secret(&key, aead, secret, hash_len), 0);
		return key;
	}
	memset(&key, 0, sizeof key);
	key.version = version;
	key.aead = (uint8_t)aead;
	memcpy(key.key, secret, sizeof key.key);
	memcpy(key.iv, secret + 20, sizeof key.iv);
	return key;
}

static const EVP_CIPHER *cipher_for(const struct record_key *key)
{
	if (key->aead == RECORD_CHACHA20_POLY1305)
		return EVP_chacha20_poly1305();
	return key->aead == RECORD_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
}

static void encrypt(const struct record_key *key, const uint8_t *nonce, const uint8_t *aad,
	int aad_len, uint8_t *body, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	ck_assert_int_eq(EVP_EncryptInit_ex(ctx, cipher_for(key), NULL, key->key, nonce), 1);
	ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &n, aad, aad_len), 1);
	if (len > 0)
		ck_assert_int_eq(EVP_EncryptUpdate(ctx, body, &n, body, (int)len), 1);
	ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, body + len, &n), 1);
	ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, body + len), 1);
	EVP_CIPHER_CTX_free(ctx);
}

size_t reference_seal(const struct record_key *key, unsigned type, const uint8_t *plain, size_t len,
	size_t padding, uint8_t *out)
{
	bool tls13 = key->version == RECORD_TLS13;
	size_t lead = !tls13 && key->aead != RECORD_CHACHA20_POLY1305 ? 8 : 0;
	size_t inner = len + (tls13 ? 1 + padding : 0), length = lead + inner + 16;
	uint8_t nonce[12], aad[13], *body = out + 5 + lead;

	memcpy(nonce, key->iv, sizeof nonce);
	for (int i = 0; i < 8; i++) {
		aad[i] = (uint8_t)(key->seq >> (56 - 8 * i));
		nonce[4 + i] ^= aad[i];
	}
	out[0] = tls13 ? 23 : (uint8_t)type;
	out[1] = out[2] = 3;
	out[3] = (uint8_t)(length >> 8);
	out[4] = (uint8_t)length;
	memcpy(out + 5, nonce + 4, lead);
	memcpy(body, plain, len);
	if (tls13) {
		body[len] = (uint8_t)type;
		memset(body + len + 1, 0, padding);
		encrypt(key, nonce, out, 5, body, inner);
		return 5 + length;
	}
	aad[8] = (uint8_t)type;
	aad[9] = aad[10] = 3;
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	encrypt(key, nonce, aad, 13, body, inner);
	return 5 + length;
}

/* RFC 8446 7.1; what is wanted here is never longer than the hash. */
static void expand(const struct record_key *key, const uint8_t *secret, const char *label,
	uint8_t *out, size_t len)
{
	const EVP_MD *md = key->hash_len == 48 ? EVP_sha384() : EVP_sha256();
	uint8_t info[64] = { 0, (uint8_t)len, (uint8_t)(6 + strlen(label)) },
		block[EVP_MAX_MD_SIZE];
	size_t n = 3;

	memcpy(info + n, "tls13 ", 6);
	memcpy(info + n + 6, label, strlen(label));
	n += 6 + strlen(label);
	info[n++] = 0;
	info[n++] = 1;
	ck_assert_ptr_nonnull(HMAC(md, secret, key->hash_len, info, n, block, NULL));
	memcpy(out, block, len);
}

void reference_update(struct record_key *key)
{
	uint8_t next[RECORD_MAX_SECRET];

	expand(key, key->secret, "traffic upd", next, key->hash_len);
	memcpy(key->secret, next, key->hash_len);
	expand(key, key->secret, "key", key->key, key->aead == RECORD_AES_128_GCM ? 16 : 32);
	expand(key, key->secret, "iv", key->iv, sizeof key->iv);
	key->seq = 0;
}
