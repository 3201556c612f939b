/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The own certificate with its chain, and its key: read, parsed, and checked to be a pair. */
#include "tls/context_private.h"
#include "tls/pem.h"
#include "tls/x509.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int certificate_read(
	struct tls_context *context, const struct pem_block *block, struct x509 *out)
{
	DerBuffer *der = NULL;
	int r = wc_PemToDer((const unsigned char *)block->text, (long)block->len, CERT_TYPE, &der,
		NULL, NULL, NULL);

	r = r == 0 && x509_parse(der->buffer, der->length, out) == 0 ? 0 : -EKEYREJECTED;
	if (r == 0 && (!context->has_certificate || out->not_after < context->not_after))
		context->not_after = out->not_after;
	context->has_certificate = true;
	wc_FreeDer(&der);
	return r;
}

static int chain_load(
	struct tls_context *context, const char *path, const struct pem *pem, const struct why *why)
{
	struct pem_block block;
	struct x509 certificate;
	size_t at = 0;
	int r;

	while (pem_next(pem, &at, &block))
		if (pem_is_certificate(&block) &&
			certificate_read(context, &block, &certificate) < 0)
			return why_say(
				why, -EKEYREJECTED, "a certificate in '%s' cannot be parsed", path);
	if (!context->has_certificate)
		return why_say(why, -EKEYREJECTED, "no certificate in '%s': PEM is expected", path);
	r = wolfSSL_CTX_use_certificate_chain_buffer(
		context->ctx, (const unsigned char *)pem->text, (long)pem->len);
	if (r != WOLFSSL_SUCCESS)
		return why_say(why, -EKEYREJECTED, "the certificate '%s' cannot be used: %s", path,
			wolfSSL_ERR_reason_error_string((unsigned long)r));
	return 0;
}

static int key_load(
	struct tls_context *context, const char *path, const struct pem *pem, const struct why *why)
{
	struct pem_block block;
	size_t at = 0;
	int r;

	while (pem_next(pem, &at, &block)) {
		if (strstr(block.label, "PRIVATE KEY") == NULL)
			continue;
		if (strstr(block.label, "ENCRYPTED") != NULL ||
			memmem(block.text, block.len, "Proc-Type: 4,ENCRYPTED", 22) != NULL)
			return why_say(why, -ENOTSUP,
				"the key '%s' is encrypted: store it without a password", path);
		r = wolfSSL_CTX_use_PrivateKey_buffer(context->ctx,
			(const unsigned char *)block.text, (long)block.len, WOLFSSL_FILETYPE_PEM);
		if (r != WOLFSSL_SUCCESS)
			return why_say(why, -EKEYREJECTED, "the key '%s' cannot be used: %s", path,
				wolfSSL_ERR_reason_error_string((unsigned long)r));
		return 0;
	}
	return why_say(why, -EKEYREJECTED, "no private key in '%s': PEM is expected", path);
}

static int pair_load(
	struct tls_context *context, const char *cert, const char *key, const struct why *why)
{
	struct pem cert_pem, key_pem = { NULL, 0 };
	int r = pem_read(cert, &cert_pem);

	if (r < 0)
		return why_say(why, r, "cannot read the certificate '%s': %s", cert, why_errno(r));
	r = chain_load(context, cert, &cert_pem, why);
	if (r == 0) {
		r = pem_read(key, &key_pem);
		if (r < 0)
			why_say(why, r, "cannot read the key '%s': %s", key, why_errno(r));
	}
	if (r == 0)
		r = key_load(context, key, &key_pem, why);
	if (r == 0 && wolfSSL_CTX_check_private_key(context->ctx) != WOLFSSL_SUCCESS)
		r = why_say(why, -EKEYREJECTED,
			"the key '%s' does not belong to the certificate '%s'", key, cert);
	pem_clear(&cert_pem);
	pem_clear(&key_pem);
	return r;
}

int identity_load(
	struct tls_context *context, const struct tls_settings *settings, const struct why *why)
{
	const char *key;

	if (settings->cert.count == 0 && settings->key.count > 0)
		return why_say(
			why, -EINVAL, "there is a key ('%s') but no cert", settings->key.items[0]);
	if (settings->cert.count == 0 && context->role == TLS_SERVER)
		return why_say(why, -EINVAL,
			"a rule for inbound connections needs a certificate: set cert and key");
	if (settings->cert.count > 1)
		return why_say(why, -ENOTSUP, "cert names %zu certificates: only one is supported",
			settings->cert.count);
	if (settings->key.count > settings->cert.count)
		return why_say(why, -EINVAL, "key names %zu keys for one certificate",
			settings->key.count);
	if (settings->cert.count == 0)
		return 0;
	key = settings->key.count > 0 ? settings->key.items[0] : settings->cert.items[0];
	return pair_load(context, settings->cert.items[0], key, why);
}
