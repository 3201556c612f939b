/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/x509_digest.h"
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>

bool x509_digest_text(struct x509_bytes der, char *out)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[WC_SHA256_DIGEST_SIZE];

	out[0] = '\0';
	if (wc_Sha256Hash(der.data, (word32)der.len, digest) != 0)
		return false;
	for (size_t i = 0; i < sizeof digest; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[2 * sizeof digest] = '\0';
	return true;
}
