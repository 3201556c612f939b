/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfCrypt's AEADs: on every processor. The key schedule is set up for each record (40 ns) and
 * wiped.
 */
#include "tls/aead.h"
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

static uint32_t aes_key_len(const struct record_key *key)
{
	return key->aead == RECORD_AES_256_GCM ? 32 : 16;
}

static int gcm_seal(const struct aead_cover *cover, uint8_t *body, uint32_t len)
{
	Aes aes;
	int r = wc_AesInit(&aes, NULL, INVALID_DEVID);

	if (r == 0)
		r = wc_AesGcmSetKey(&aes, cover->key->key, aes_key_len(cover->key));
	if (r == 0)
		r = wc_AesGcmEncrypt(&aes, body, body, len, cover->nonce, AEAD_NONCE_LEN,
			body + len, AEAD_TAG_LEN, cover->aad, cover->aad_len);
	wc_AesFree(&aes);
	explicit_bzero(&aes, sizeof aes);
	return r;
}

static int gcm_open(const struct aead_cover *cover, const uint8_t *body, uint32_t len, uint8_t *out,
	uint8_t *last)
{
	Aes aes;
	int r = wc_AesInit(&aes, NULL, INVALID_DEVID);

	if (r == 0 && (len == 0 || last == out + len - 1)) {
		r = wc_AesGcmSetKey(&aes, cover->key->key, aes_key_len(cover->key));
		if (r == 0)
			r = wc_AesGcmDecrypt(&aes, out, body, len, cover->nonce, AEAD_NONCE_LEN,
				body + len, AEAD_TAG_LEN, cover->aad, cover->aad_len);
	} else if (r == 0) {
		r = wc_AesGcmDecryptInit(&aes, cover->key->key, aes_key_len(cover->key),
			cover->nonce, AEAD_NONCE_LEN);
		if (r == 0)
			r = wc_AesGcmDecryptUpdate(
				&aes, out, body, len - 1, cover->aad, cover->aad_len);
		if (r == 0)
			r = wc_AesGcmDecryptUpdate(&aes, last, body + len - 1, 1, NULL, 0);
		if (r == 0)
			r = wc_AesGcmDecryptFinal(&aes, body + len, AEAD_TAG_LEN);
	}
	wc_AesFree(&aes);
	explicit_bzero(&aes, sizeof aes);
	return r;
}

static int chacha_seal(const struct aead_cover *cover, uint8_t *body, uint32_t len)
{
	ChaChaPoly_Aead aead;
	int r = wc_ChaCha20Poly1305_Init(
		&aead, cover->key->key, cover->nonce, CHACHA20_POLY1305_AEAD_ENCRYPT);

	if (r == 0)
		r = wc_ChaCha20Poly1305_UpdateAad(&aead, cover->aad, cover->aad_len);
	if (r == 0)
		r = wc_ChaCha20Poly1305_UpdateData(&aead, body, body, len);
	if (r == 0)
		r = wc_ChaCha20Poly1305_Final(&aead, body + len);
	explicit_bzero(&aead, sizeof aead);
	return r;
}

static int chacha_open(const struct aead_cover *cover, const uint8_t *body, uint32_t len,
	uint8_t *out, uint8_t *last)
{
	ChaChaPoly_Aead aead;
	uint8_t tag[AEAD_TAG_LEN];
	int r = wc_ChaCha20Poly1305_Init(
		&aead, cover->key->key, cover->nonce, CHACHA20_POLY1305_AEAD_DECRYPT);

	if (r == 0)
		r = wc_ChaCha20Poly1305_UpdateAad(&aead, cover->aad, cover->aad_len);
	if (r == 0 && len > 0)
		r = wc_ChaCha20Poly1305_UpdateData(&aead, body, out, len - 1);
	if (r == 0 && len > 0)
		r = wc_ChaCha20Poly1305_UpdateData(&aead, body + len - 1, last, 1);
	if (r == 0)
		r = wc_ChaCha20Poly1305_Final(&aead, tag);
	if (r == 0)
		r = wc_ChaCha20Poly1305_CheckTag(body + len, tag);
	explicit_bzero(&aead, sizeof aead);
	explicit_bzero(tag, sizeof tag);
	return r;
}

static void gather(const struct iovec *iov, size_t offset, size_t len, uint8_t *out)
{
	for (; len > 0; iov++) {
		size_t n;

		if (offset >= iov->iov_len) {
			offset -= iov->iov_len;
			continue;
		}
		n = iov->iov_len - offset < len ? iov->iov_len - offset : len;
		memcpy(out, (const uint8_t *)iov->iov_base + offset, n);
		out += n;
		len -= n;
		offset = 0;
	}
}

static int seal(const struct aead_cover *cover, const struct aead_source *source, uint8_t *body)
{
	size_t len = source->len;

	gather(source->iov, source->offset, len, body);
	if (source->typed)
		body[len++] = source->type;
	return cover->key->aead == RECORD_CHACHA20_POLY1305
		       ? chacha_seal(cover, body, (uint32_t)len)
		       : gcm_seal(cover, body, (uint32_t)len);
}

static int open(const struct aead_cover *cover, const uint8_t *body, size_t len, uint8_t *out,
	uint8_t *last)
{
	return cover->key->aead == RECORD_CHACHA20_POLY1305
		       ? chacha_open(cover, body, (uint32_t)len, out, last)
		       : gcm_open(cover, body, (uint32_t)len, out, last);
}

static void forget(const struct record_key *key)
{
	(void)key; /* nothing is kept of it */
}

const struct aead *aead_wolfcrypt(void)
{
	static const struct aead aead = { "wolfCrypt", seal, open, forget };

	return &aead;
}
