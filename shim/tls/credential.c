/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/credential.h"
#include "tls/pem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>

/* DER is shorter than the PEM that it was. */
static int add_certificate(struct credential *out, const struct pem_block *block)
{
	DerBuffer *der = NULL;
	int r = wc_PemToDer((const unsigned char *)block->text, (long)block->len, CERT_TYPE, &der,
		NULL, NULL, NULL);

	if (r == 0) {
		memcpy(out->chain + out->chain_len, der->buffer, der->length);
		out->chain_len += der->length;
	}
	wc_FreeDer(&der);
	return r == 0 ? 0 : -EKEYREJECTED;
}

static int chain_from_pem(
	struct credential *out, const char *path, const struct pem *pem, const struct why *why)
{
	struct pem_block block;
	size_t at = 0;

	out->chain = malloc(pem->len + 1);
	if (out->chain == NULL)
		return -ENOMEM;
	while (pem_next(pem, &at, &block))
		if (pem_is_certificate(&block) && add_certificate(out, &block) < 0)
			return why_say(
				why, -EKEYREJECTED, "a certificate in '%s' cannot be parsed", path);
	if (out->chain_len == 0)
		return why_say(why, -EKEYREJECTED, "no certificate in '%s': PEM is expected", path);
	return 0;
}

static bool is_encrypted(const struct pem_block *block)
{
	return strstr(block->label, "ENCRYPTED") != NULL ||
	       memmem(block->text, block->len, "Proc-Type: 4,ENCRYPTED", 22) != NULL;
}

static int key_from_block(struct credential *out, const char *path, const struct pem_block *block,
	const struct why *why)
{
	int r;

	if (is_encrypted(block))
		return why_say(why, -ENOTSUP,
			"the key '%s' is encrypted: store it without a password", path);
	out->key = malloc(block->len);
	if (out->key == NULL)
		return -ENOMEM;
	r = wc_KeyPemToDer((const unsigned char *)block->text, (int)block->len, out->key,
		(int)block->len, NULL);
	if (r <= 0)
		return why_say(why, -EKEYREJECTED, "the key '%s' cannot be used: %s", path,
			wolfSSL_ERR_reason_error_string((unsigned long)r));
	out->key_len = (size_t)r;
	return 0;
}

static int key_from_pem(
	struct credential *out, const char *path, const struct pem *pem, const struct why *why)
{
	struct pem_block block;
	size_t at = 0;

	while (pem_next(pem, &at, &block))
		if (strstr(block.label, "PRIVATE KEY") != NULL)
			return key_from_block(out, path, &block, why);
	return why_say(why, -EKEYREJECTED, "no private key in '%s': PEM is expected", path);
}

static int read_certificate(struct credential *out, const char *path, const struct why *why)
{
	struct pem pem;
	int r = pem_read(path, &pem);

	if (r < 0)
		return why_say(why, r, "cannot read the certificate '%s': %s", path, why_errno(r));
	r = chain_from_pem(out, path, &pem, why);
	pem_clear(&pem);
	return r;
}

static int read_key(struct credential *out, const char *path, const struct why *why)
{
	struct pem pem;
	int r = pem_read(path, &pem);

	if (r < 0)
		return why_say(why, r, "cannot read the key '%s': %s", path, why_errno(r));
	r = key_from_pem(out, path, &pem, why);
	pem_clear(&pem);
	return r;
}

int credential_read(
	const char *cert, const char *key, struct credential *out, const struct why *why)
{
	int r;

	memset(out, 0, sizeof *out);
	r = read_certificate(out, cert, why);
	if (r == 0)
		r = read_key(out, key, why);
	if (r < 0)
		credential_clear(out);
	return r;
}

void credential_clear(struct credential *credential)
{
	if (credential->key != NULL)
		explicit_bzero(credential->key, credential->key_len);
	free(credential->key);
	free(credential->chain);
	memset(credential, 0, sizeof *credential);
}
