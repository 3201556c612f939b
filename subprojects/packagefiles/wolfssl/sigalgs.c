/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wolfSSL has this function with OPENSSL_EXTRA only, which brings much else along. */
#include <wolfssl/wolfcrypt/settings.h>

#include <string.h>
#include <wolfssl/internal.h>

static const struct {
	const char *name;
	unsigned char number[HELLO_EXT_SIGALGO_SZ];
} known[] = {
	{ "ECDSA+SHA256", { 0x04, 0x03 } },
	{ "ECDSA+SHA384", { 0x05, 0x03 } },
	{ "ECDSA+SHA512", { 0x06, 0x03 } },
	{ "ED25519", { 0x08, 0x07 } },
	{ "RSA-PSS+SHA256", { 0x08, 0x04 } },
	{ "RSA-PSS+SHA384", { 0x08, 0x05 } },
	{ "RSA-PSS+SHA512", { 0x08, 0x06 } },
	{ "RSA+SHA256", { 0x04, 0x01 } },
	{ "RSA+SHA384", { 0x05, 0x01 } },
	{ "RSA+SHA512", { 0x06, 0x01 } },
};

static const unsigned char *find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			return known[i].number;
	return NULL;
}

int wolfSSL_CTX_set1_sigalgs_list(WOLFSSL_CTX *ctx, const char *list)
{
	word16 used = 0;

	if (ctx == NULL || list == NULL || AllocateCtxSuites(ctx) != 0)
		return WOLFSSL_FAILURE;
	for (size_t len; *list != '\0'; list += len + (list[len] == ':')) {
		const unsigned char *number;

		len = strcspn(list, ":");
		number = find(list, len);
		if (number == NULL || used + HELLO_EXT_SIGALGO_SZ > WOLFSSL_MAX_SIGALGO)
			return WOLFSSL_FAILURE;
		memcpy(ctx->suites->hashSigAlgo + used, number, HELLO_EXT_SIGALGO_SZ);
		used += HELLO_EXT_SIGALGO_SZ;
	}
	ctx->suites->hashSigAlgoSz = used;
	return used > 0 ? WOLFSSL_SUCCESS : WOLFSSL_FAILURE;
}
