/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a file is, its content tells, not its name. */
#include "tls/credential.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>

/* DER is shorter than the PEM that it was. */
static int add_certificate(struct credential *out, const struct pem_block *block)
{
	uint8_t *der;
	ssize_t len = pem_decode(block, &der);

	if (len < 0)
		return len == -ENOMEM ? -ENOMEM : -EKEYREJECTED;
	memcpy(out->chain + out->chain_len, der, (size_t)len);
	out->chain_len += (size_t)len;
	free(der);
	return 0;
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
		return why_say(why, -EKEYREJECTED,
			"no certificate in '%s': PEM or PKCS#12 is expected", path);
	return 0;
}

static int key_from_pem(struct credential *out, const char *path, const struct pem *pem,
	const struct password *password, const struct why *why)
{
	struct pem_block block;
	size_t at = 0;

	while (pem_next(pem, &at, &block))
		if (strstr(block.label, "PRIVATE KEY") != NULL)
			return pem_key_read(out, path, &block, password, why);
	return why_say(
		why, -EKEYREJECTED, "no private key in '%s': PEM or PKCS#12 is expected", path);
}

int password_read(const char *path, struct password *out, const struct why *why)
{
	struct pem file;
	size_t len;
	int r;

	memset(out, 0, sizeof *out);
	if (path == NULL)
		return 0;
	r = pem_read(path, &file);
	if (r < 0)
		return why_say(
			why, r, "cannot read the password file '%s': %s", path, why_errno(r));
	len = strcspn(file.text, "\r\n");
	if (len == 0 || len > PASSWORD_MAX || strlen(file.text) < len) {
		r = why_say(why, -EKEYREJECTED,
			"the first line of '%s' has to be a password of 1 to %d bytes", path,
			PASSWORD_MAX);
	} else {
		memcpy(out->text, file.text, len);
		out->file = path;
	}
	pem_clear(&file);
	return r;
}

/* PKCS#12 gives both; what is not wanted of it is let go. */
static int from_pkcs12(struct credential *out, const char *path, const struct pem *file,
	const struct password *password, bool chain, const struct why *why)
{
	struct credential both = { 0 };
	int r = pkcs12_read(&both, path, file, password, why);

	if (r == 0 && chain) {
		out->chain = both.chain;
		out->chain_len = both.chain_len;
		both.chain = NULL;
	}
	if (r == 0 && !chain) {
		out->key = both.key;
		out->key_len = both.key_len;
		both.key = NULL;
	}
	credential_clear(&both);
	return r;
}

static int read_one(struct credential *out, const char *path, const struct password *password,
	bool chain, const struct why *why)
{
	struct pem file;
	int r;

	if (pkcs11_uri_is(path))
		return token_credential_read(out, path, password, chain, why);
	r = pem_read(path, &file);
	if (r < 0)
		return why_say(why, r, "cannot read the %s '%s': %s", chain ? "certificate" : "key",
			path, why_errno(r));
	if (pkcs12_is(&file))
		r = from_pkcs12(out, path, &file, password, chain, why);
	else if (chain)
		r = chain_from_pem(out, path, &file, why);
	else
		r = key_from_pem(out, path, &file, password, why);
	pem_clear(&file);
	return r;
}

int credential_read(
	const struct credential_source *source, struct credential *out, const struct why *why)
{
	struct password password;
	int r = password_read(source->password_file, &password, why);

	memset(out, 0, sizeof *out);
	if (r == 0)
		r = read_one(out, source->cert, &password, true, why);
	if (r == 0)
		r = read_one(out, source->key, &password, false, why);
	explicit_bzero(&password, sizeof password);
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
