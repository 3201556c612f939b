/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns of allow_peer: each becomes one spelling, which is what a certificate is held against.
 */
#include "policy/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define SHA256_DIGITS 64
#define PEER_PATTERN_MAX 1024

static int join(struct parse *parse, const char *kind, const char *rest, char **out)
{
	size_t kind_len = strlen(kind), len = strlen(rest);

	*out = arena_alloc(parse->arena, kind_len + len + 1, 1);
	if (*out == NULL)
		return -ENOMEM;
	memcpy(*out, kind, kind_len);
	memcpy(*out + kind_len, rest, len + 1);
	return 0;
}

static int parse_dns(struct parse *parse, const char *kind, char *value, char **out)
{
	char name[HOST_NAME_MAX_BYTES];
	const char *base = strncmp(value, "*.", 2) == 0 ? value + 2 : value;

	if (!parse_is_host_name(base) || host_normalize(value, name) == 0)
		return parse_refuse(parse,
			"found 'dns:%.100s', allowed: a host name (xn--... if it is not ASCII), "
			"and *. before it for one label",
			value);
	return join(parse, kind, name, out);
}

/* What comes before the path says who vouches for the rest: no pattern there. */
static int parse_uri(struct parse *parse, const char *kind, char *value, char **out)
{
	const char *authority = strstr(value, "://");
	const char *path = authority != NULL ? strchr(authority + 3, '/') : NULL;
	const char *star = strchr(value, '*');

	if (strchr(value, ':') == NULL || value[0] == ':')
		return parse_refuse(parse,
			"found 'uri:%.100s', allowed: a whole URI, as in "
			"uri:spiffe://example.org/web",
			value);
	if (star != NULL && (path == NULL || star < path))
		return parse_refuse(
			parse, "found 'uri:%.100s', allowed: '*' only in the path", value);
	return join(parse, kind, value, out);
}

static int parse_ip(struct parse *parse, const char *kind, char *value, char **out)
{
	char text[INET6_ADDRSTRLEN + 8];
	struct network network;
	size_t len;
	int r = parse_network(parse, value, &network);

	if (r < 0)
		return r;
	inet_ntop(network.family, network.bytes, text, INET6_ADDRSTRLEN);
	len = strlen(text);
	if (network.bits < (network.family == AF_INET ? 32 : 128)) {
		struct text number;

		text_init(&number, text + len, sizeof(text) - len);
		text_add(&number, "/%u", network.bits);
	}
	return join(parse, kind, text, out);
}

static int parse_email(struct parse *parse, const char *kind, char *value, char **out)
{
	char name[HOST_NAME_MAX_BYTES];
	char *at = strrchr(value, '@');
	const char *star = strchr(value, '*');

	if (at == NULL || at == value || !parse_is_host_name(at + 1) ||
		host_normalize(at + 1, name) == 0 || strlen(name) > strlen(at + 1) ||
		(star != NULL && (star != value || at != value + 1)))
		return parse_refuse(parse,
			"found 'email:%.100s', allowed: an address, or *@ and its domain", value);
	strcpy(at + 1, name);
	return join(parse, kind, value, out);
}

static int parse_cn(struct parse *parse, const char *kind, char *value, char **out)
{
	return join(parse, kind, value, out);
}

/* As openssl, browsers and our own audit write it: with colons or without. */
static int parse_sha256(struct parse *parse, const char *kind, char *value, char **out)
{
	char digits[SHA256_DIGITS + 1];
	size_t count = 0;

	for (const char *at = value; *at != '\0'; at++) {
		char c = text_lower(*at);

		if (c == ':' && count > 0 && count % 2 == 0 && at[1] != '\0' && at[1] != ':')
			continue;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) || count == SHA256_DIGITS) {
			count = 0;
			break;
		}
		digits[count++] = c;
	}
	if (count != SHA256_DIGITS)
		return parse_refuse(parse,
			"found 'sha256:%.100s', allowed: the 64 hexadecimal digits of the "
			"certificate's SHA-256",
			value);
	digits[count] = '\0';
	return join(parse, kind, digits, out);
}

static const struct {
	const char *kind;
	int (*parse)(struct parse *parse, const char *kind, char *value, char **out);
} kinds[] = {
	{ "dns:", parse_dns },
	{ "uri:", parse_uri },
	{ "ip:", parse_ip },
	{ "email:", parse_email },
	{ "cn:", parse_cn },
	{ "sha256:", parse_sha256 },
};

static int parse_peer(struct parse *parse, char *item, void *out)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].kind);

		if (strncmp(item, kinds[i].kind, len) != 0)
			continue;
		if (item[len] == '\0' || strlen(item) > PEER_PATTERN_MAX)
			return parse_refuse(parse,
				"found '%.100s', allowed: something to match, of %d bytes at most",
				item, PEER_PATTERN_MAX);
		return kinds[i].parse(parse, kinds[i].kind, item + len, out);
	}
	return parse_refuse(parse,
		"found '%.100s', allowed: patterns that begin with dns:, uri:, ip:, email:, cn: or "
		"sha256:",
		item);
}

int parse_peers(struct parse *parse, const char *text, void *out)
{
	return parse_strings(parse, text, parse_peer, out);
}
