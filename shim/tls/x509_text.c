/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A certificate's names as text (RFC 4514). What comes out is printable UTF-8, whatever bytes went
 * in. */
#include "civil.h"
#include "tls/der.h"
#include "tls/x509.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024
#define RDN_MAX 32

/* Full: the last bytes become "...", and nothing more is added. */
struct text {
	size_t len;
	char at[TEXT_MAX];
};

static void text_add(struct text *text, const char *bytes, size_t len)
{
	if (text->len + len + 4 > sizeof text->at) {
		if (text->len < sizeof text->at)
			memcpy(text->at + text->len, "...", 4);
		text->len = sizeof text->at;
		return;
	}
	memcpy(text->at + text->len, bytes, len);
	text->len += len;
	text->at[text->len] = '\0';
}

static void text_hex(struct text *text, const char *before, uint8_t byte)
{
	char hex[8];
	int n = snprintf(hex, sizeof hex, "%s%02X", before, (unsigned)byte);

	text_add(text, hex, (size_t)n);
}

/* The length of the UTF-8 character at `at` if it is valid and printable, else 0. */
static size_t utf8_len(const uint8_t *at, size_t left)
{
	size_t len = at[0] < 0x80   ? 1
		     : at[0] < 0xc2 ? 0
		     : at[0] < 0xe0 ? 2
		     : at[0] < 0xf0 ? 3
		     : at[0] < 0xf5 ? 4
				    : 0;

	if (len > left || (len == 1 && (at[0] < 0x20 || at[0] == 0x7f)))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, overlong forms, surrogates, beyond U+10FFFF */
	if ((len == 2 && at[0] == 0xc2 && at[1] < 0xa0) ||
		(len == 3 && at[0] == 0xe0 && at[1] < 0xa0) ||
		(len == 3 && at[0] == 0xed && at[1] > 0x9f) ||
		(len == 4 && at[0] == 0xf0 && at[1] < 0x90) ||
		(len == 4 && at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return len;
}

/* RFC 4514 2.4; `special`: the characters that get a backslash. */
static void text_escaped(struct text *text, struct x509_bytes value, const char *special)
{
	for (size_t i = 0; i < value.len;) {
		size_t n = utf8_len(value.data + i, value.len - i);
		char c = (char)value.data[i];
		bool edge = special[0] != '\0' && ((i == 0 && (c == ' ' || c == '#')) ||
							  (i == value.len - 1 && c == ' '));

		if (n == 0) {
			text_hex(text, "\\", value.data[i++]);
			continue;
		}
		if (n == 1 && (c == '\\' || strchr(special, c) != NULL || edge))
			text_add(text, "\\", 1);
		text_add(text, (const char *)value.data + i, n);
		i += n;
	}
}

static char *text_dup(const struct text *text)
{
	return strdup(text->len > 0 ? text->at : "");
}

static const struct {
	uint8_t oid[10];
	uint8_t len;
	const char *name;
} attributes[] = {
	{ { 0x55, 0x04, 0x03 }, 3, "CN" },
	{ { 0x55, 0x04, 0x04 }, 3, "SN" },
	{ { 0x55, 0x04, 0x05 }, 3, "serialNumber" },
	{ { 0x55, 0x04, 0x06 }, 3, "C" },
	{ { 0x55, 0x04, 0x07 }, 3, "L" },
	{ { 0x55, 0x04, 0x08 }, 3, "ST" },
	{ { 0x55, 0x04, 0x09 }, 3, "STREET" },
	{ { 0x55, 0x04, 0x0a }, 3, "O" },
	{ { 0x55, 0x04, 0x0b }, 3, "OU" },
	{ { 0x55, 0x04, 0x0c }, 3, "title" },
	{ { 0x55, 0x04, 0x2a }, 3, "GN" },
	{ { 0x55, 0x04, 0x61 }, 3, "organizationIdentifier" },
	{ { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01 }, 10, "UID" },
	{ { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19 }, 10, "DC" },
	{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01 }, 9, "emailAddress" },
};

/* RFC 4514 2.3: dotted decimal if it has no short name. */
static void text_oid(struct text *text, struct x509_bytes oid)
{
	uint32_t arc = 0;
	char part[24];

	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
		if (oid.len == attributes[i].len &&
			memcmp(oid.data, attributes[i].oid, oid.len) == 0) {
			text_add(text, attributes[i].name, strlen(attributes[i].name));
			return;
		}
	for (size_t i = 0, first = 1; i < oid.len; i++) {
		arc = arc << 7 | (oid.data[i] & 0x7f);
		if ((oid.data[i] & 0x80) != 0)
			continue;
		if (first)
			snprintf(part, sizeof part, "%u.%u", arc < 80 ? arc / 40 : 2,
				arc < 80 ? arc % 40 : arc - 80);
		else
			snprintf(part, sizeof part, ".%u", arc);
		text_add(text, part, strlen(part));
		first = 0;
		arc = 0;
	}
}

static bool is_text(uint8_t tag)
{
	/* UTF8String, NumericString, PrintableString, TeletexString, IA5String, VisibleString */
	return tag == 0x0c || tag == 0x12 || tag == 0x13 || tag == 0x14 || tag == 0x16 ||
	       tag == 0x1a;
}

/* One attribute: "CN=text", or "CN=#hex" of what is no text. */
static void text_attribute(struct text *text, struct x509_bytes attribute)
{
	struct der_item oid, value;

	if (!der_expect(&attribute, DER_OID, &oid) || !der_next(&attribute, &value))
		return;
	text_oid(text, oid.content);
	text_add(text, "=", 1);
	if (is_text(value.tag)) {
		text_escaped(text, value.content, "\"+,;<>");
		return;
	}
	text_add(text, "#", 1);
	for (size_t i = 0; i < value.whole.len && i < TEXT_MAX; i++)
		text_hex(text, "", value.whole.data[i]);
}

char *x509_name_text(struct x509_bytes name)
{
	struct der_item sequence, set, attribute;
	struct x509_bytes rdn[RDN_MAX];
	struct text text = { 0, "" };
	size_t count = 0;

	if (der_expect(&name, DER_SEQUENCE, &sequence))
		while (count < RDN_MAX && der_expect(&sequence.content, DER_SET, &set))
			rdn[count++] = set.content;
	/* RFC 4514 2.1: the last comes first. */
	while (count > 0) {
		const char *before = text.len > 0 ? "," : "";

		for (struct x509_bytes *set_left = &rdn[--count];
			der_expect(set_left, DER_SEQUENCE, &attribute); before = "+") {
			text_add(&text, before, strlen(before));
			text_attribute(&text, attribute.content);
		}
	}
	return text_dup(&text);
}

char *x509_san_text(enum x509_san_type type, struct x509_bytes value)
{
	char address[INET6_ADDRSTRLEN];
	struct text text = { 0, "" };

	if (type != X509_IP) {
		const char *before = type == X509_DNS   ? "dns:"
				     : type == X509_URI ? "uri:"
							: "email:";

		text_add(&text, before, strlen(before));
		text_escaped(&text, value, "");
		return text_dup(&text);
	}
	text_add(&text, "ip:", 3);
	if ((value.len == 4 || value.len == 16) &&
		inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.data, address,
			sizeof address) != NULL)
		text_add(&text, address, strlen(address));
	return text_dup(&text);
}

char *x509_serial_text(struct x509_bytes serial)
{
	struct text text = { 0, "" };
	/* A positive INTEGER whose first bit is set has a zero in front. */
	size_t start = serial.len > 1 && serial.data[0] == 0 ? 1 : 0;

	for (size_t i = start; i < serial.len; i++)
		text_hex(&text, "", serial.data[i]);
	return text_dup(&text);
}

void x509_date_text(int64_t when, char *out)
{
	struct civil at = civil_of(when);

	snprintf(out, X509_DATE_LEN, "%04d-%02d-%02d", (int)at.year, at.month, at.day);
}
