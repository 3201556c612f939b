/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libipsec-mb's AEADs for processors with VAES and AVX-512, where they are four times as fast as
 * others; its code for older ones is not faster than wolfCrypt's. What is sealed is encrypted on
 * its way from the program's memory, without a copy before.
 */
#include "tls/aead.h"

#include "tls/gcm_keys.h"
#include "tls/processor.h"

#include <string.h>

/* The functions for a length of key. */
struct gcm {
	__typeof__(&aes_gcm_dec_128_vaes_avx512) dec;
	__typeof__(&aes_gcm_init_128_vaes_avx512) init;
	__typeof__(&aes_gcm_enc_128_update_vaes_avx512) enc_update, dec_update;
	__typeof__(&aes_gcm_enc_128_finalize_vaes_avx512) enc_finalize, dec_finalize;
};

static const struct gcm *gcm_of(const struct record_key *key)
{
	static const struct gcm gcm_128 = { aes_gcm_dec_128_vaes_avx512,
		aes_gcm_init_128_vaes_avx512, aes_gcm_enc_128_update_vaes_avx512,
		aes_gcm_dec_128_update_vaes_avx512, aes_gcm_enc_128_finalize_vaes_avx512,
		aes_gcm_dec_128_finalize_vaes_avx512 };
	static const struct gcm gcm_256 = { aes_gcm_dec_256_vaes_avx512,
		aes_gcm_init_256_vaes_avx512, aes_gcm_enc_256_update_vaes_avx512,
		aes_gcm_dec_256_update_vaes_avx512, aes_gcm_enc_256_finalize_vaes_avx512,
		aes_gcm_dec_256_finalize_vaes_avx512 };

	return key->aead == RECORD_AES_256_GCM ? &gcm_256 : &gcm_128;
}

/* What is sealed, piece by piece; none is empty. */
struct pieces {
	const struct iovec *iov;
	size_t offset, left;
};

static const uint8_t *next_piece(struct pieces *pieces, size_t *len)
{
	const uint8_t *at;

	while (pieces->offset >= pieces->iov->iov_len) {
		pieces->offset -= pieces->iov->iov_len;
		pieces->iov++;
	}
	at = (const uint8_t *)pieces->iov->iov_base + pieces->offset;
	*len = pieces->iov->iov_len - pieces->offset;
	if (*len > pieces->left)
		*len = pieces->left;
	pieces->offset += *len;
	pieces->left -= *len;
	return at;
}

static bool tags_differ(const uint8_t *a, const uint8_t *b)
{
	uint8_t difference = 0;

	for (size_t i = 0; i < AEAD_TAG_LEN; i++)
		difference |= a[i] ^ b[i];
	return difference != 0;
}

static void gcm_seal(
	const struct aead_cover *cover, const struct aead_source *source, uint8_t *body)
{
	const struct gcm *gcm = gcm_of(cover->key);
	struct pieces pieces = { source->iov, source->offset, source->len };
	struct gcm_context_data context;
	struct gcm_key key;

	gcm_key_take(cover->key, &key);
	gcm->init(key.data, &context, cover->nonce, cover->aad, cover->aad_len);
	for (size_t len; pieces.left > 0; body += len) {
		const uint8_t *piece = next_piece(&pieces, &len);

		gcm->enc_update(key.data, &context, body, piece, len);
	}
	if (source->typed)
		gcm->enc_update(key.data, &context, body++, &source->type, 1);
	gcm->enc_finalize(key.data, &context, body, AEAD_TAG_LEN);
	gcm_key_give(&key);
	explicit_bzero(&context, sizeof(context));
}

