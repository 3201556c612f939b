/* SPDX-License-Identifier: GPL-3.0-or-later */
/* AEAD with forward secrecy, nothing else: what is not in these tables cannot be configured. */
#include "tls/suite.h"
#include <strings.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

static const struct tls_suite suites[] = {
	{ 0x1301, RECORD_TLS13, RECORD_AES_128_GCM, "TLS_AES_128_GCM_SHA256",
		"TLS13-AES128-GCM-SHA256" },
	{ 0x1302, RECORD_TLS13, RECORD_AES_256_GCM, "TLS_AES_256_GCM_SHA384",
		"TLS13-AES256-GCM-SHA384" },
	{ 0x1303, RECORD_TLS13, RECORD_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256",
		"TLS13-CHACHA20-POLY1305-SHA256" },
	{ 0xc02b, RECORD_TLS12, RECORD_AES_128_GCM, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		"ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ 0xc02f, RECORD_TLS12, RECORD_AES_128_GCM, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"ECDHE-RSA-AES128-GCM-SHA256" },
	{ 0xc02c, RECORD_TLS12, RECORD_AES_256_GCM, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		"ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ 0xc030, RECORD_TLS12, RECORD_AES_256_GCM, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"ECDHE-RSA-AES256-GCM-SHA384" },
	{ 0xcca9, RECORD_TLS12, RECORD_CHACHA20_POLY1305,
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305" },
	{ 0xcca8, RECORD_TLS12, RECORD_CHACHA20_POLY1305,
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305" },
};

static const struct tls_group groups[] = {
	{ WOLFSSL_X25519MLKEM768, "X25519MLKEM768", "X25519MLKEM768" },
	{ WOLFSSL_ECC_X25519, "x25519", "X25519" },
	{ WOLFSSL_ECC_SECP256R1, "secp256r1", "SECP256R1" },
	{ WOLFSSL_ECC_SECP384R1, "secp384r1", "SECP384R1" },
	{ WOLFSSL_ECC_SECP521R1, "secp521r1", "SECP521R1" },
	{ WOLFSSL_SECP256R1MLKEM768, "SecP256r1MLKEM768", "SecP256r1MLKEM768" },
	{ WOLFSSL_SECP384R1MLKEM1024, "SecP384r1MLKEM1024", "SecP384r1MLKEM1024" },
	{ WOLFSSL_FFDHE_2048, "ffdhe2048", "FFDHE_2048" },
	{ WOLFSSL_FFDHE_3072, "ffdhe3072", "FFDHE_3072" },
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const struct tls_suite *tls_suite_at(size_t index)
{
	return index < COUNT(suites) ? &suites[index] : NULL;
}

const struct tls_suite *tls_suite_by_id(unsigned id)
{
	for (size_t i = 0; i < COUNT(suites); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

const struct tls_suite *tls_suite_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT(suites); i++)
		if (strcasecmp(suites[i].name, name) == 0)
			return &suites[i];
	return NULL;
}

const struct tls_group *tls_group_at(size_t index)
{
	return index < COUNT(groups) ? &groups[index] : NULL;
}

const struct tls_group *tls_group_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT(groups); i++)
		if (strcasecmp(groups[i].name, name) == 0)
			return &groups[i];
	return NULL;
}

const struct tls_group *tls_group_by_wolfssl_name(const char *name)
{
	for (size_t i = 0; i < COUNT(groups); i++)
		if (strcasecmp(groups[i].wolfssl, name) == 0)
			return &groups[i];
	return NULL;
}
