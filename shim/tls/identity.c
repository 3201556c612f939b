/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The own certificate of a context with its key, checked to be a pair. */
#include "tls/context_private.h"
#include "tls/credential.h"
#include "tls/der.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN (PATH_MAX + 1)

/* The end of each certificate that is sent counts. */
static int note_dates(struct tls_context *context, const struct credential *credential)
{
	struct x509_bytes rest = { credential->chain, credential->chain_len };
	struct der_item item;
	struct x509 x509;

	context->not_after = INT64_MAX;
	while (rest.len > 0) {
		if (!der_next(&rest, &item) ||
			x509_parse(item.whole.data, item.whole.len, &x509) < 0)
			return -EKEYREJECTED;
		if (x509.not_after < context->not_after)
			context->not_after = x509.not_after;
	}
	return 0;
}

static int note_certificate(struct tls_context *context, struct credential *credential)
{
	struct x509_bytes rest = { credential->chain, credential->chain_len };
	struct der_item item;

	if (note_dates(context, credential) < 0 || !der_next(&rest, &item) ||
		x509_parse(item.whole.data, item.whole.len, &context->certificate) < 0)
		return -EKEYREJECTED;
	context->key_kind = key_kind_find(context->certificate.spki);
	/* It points into the chain, which is the context's from now on. */
	context->chain = credential->chain;
	context->chain_len = credential->chain_len;
	credential->chain = NULL;
	return 0;
}

static int use_key(WOLFSSL_CTX *ctx, const struct credential *credential)
{
	const struct token_key *key = &credential->token_key;

	if (credential->key != NULL)
		return wolfSSL_CTX_use_PrivateKey_buffer(
			ctx, credential->key, (long)credential->key_len, WOLFSSL_FILETYPE_ASN1);
	return key->is_label ? wolfSSL_CTX_use_PrivateKey_Label(
				       ctx, (const char *)key->name, credential->device)
			     : wolfSSL_CTX_use_PrivateKey_Id(
				       ctx, key->name, (long)key->len, credential->device);
}

static int use(struct tls_context *context, const struct credential *credential, const char *cert,
	const char *key, const struct why *why)
{
	int r = wolfSSL_CTX_use_certificate_chain_buffer_format(
		context->ctx, context->chain, (long)context->chain_len, WOLFSSL_FILETYPE_ASN1);

	if (r != WOLFSSL_SUCCESS)
		return why_say(why, -EKEYREJECTED, "the certificate '%s' cannot be used: %s", cert,
			wolfSSL_ERR_reason_error_string((unsigned long)r));
	r = use_key(context->ctx, credential);
	if (r != WOLFSSL_SUCCESS)
		return why_say(why, -EKEYREJECTED, "the key '%s' cannot be used: %s", key,
			wolfSSL_ERR_reason_error_string((unsigned long)r));
	if (wolfSSL_CTX_check_private_key(context->ctx) != WOLFSSL_SUCCESS)
		return why_say(why, -EKEYREJECTED,
			"the key '%s' does not belong to the certificate '%s'", key, cert);
	return 0;
}

/* Behind the '?' of a pkcs11: URI there may be a PIN. */
static void name_source(char name[NAME_LEN], const char *source)
{
	int len = pkcs11_uri_is(source) ? (int)strcspn(source, "?") : (int)strlen(source);

	snprintf(name, NAME_LEN, "%.*s", len, source);
}

static int pair_load(
	struct tls_context *context, const struct credential_source *source, const struct why *why)
{
	char cert[NAME_LEN], key[NAME_LEN];
	struct credential credential;
	int r = credential_read(source, &credential, why);

	if (r < 0)
		return r;
	name_source(cert, source->cert);
	name_source(key, source->key);
	r = note_certificate(context, &credential) < 0
		    ? why_say(why, -EKEYREJECTED, "a certificate in '%s' cannot be parsed", cert)
		    : use(context, &credential, cert, key, why);
	credential_clear(&credential);
	return r;
}

static int check(const struct tls_settings *settings, enum tls_role role, const struct why *why)
{
	size_t certs = settings->cert.count, keys = settings->key.count;

	if (certs == 0 && keys > 0)
		return why_say(
			why, -EINVAL, "there is a key ('%s') but no cert", settings->key.items[0]);
	if (certs == 0 && role == TLS_SERVER)
		return why_say(why, -EINVAL,
			"a rule for inbound connections needs a certificate: set cert and key");
	if (keys > 0 && keys != certs)
		return why_say(
			why, -EINVAL, "key names %zu keys for %zu certificates", keys, certs);
	return 0;
}

void identity_source(
	const struct tls_settings *settings, size_t index, struct credential_source *out)
{
	const struct policy_list *keys = settings->key.count > 0 ? &settings->key : &settings->cert;
	const struct policy_list *passwords = &settings->password_file;

	out->cert = settings->cert.items[index];
	out->key = keys->items[index];
	out->password_file = passwords->count == 0
				     ? NULL
				     : passwords->items[index < passwords->count ? index : 0];
}

size_t identity_count(const struct tls_settings *settings, enum tls_role role)
{
	/* A client is not asked by name; its first certificate is the one it shows. */
	return role == TLS_SERVER && settings->cert.count > 0 ? settings->cert.count : 1;
}

int identity_load(struct tls_context *context, const struct tls_settings *settings, size_t index,
	const struct why *why)
{
	struct credential_source source;
	int r = check(settings, context->role, why);

	if (r < 0 || settings->cert.count == 0)
		return r;
	identity_source(settings, index, &source);
	return pair_load(context, &source, why);
}
