/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/kernel_info.h"

#include <stdint.h>
#include <string.h>

static void put_be64(uint8_t *at, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		at[i] = (uint8_t)value;
}

/*
 * TLS 1.2 with GCM sends eight bytes of the nonce along, which the kernel counts up from those that
 * it is given, while ours are (their beginning XOR sequence number). So that no nonce comes twice
 * under one key, the kernel begins where their first bit is the other one.
 */
static void put_nonce(const struct record_key *key, uint8_t *iv, size_t len)
{
	if (key->version == RECORD_TLS13) {
		memcpy(iv, key->iv + sizeof(key->iv) - len, len);
		return;
	}
	memset(iv, 0, len);
	iv[0] = (uint8_t)((key->iv[sizeof(key->iv) - len] & 0x80) ^ 0x80);
}

size_t kernel_info_fill(const struct record_key *key, union kernel_info *out)
{
	memset(out, 0, sizeof(*out));
	out->info.version = key->version;
	switch ((enum record_aead)key->aead) {
	case RECORD_AES_128_GCM:
		out->info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(out->aes_128_gcm.salt, key->iv, sizeof(out->aes_128_gcm.salt));
		put_nonce(key, out->aes_128_gcm.iv, sizeof(out->aes_128_gcm.iv));
		memcpy(out->aes_128_gcm.key, key->key, sizeof(out->aes_128_gcm.key));
		put_be64(out->aes_128_gcm.rec_seq, key->seq);
		return sizeof(out->aes_128_gcm);
	case RECORD_AES_256_GCM:
		out->info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(out->aes_256_gcm.salt, key->iv, sizeof(out->aes_256_gcm.salt));
		put_nonce(key, out->aes_256_gcm.iv, sizeof(out->aes_256_gcm.iv));
		memcpy(out->aes_256_gcm.key, key->key, sizeof(out->aes_256_gcm.key));
		put_be64(out->aes_256_gcm.rec_seq, key->seq);
		return sizeof(out->aes_256_gcm);
	case RECORD_CHACHA20_POLY1305:
		out->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(out->chacha20_poly1305.iv, key->iv, sizeof(out->chacha20_poly1305.iv));
		memcpy(out->chacha20_poly1305.key, key->key, sizeof(out->chacha20_poly1305.key));
		put_be64(out->chacha20_poly1305.rec_seq, key->seq);
		return sizeof(out->chacha20_poly1305);
	}
	return 0;
}