static void gcm_open(const struct aead_cover *cover, const uint8_t *body, size_t len, uint8_t *out,
	uint8_t *last, uint8_t *tag)
{
	const struct gcm *gcm = gcm_of(cover->key);
	struct gcm_context_data context;
	struct gcm_key key;

	gcm_key_take(cover->key, &key);
	if (len == 0 || last == out + len - 1) {
		gcm->dec(key.data, &context, out, body, len, cover->nonce, cover->aad,
			cover->aad_len, tag, AEAD_TAG_LEN);
	} else {
		gcm->init(key.data, &context, cover->nonce, cover->aad, cover->aad_len);
		if (len > 1)
			gcm->dec_update(key.data, &context, out, body, len - 1);
		gcm->dec_update(key.data, &context, last, body + len - 1, 1);
		gcm->dec_finalize(key.data, &context, tag, AEAD_TAG_LEN);
	}
	gcm_key_give(&key);
	explicit_bzero(&context, sizeof(context));
}

static void chacha_seal(
	const struct aead_cover *cover, const struct aead_source *source, uint8_t *body)
{
	struct pieces pieces = { source->iov, source->offset, source->len };
	struct chacha20_poly1305_context_data context;
	const uint8_t *key = cover->key->key;

	init_chacha20_poly1305_fma_avx512(key, &context, cover->nonce, cover->aad, cover->aad_len);
	for (size_t len; pieces.left > 0; body += len) {
		const uint8_t *piece = next_piece(&pieces, &len);

		update_enc_chacha20_poly1305_fma_avx512(key, &context, body, piece, len);
	}
	if (source->typed)
		update_enc_chacha20_poly1305_fma_avx512(key, &context, body++, &source->type, 1);
	finalize_chacha20_poly1305_fma_avx512(&context, body, AEAD_TAG_LEN);
	explicit_bzero(&context, sizeof(context));
}

static void chacha_open(const struct aead_cover *cover, const uint8_t *body, size_t len,
	uint8_t *out, uint8_t *last, uint8_t *tag)
{
	struct chacha20_poly1305_context_data context;
	const uint8_t *key = cover->key->key;

	init_chacha20_poly1305_fma_avx512(key, &context, cover->nonce, cover->aad, cover->aad_len);
	if (len > 1)
		update_dec_chacha20_poly1305_fma_avx512(key, &context, out, body, len - 1);
	if (len > 0)
		update_dec_chacha20_poly1305_fma_avx512(key, &context, last, body + len - 1, 1);
	finalize_chacha20_poly1305_fma_avx512(&context, tag, AEAD_TAG_LEN);
	explicit_bzero(&context, sizeof(context));
}

static int seal(const struct aead_cover *cover, const struct aead_source *source, uint8_t *body)
{
	if (cover->key->aead == RECORD_CHACHA20_POLY1305)
		chacha_seal(cover, source, body);
	else
		gcm_seal(cover, source, body);
	return 0;
}

static int open(const struct aead_cover *cover, const uint8_t *body, size_t len, uint8_t *out,
	uint8_t *last)
{
	uint8_t tag[AEAD_TAG_LEN];
	int r;

	if (cover->key->aead == RECORD_CHACHA20_POLY1305)
		chacha_open(cover, body, len, out, last, tag);
	else
		gcm_open(cover, body, len, out, last, tag);
	r = tags_differ(tag, body + len);
	explicit_bzero(tag, sizeof(tag)); /* which would authenticate what was made up */
	return r;
}

static void forget(const struct record_key *key)
{
	if (key->aead != RECORD_CHACHA20_POLY1305)
		gcm_key_forget(key);
}

const struct aead *aead_ipsec_mb(void)
{
	static const struct aead aead = { "libipsec-mb", seal, open, forget };
	static const unsigned needed[] = { x86_cpu_AES, x86_cpu_VAES, x86_cpu_VPCLMULQDQ,
		x86_cpu_GFNI, x86_cpu_BMI2, x86_cpu_AVX2, x86_cpu_AVX512F, x86_cpu_AVX512BW,
		x86_cpu_AVX512CD, x86_cpu_AVX512DQ, x86_cpu_AVX512VL, x86_cpu_AVX512_IFMA };

	return processor_has(needed, sizeof(needed) / sizeof(*needed)) ? &aead : NULL;
}
