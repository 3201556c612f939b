/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PKCS#12 (RFC 7292): one key, its certificate, and those of its chain, in whatever order they were
 * put into the file. */
#include "tls/chain.h"
#include "tls/credential.h"
#include "tls/der.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/pkcs12.h>

#define CERTIFICATES_MAX 32

bool pkcs12_is(const struct pem *file)
{
	struct x509_bytes in = { (const uint8_t *)file->text, file->len };
	struct der_item outer, version, content;

	/* PFX: version 3, and a ContentInfo. A certificate begins with two SEQUENCEs. */
	return der_expect(&in, DER_SEQUENCE, &outer) &&
	       der_expect(&outer.content, DER_INTEGER, &version) && version.content.len == 1 &&
	       version.content.data[0] == 3 && der_expect(&outer.content, DER_SEQUENCE, &content);
}

struct parts {
	byte *key, *cert;
	word32 key_len, cert_len;
	WC_DerCertList *others;
};

static void parts_clear(struct parts *parts)
{
	if (parts->key != NULL)
		explicit_bzero(parts->key, parts->key_len);
	wolfSSL_Free(parts->key);
	wolfSSL_Free(parts->cert);
	wc_FreeCertList(parts->others, NULL);
}

/* The own certificate, then each one's issuer. An anchor is not sent: who trusts it has it. */
static int take_chain(struct credential *out, const struct parts *parts)
{
	struct x509_bytes sent[CERTIFICATES_MAX] = { { parts->cert, parts->cert_len } };
	const struct x509 *last;
	struct chain chain;
	size_t count = 1, len = 0;

	for (const WC_DerCertList *other = parts->others; other != NULL; other = other->next)
		if (count < CERTIFICATES_MAX)
			sent[count++] = (struct x509_bytes){ other->buffer, other->bufferSz };
	chain_init(&chain, sent, count);
	if (chain.count == 0)
		return -EKEYREJECTED;
	last = &chain.link[chain.count - 1].x509;
	if (chain.count > 1 && last->subject.len == last->issuer.len &&
		memcmp(last->subject.data, last->issuer.data, last->subject.len) == 0)
		chain.count--;
	for (size_t i = 0; i < chain.count; i++)
		len += chain.link[i].der.len;
	out->chain = malloc(len);
	if (out->chain == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < chain.count; i++) {
		memcpy(out->chain + out->chain_len, chain.link[i].der.data, chain.link[i].der.len);
		out->chain_len += chain.link[i].der.len;
	}
	return 0;
}

static int take_key(struct credential *out, const struct parts *parts)
{
	out->key = malloc(parts->key_len);
	if (out->key == NULL)
		return -ENOMEM;
	memcpy(out->key, parts->key, parts->key_len);
	out->key_len = parts->key_len;
	return 0;
}

static int refuse(
	const char *path, int error, const struct password *password, const struct why *why)
{
	if (error == MAC_CMP_FAILED_E && password->file == NULL)
		return why_say(why, -EKEYREJECTED, "'%s' has a password: set password_file", path);
	if (error == MAC_CMP_FAILED_E)
		return why_say(why, -EKEYREJECTED, "the password in '%s' is not that of '%s'",
			password->file, path);
	if (error == ALGO_ID_E || error == ASN_UNKNOWN_OID_E || error == ASN_PARSE_E ||
		error == NOT_COMPILED_IN)
		return why_say(why, -ENOTSUP,
			"'%s' is encrypted in a way that is not supported, RC2 perhaps: export it "
			"again with openssl pkcs12 -export, which takes AES",
			path);
	return why_say(why, -EKEYREJECTED, "'%s' cannot be used: %s", path,
		wolfSSL_ERR_reason_error_string((unsigned long)error));
}

static int take_parts(
	struct credential *out, const char *path, const struct parts *parts, const struct why *why)
{
	int r;

	if (parts->key == NULL)
		return why_say(why, -EKEYREJECTED, "no private key in '%s'", path);
	if (parts->cert == NULL)
		return why_say(why, -EKEYREJECTED,
			"the key in '%s' does not belong to any certificate in it", path);
	r = take_chain(out, parts);
	if (r == -EKEYREJECTED)
		return why_say(why, r, "a certificate in '%s' cannot be parsed", path);
	return r == 0 ? take_key(out, parts) : r;
}

int pkcs12_read(struct credential *out, const char *path, const struct pem *file,
	const struct password *password, const struct why *why)
{
	WC_PKCS12 *pkcs12 = wc_PKCS12_new();
	struct parts parts = { 0 };
	int r;

	if (pkcs12 == NULL)
		return -ENOMEM;
	r = wc_d2i_PKCS12((const byte *)file->text, (word32)file->len, pkcs12);
	if (r < 0) {
		r = why_say(why, -EKEYREJECTED, "'%s' cannot be parsed", path);
	} else {
		/* The key as PKCS#8: what is in that does not say of itself what it is. */
		r = wc_PKCS12_parse_ex(pkcs12, password->text, &parts.key, &parts.key_len,
			&parts.cert, &parts.cert_len, &parts.others, 1);
		r = r < 0 ? refuse(path, r, password, why) : take_parts(out, path, &parts, why);
	}
	parts_clear(&parts);
	wc_PKCS12_free(pkcs12);
	return r;
}
