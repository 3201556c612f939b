/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparisons are of bytes, so that a NUL or a letter that looks like another matches nothing but
 * itself; names of hosts are compared without case, in ASCII. */
#include "tls/allow.h"
#include "tls/der.h"
#include "tls/name.h"
#include "tls/x509_digest.h"
#include <stdlib.h>
#include <string.h>

bool allow_text_matches(const char *pattern, struct x509_bytes text)
{
	size_t at = 0, star_at = 0;
	const char *star = NULL;

	while (at < text.len) {
		if (*pattern == '*') {
			/* The first character is taken here. */
			if (text.data[at] == '/')
				return false;
			star = ++pattern;
			star_at = ++at;
			continue;
		}
		if (*pattern != '\0' && (uint8_t)*pattern == text.data[at]) {
			pattern++;
			at++;
			continue;
		}
		/* The last * takes one more; earlier ones need not be asked again unless a '/' is
		 * in the way, which they could not take either. */
		if (star == NULL || text.data[star_at] == '/')
			return false;
		pattern = star;
		at = ++star_at;
	}
	return *pattern == '\0';
}

static bool ends_equal(struct x509_bytes text, const char *end)
{
	size_t len = strlen(end);

	return text.len >= len &&
	       strncasecmp((const char *)text.data + text.len - len, end, len) == 0;
}

/* One label, if there is a *; in a certificate for several hosts a * is a label like another. */
static bool dns_matches(const char *pattern, struct x509_bytes name)
{
	const uint8_t *dot;

	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	if (pattern[0] != '*')
		return name.len == strlen(pattern) && ends_equal(name, pattern);
	dot = memchr(name.data, '.', name.len);
	return dot != NULL && dot > name.data &&
	       name.len - (size_t)(dot - name.data) == strlen(pattern + 1) &&
	       ends_equal(name, pattern + 1);
}

static bool ip_matches(const char *pattern, struct x509_bytes address)
{
	char text[64];
	uint8_t network[16];
	size_t len = strcspn(pattern, "/");
	unsigned bits;

	if (len >= sizeof text)
		return false;
	memcpy(text, pattern, len);
	text[len] = '\0';
	if (name_parse_address(text, network) != address.len || address.len == 0)
		return false;
	bits = pattern[len] == '/' ? (unsigned)strtoul(pattern + len + 1, NULL, 10)
				   : (unsigned)address.len * 8;
	for (size_t i = 0; i<address.len; i++, bits = bits> 8 ? bits - 8 : 0) {
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);

		if (((network[i] ^ address.data[i]) & mask) != 0)
			return false;
	}
	return true;
}

/* The part before the @ is the other side's to interpret: as it is. */
static bool email_matches(const char *pattern, struct x509_bytes address)
{
	const char *domain = strrchr(pattern, '@');
	size_t len = (size_t)(domain - pattern);
	const uint8_t *at = memrchr(address.data, '@', address.len);

	if (at == NULL || at == address.data || !ends_equal(address, domain) ||
		address.len - (size_t)(at - address.data) != strlen(domain))
		return false;
	return pattern[0] == '*' ||
	       (len == (size_t)(at - address.data) && memcmp(pattern, address.data, len) == 0);
}

/* The last CN of the subject, which is the most specific. */
static bool cn_matches(const char *pattern, struct x509_bytes name)
{
	struct der_item sequence, set, attribute, oid, value;
	struct x509_bytes cn = { NULL, 0 };

	if (!der_expect(&name, DER_SEQUENCE, &sequence))
		return false;
	while (der_expect(&sequence.content, DER_SET, &set))
		while (der_expect(&set.content, DER_SEQUENCE, &attribute))
			if (der_expect(&attribute.content, DER_OID, &oid) &&
				der_oid_is(oid.content, "\x55\x04\x03", 3) &&
				der_next(&attribute.content, &value))
				cn = value.content;
	return cn.len > 0 && allow_text_matches(pattern, cn);
}

static bool san_matches(const char *pattern, enum x509_san_type type, struct x509_bytes value)
{
	if (strncmp(pattern, "dns:", 4) == 0)
		return type == X509_DNS && dns_matches(pattern + 4, value);
	if (strncmp(pattern, "uri:", 4) == 0)
		return type == X509_URI && allow_text_matches(pattern + 4, value);
	if (strncmp(pattern, "ip:", 3) == 0)
		return type == X509_IP && ip_matches(pattern + 3, value);
	if (strncmp(pattern, "email:", 6) == 0)
		return type == X509_EMAIL && email_matches(pattern + 6, value);
	return false;
}

static bool one_matches(const char *pattern, const struct chain_link *certificate)
{
	struct x509_bytes rest = certificate->x509.san, value;
	char digest[X509_DIGEST_TEXT_LEN];
	enum x509_san_type type;

	if (strncmp(pattern, "cn:", 3) == 0)
		return cn_matches(pattern + 3, certificate->x509.subject);
	if (strncmp(pattern, "sha256:", 7) == 0)
		return x509_digest_text(certificate->der, digest) &&
		       strcmp(pattern + 7, digest) == 0;
	while (x509_san_next(&rest, &type, &value))
		if (san_matches(pattern, type, value))
			return true;
	return false;
}

bool allow_matches(const struct policy_list *patterns, const struct chain_link *certificate)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (one_matches(patterns->items[i], certificate))
			return true;
	return false;
}
