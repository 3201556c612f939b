/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reader for the few places of a DER certificate that matter here (RFC 5280 4.1), flat: no
 * recursion, one pass. */
#include "tls/x509.h"
#include "tls/der.h"
#include <errno.h>
#include <string.h>

static bool der_skip_optional(struct x509_bytes *in, uint8_t tag)
{
	struct der_item item;

	return in->len == 0 || in->data[0] != tag || der_next(in, &item);
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar. timegm() takes a lock, which a forked
 * child may find held. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static int two_digits(const uint8_t *at)
{
	return at[0] >= '0' && at[0] <= '9' && at[1] >= '0' && at[1] <= '9'
		       ? (at[0] - '0') * 10 + at[1] - '0'
		       : -1;
}

/* RFC 5280 4.1.2.5: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ and nothing else. */
static bool time_parse(const struct der_item *item, int64_t *out)
{
	bool general = item->tag == DER_GENERAL_TIME;
	const uint8_t *at = item->content.data;
	int part[7] = { 0 };
	int year;

	if (item->content.len != (general ? 15u : 13u) || (!general && item->tag != DER_UTC_TIME))
		return false;
	for (int i = general ? 0 : 1; i < 7; i++, at += 2) {
		part[i] = two_digits(at);
		if (part[i] < 0)
			return false;
	}
	if (*at != 'Z' || part[2] < 1 || part[2] > 12 || part[3] < 1 || part[3] > 31)
		return false;
	year = general ? part[0] * 100 + part[1] : part[1] + (part[1] < 50 ? 2000 : 1900);
	*out = days_from_civil(year, part[2], part[3]) * 86400 + (int64_t)part[4] * 3600 +
	       (int64_t)part[5] * 60 + part[6];
	return true;
}

static bool basic_constraints_ca(struct x509_bytes value)
{
	struct der_item sequence, ca;

	return der_expect(&value, DER_SEQUENCE, &sequence) &&
	       der_expect(&sequence.content, DER_BOOLEAN, &ca) && ca.content.len == 1 &&
	       ca.content.data[0] != 0;
}

static bool extension_parse(struct x509_bytes extension, struct x509 *out)
{
	struct der_item oid, value, names;

	if (!der_expect(&extension, DER_OID, &oid) || !der_skip_optional(&extension, DER_BOOLEAN) ||
		!der_expect(&extension, DER_OCTETS, &value))
		return false;
	/* 2.5.29.17 and 2.5.29.19 */
	if (oid.content.len != 3 || oid.content.data[0] != 0x55 || oid.content.data[1] != 0x1d)
		return true;
	if (oid.content.data[2] == 19)
		out->is_ca = basic_constraints_ca(value.content);
	if (oid.content.data[2] == 17) {
		if (!der_expect(&value.content, DER_SEQUENCE, &names))
			return false;
		out->san = names.content;
	}
	return true;
}

static bool extensions_parse(struct x509_bytes tbs, struct x509 *out)
{
	struct der_item outer, list, extension;

	while (tbs.len > 0) {
		if (!der_next(&tbs, &outer))
			return false;
		if (outer.tag != (DER_CONTEXT_CONSTRUCTED | 3))
			continue;
		if (!der_expect(&outer.content, DER_SEQUENCE, &list))
			return false;
		while (list.content.len > 0)
			if (!der_expect(&list.content, DER_SEQUENCE, &extension) ||
				!extension_parse(extension.content, out))
				return false;
	}
	return true;
}

int x509_parse(const uint8_t *der, size_t len, struct x509 *out)
{
	struct x509_bytes in = { der, len };
	struct der_item certificate, tbs, serial, algorithm, issuer, validity, subject, spki, from,
		to;

	memset(out, 0, sizeof *out);
	if (!der_expect(&in, DER_SEQUENCE, &certificate) ||
		!der_expect(&certificate.content, DER_SEQUENCE, &tbs))
		return -EBADMSG;
	in = tbs.content;
	if (!der_skip_optional(&in, DER_CONTEXT_CONSTRUCTED) ||
		!der_expect(&in, DER_INTEGER, &serial) ||
		!der_expect(&in, DER_SEQUENCE, &algorithm) ||
		!der_expect(&in, DER_SEQUENCE, &issuer) ||
		!der_expect(&in, DER_SEQUENCE, &validity) ||
		!der_expect(&in, DER_SEQUENCE, &subject) || !der_expect(&in, DER_SEQUENCE, &spki))
		return -EBADMSG;
	if (!der_next(&validity.content, &from) || !time_parse(&from, &out->not_before) ||
		!der_next(&validity.content, &to) || !time_parse(&to, &out->not_after))
		return -EBADMSG;
	out->serial = serial.content;
	out->issuer = issuer.whole;
	out->subject = subject.whole;
	out->spki = spki.whole;
	return extensions_parse(in, out) ? 0 : -EBADMSG;
}

bool x509_san_next(struct x509_bytes *rest, enum x509_san_type *type, struct x509_bytes *value)
{
	struct der_item item;

	while (der_next(rest, &item)) {
		*type = item.tag & 0x1f;
		if (item.tag != (DER_CONTEXT | *type))
			continue;
		if (*type == X509_EMAIL || *type == X509_DNS || *type == X509_URI ||
			*type == X509_IP) {
			*value = item.content;
			return true;
		}
	}
	return false;
}
