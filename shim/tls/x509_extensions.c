/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether an extension that is critical is understood at all is seen to by wolfSSL, which knows
 * more of them. */
#include "tls/x509_extensions.h"
#include "tls/der.h"
#include <string.h>

#define PATH_LEN_MAX 127

bool x509_extension_next(struct x509_bytes *list, struct x509_extension *out)
{
	struct der_item extension, oid, critical, value;
	struct x509_bytes in;

	if (!der_expect(list, DER_SEQUENCE, &extension))
		return false;
	in = extension.content;
	out->critical = false;
	if (!der_expect(&in, DER_OID, &oid))
		return false;
	if (in.len > 0 && in.data[0] == DER_BOOLEAN) {
		if (!der_next(&in, &critical) || critical.content.len != 1)
			return false;
		out->critical = critical.content.data[0] != 0;
	}
	if (!der_expect(&in, DER_OCTETS, &value))
		return false;
	out->oid = oid.content;
	out->value = value.content;
	return true;
}

bool x509_extension_is(const struct x509_extension *extension, uint8_t number)
{
	const char oid[] = { 0x55, 0x1d, (char)number };

	return der_oid_is(extension->oid, oid, sizeof oid);
}

static bool basic_constraints(struct x509_bytes value, struct x509 *out)
{
	struct der_item sequence, item;
	struct x509_bytes in;

	if (!der_expect(&value, DER_SEQUENCE, &sequence))
		return false;
	in = sequence.content;
	if (in.len > 0 && in.data[0] == DER_BOOLEAN) {
		if (!der_next(&in, &item) || item.content.len != 1)
			return false;
		out->is_ca = item.content.data[0] != 0;
	}
	if (in.len == 0)
		return true;
	if (!der_expect(&in, DER_INTEGER, &item) || item.content.len == 0 ||
		(item.content.data[0] & 0x80) != 0)
		return false;
	out->path_len = item.content.len > 1 || item.content.data[0] > PATH_LEN_MAX
				? PATH_LEN_MAX
				: item.content.data[0];
	return true;
}

static bool key_usage(struct x509_bytes value, struct x509 *out)
{
	struct der_item bits;
	uint8_t first;

	if (!der_expect(&value, DER_BITS, &bits) || bits.content.len < 1)
		return false;
	first = bits.content.len > 1 ? bits.content.data[1] : 0;
	out->usage = ((first & 0x80) != 0 ? X509_DIGITAL_SIGNATURE : 0) |
		     ((first & 0x04) != 0 ? X509_CERT_SIGN : 0) |
		     ((first & 0x02) != 0 ? X509_CRL_SIGN : 0);
	return true;
}

static bool extended_key_usage(struct x509_bytes value, struct x509 *out)
{
	static const char kp[] = "\x2b\x06\x01\x05\x05\x07\x03"; /* 1.3.6.1.5.5.7.3 */
	static const char any[] = "\x55\x1d\x25\x00";
	struct der_item sequence, oid;

	if (!der_expect(&value, DER_SEQUENCE, &sequence))
		return false;
	out->purposes = 0;
	while (sequence.content.len > 0) {
		if (!der_expect(&sequence.content, DER_OID, &oid))
			return false;
		if (der_oid_is(oid.content, any, 4))
			out->purposes |= X509_PURPOSE_ANY;
		if (oid.content.len != 8 || memcmp(oid.content.data, kp, 7) != 0)
			continue;
		out->purposes |= oid.content.data[7] == 1   ? X509_SERVER_AUTH
				 : oid.content.data[7] == 2 ? X509_CLIENT_AUTH
				 : oid.content.data[7] == 9 ? X509_OCSP_SIGNING
							    : 0;
	}
	return true;
}

/* RFC 7633: numbers of TLS extensions; 5 is status_request. */
static bool tls_feature(struct x509_bytes value, struct x509 *out)
{
	struct der_item sequence, number;

	if (!der_expect(&value, DER_SEQUENCE, &sequence))
		return false;
	while (sequence.content.len > 0) {
		if (!der_expect(&sequence.content, DER_INTEGER, &number))
			return false;
		if (number.content.len == 1 && number.content.data[0] == 5)
			out->must_staple = true;
	}
	return true;
}

static bool names(struct x509_bytes value, struct x509_bytes *out)
{
	struct der_item sequence;

	if (!der_expect(&value, DER_SEQUENCE, &sequence))
		return false;
	*out = sequence.content;
	return true;
}

static bool extension_parse(const struct x509_extension *extension, struct x509 *out)
{
	static const char feature[] = "\x2b\x06\x01\x05\x05\x07\x01\x18"; /* 1.3.6.1.5.5.7.1.24 */

	if (der_oid_is(extension->oid, feature, 8))
		return tls_feature(extension->value, out);
	if (x509_extension_is(extension, 15))
		return key_usage(extension->value, out);
	if (x509_extension_is(extension, 17))
		return names(extension->value, &out->san);
	if (x509_extension_is(extension, 19))
		return basic_constraints(extension->value, out);
	if (x509_extension_is(extension, 31))
		return names(extension->value, &out->crl_points);
	if (x509_extension_is(extension, 37))
		return extended_key_usage(extension->value, out);
	return true;
}

bool x509_extensions_parse(struct x509_bytes rest, struct x509 *out)
{
	struct der_item outer, list;
	struct x509_extension extension;

	out->path_len = -1;
	out->usage = X509_USAGE_ANY;
	out->purposes = X509_PURPOSE_ANY;
	while (rest.len > 0) {
		if (!der_next(&rest, &outer))
			return false;
		if (outer.tag != (DER_CONTEXT_CONSTRUCTED | 3))
			continue;
		if (!der_expect(&outer.content, DER_SEQUENCE, &list))
			return false;
		while (list.content.len > 0)
			if (!x509_extension_next(&list.content, &extension) ||
				!extension_parse(&extension, out))
				return false;
	}
	return true;
}
