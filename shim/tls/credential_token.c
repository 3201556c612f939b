/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates and keys in tokens, and their PINs. */
#include "tls/credential.h"
#include <errno.h>
#include <string.h>

#define FILE_SCHEME "file:"

/* What the URI says of the PIN goes before password_file. */
static int find_pin(const struct pkcs11_uri *uri, const struct password *password,
	struct password *out, const struct why *why)
{
	const char *source = uri->pin_source;

	memset(out, 0, sizeof *out);
	if (uri->pin_value[0] != '\0') {
		if (strlen(uri->pin_value) > PASSWORD_MAX)
			return why_say(
				why, -EINVAL, "pin-value is longer than %d bytes", PASSWORD_MAX);
		strcpy(out->text, uri->pin_value);
		return 0;
	}
	if (source[0] == '\0') {
		*out = *password;
		return 0;
	}
	if (strncmp(source, FILE_SCHEME, strlen(FILE_SCHEME)) == 0)
		source += strlen(FILE_SCHEME);
	source += strncmp(source, "//", 2) == 0 ? 2 : 0;
	if (source[0] != '/')
		return why_say(why, -EINVAL,
			"pin-source is '%s', allowed: file: and an absolute path", uri->pin_source);
	return password_read(source, out, why);
}

static int read_object(struct credential *out, struct token *token, const struct pkcs11_uri *uri,
	bool chain, const struct why *why)
{
	if (chain)
		return token_read_certificate(token, uri, &out->chain, &out->chain_len, why);
	out->device = token_device(token);
	return token_find_key(token, uri, &out->token_key, why);
}

int token_credential_read(struct credential *out, const char *uri_text,
	const struct password *password, bool chain, const struct why *why)
{
	struct pkcs11_uri uri;
	struct password pin;
	struct token *token;
	int r = pkcs11_uri_parse(uri_text, &uri, why);

	if (r == 0)
		r = find_pin(&uri, password, &pin, why);
	if (r == 0)
		r = token_open(&uri, pin.text[0] != '\0' ? pin.text : NULL, &token, why);
	if (r == 0)
		r = read_object(out, token, &uri, chain, why);
	explicit_bzero(&pin, sizeof pin);
	explicit_bzero(&uri, sizeof uri);
	return r;
}
