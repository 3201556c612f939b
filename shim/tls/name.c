/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comparisons are ASCII without case and never in a locale. An IP address matches an iPAddress
 * only, a host name a dNSName only. */
#include "tls/name.h"
#include <arpa/inet.h>
#include <string.h>

#define HOST_MAX 253 /* RFC 1035, as text without the last dot */

size_t name_parse_address(const char *name, uint8_t *out)
{
	char text[INET6_ADDRSTRLEN];
	size_t len = strcspn(name, "%");

	if (len >= sizeof text)
		return 0;
	memcpy(text, name, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

/* Without the dot of an absolute name. */
static size_t host_len(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool name_is_host(const char *name)
{
	size_t len = host_len(name);

	if (len == 0 || len > HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_host_char(name[i]) &&
			(name[i] != '.' || i == 0 || name[i - 1] == '.' || i == len - 1))
			return false;
	return true;
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool equal(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static bool equals_dns(struct x509_bytes pattern, const char *name, size_t len)
{
	return pattern.len == len && equal((const char *)pattern.data, name, len);
}

/* RFC 9525 6.3: the wildcard is a whole label, the first, and stands for one label. One over a
 * top-level domain is not believed. */
static bool matches_dns(struct x509_bytes pattern, const char *name, size_t len)
{
	const char *text = (const char *)pattern.data;
	const char *dot;

	if (equals_dns(pattern, name, len))
		return true;
	if (pattern.len < 3 || text[0] != '*' || text[1] != '.' ||
		memchr(text + 2, '.', pattern.len - 2) == NULL)
		return false;
	dot = memchr(name, '.', len);
	if (dot == NULL || dot == name)
		return false;
	len -= (size_t)(dot - name);
	return pattern.len - 1 == len && equal(text + 1, dot, len);
}

bool name_matches(const struct x509 *certificate, const char *name)
{
	struct x509_bytes rest = certificate->san, value;
	enum x509_san_type type;
	uint8_t address[16];
	size_t address_len = name_parse_address(name, address);

	if (address_len == 0 && !name_is_host(name))
		return false;
	while (x509_san_next(&rest, &type, &value)) {
		if (type == X509_IP && address_len > 0 && value.len == address_len &&
			memcmp(value.data, address, address_len) == 0)
			return true;
		if (type == X509_DNS && address_len == 0 &&
			matches_dns(value, name, host_len(name)))
			return true;
	}
	return false;
}

bool name_equals(const struct x509 *certificate, const char *name)
{
	struct x509_bytes rest = certificate->san, value;
	enum x509_san_type type;

	while (x509_san_next(&rest, &type, &value))
		if (type == X509_DNS && equals_dns(value, name, host_len(name)))
			return true;
	return false;
}
