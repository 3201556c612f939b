/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A key as the kernel's TLS takes it (Documentation/networking/tls.rst). */
#ifndef SEAMTLS_CONN_KERNEL_INFO_H
#define SEAMTLS_CONN_KERNEL_INFO_H

#include "tls/record.h"

#include <linux/tls.h>
#include <stddef.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

union kernel_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes_128_gcm;
	struct tls12_crypto_info_aes_gcm_256 aes_256_gcm;
	struct tls12_crypto_info_chacha20_poly1305 chacha20_poly1305;
};

/* The bytes that are of use in *out. */
size_t kernel_info_fill(const struct record_key *key, union kernel_info *out);

#endif
