/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/pkcs11_uri.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define SCHEME "pkcs11:"

/* Those that say which slot or library are not asked for: they are the machine's, not the token's.
 */
static const struct attribute {
	const char *name;
	size_t offset;
	bool query, bytes;
} attributes[] = {
	{ "token", offsetof(struct pkcs11_uri, token), false, false },
	{ "serial", offsetof(struct pkcs11_uri, serial), false, false },
	{ "manufacturer", offsetof(struct pkcs11_uri, manufacturer), false, false },
	{ "model", offsetof(struct pkcs11_uri, model), false, false },
	{ "object", offsetof(struct pkcs11_uri, object), false, false },
	{ "type", offsetof(struct pkcs11_uri, type), false, false },
	{ "id", offsetof(struct pkcs11_uri, id), false, true },
	{ "module-path", offsetof(struct pkcs11_uri, module_path), true, false },
	{ "pin-value", offsetof(struct pkcs11_uri, pin_value), true, false },
	{ "pin-source", offsetof(struct pkcs11_uri, pin_source), true, false },
};

bool pkcs11_uri_is(const char *text)
{
	return strncmp(text, SCHEME, strlen(SCHEME)) == 0;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The bytes that a value stands for, terminated; their number, or -1: too many, or no value. */
static int decode(const char *text, size_t len, char *out)
{
	int n = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = (unsigned char)text[i];

		if (n == PKCS11_VALUE_MAX)
			return -1;
		if (text[i] == '%') {
			if (len - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
				return -1;
			byte = hex(text[i + 1]) << 4 | hex(text[i + 2]);
			i += 2;
		}
		out[n++] = (char)byte;
	}
	out[n] = '\0';
	return n;
}

static int take(
	const char *text, size_t len, bool query, struct pkcs11_uri *out, const struct why *why)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - text) : len;

	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
		const struct attribute *attribute = &attributes[i];
		char *field = (char *)out + attribute->offset;
		int n;

		if (attribute->query != query || strlen(attribute->name) != name_len ||
			memcmp(attribute->name, text, name_len) != 0)
			continue;
		n = equals != NULL && field[0] == '\0'
			    ? decode(equals + 1, len - name_len - 1, field)
			    : -1;
		if (n <= 0 || (!attribute->bytes && strlen(field) != (size_t)n))
			return why_say(why, -EINVAL,
				"'%s' in a pkcs11: URI has no good value, or two", attribute->name);
		if (attribute->bytes)
			out->id_len = (size_t)n;
		return 0;
	}
	/* The value may be a PIN. */
	return why_say(why, -EINVAL,
		"'%.*s' in a pkcs11: URI is not known; token, serial, manufacturer, model, object, "
		"id and type are, and behind a '?' module-path, pin-value and pin-source",
		name_len < 40 ? (int)name_len : 40, text);
}

int pkcs11_uri_parse(const char *text, struct pkcs11_uri *out, const struct why *why)
{
	bool query = false;

	memset(out, 0, sizeof *out);
	for (const char *at = text + strlen(SCHEME); *at != '\0';) {
		size_t len = strcspn(at, query ? "&" : ";?");
		int r = len > 0 ? take(at, len, query, out, why) : 0;

		if (r < 0)
			return r;
		query = query || at[len] == '?';
		at += len + (at[len] != '\0');
	}
	if (out->type[0] != '\0' && strcmp(out->type, "private") != 0 &&
		strcmp(out->type, "cert") != 0)
		return why_say(why, -EINVAL,
			"type is '%.20s' in a pkcs11: URI, allowed: private, cert", out->type);
	return 0;
}
