/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is used of libipsec-mb: functions for VAES and AVX-512, which its header does not declare.
 * Their types are those of its jobs' functions. They keep nothing between calls.
 */
#ifndef SEAMTLS_TLS_IPSEC_MB_H
#define SEAMTLS_TLS_IPSEC_MB_H

#include <intel-ipsec-mb.h>

#define IPSEC_MB_DECLARE(pointer_type, name) extern __typeof__(*(pointer_type)0) name

IPSEC_MB_DECLARE(aes_gcm_precomp_t, aes_gcm_precomp_128_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_precomp_t, aes_gcm_precomp_256_vaes_avx512);

/* In one go. */
IPSEC_MB_DECLARE(aes_gcm_enc_dec_t, aes_gcm_dec_128_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_t, aes_gcm_dec_256_vaes_avx512);

/* In pieces, each of a byte at least. */
IPSEC_MB_DECLARE(aes_gcm_init_t, aes_gcm_init_128_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_init_t, aes_gcm_init_256_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_update_t, aes_gcm_enc_128_update_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_update_t, aes_gcm_enc_256_update_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_update_t, aes_gcm_dec_128_update_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_update_t, aes_gcm_dec_256_update_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_finalize_t, aes_gcm_enc_128_finalize_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_finalize_t, aes_gcm_enc_256_finalize_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_finalize_t, aes_gcm_dec_128_finalize_vaes_avx512);
IPSEC_MB_DECLARE(aes_gcm_enc_dec_finalize_t, aes_gcm_dec_256_finalize_vaes_avx512);

IPSEC_MB_DECLARE(chacha_poly_init_t, init_chacha20_poly1305_fma_avx512);
IPSEC_MB_DECLARE(chacha_poly_enc_dec_update_t, update_enc_chacha20_poly1305_fma_avx512);
IPSEC_MB_DECLARE(chacha_poly_enc_dec_update_t, update_dec_chacha20_poly1305_fma_avx512);
IPSEC_MB_DECLARE(chacha_poly_finalize_t, finalize_chacha20_poly1305_fma_avx512);

#endif
