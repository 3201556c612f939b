/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is inside of items: times, bits, object identifiers. */
#include "tls/der.h"
#include <string.h>

bool der_skip_optional(struct x509_bytes *in, uint8_t tag)
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
bool der_time(const struct der_item *item, int64_t *out)
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

bool der_whole_bits(const struct der_item *item, struct x509_bytes *out)
{
	if (item->tag != DER_BITS || item->content.len < 1 || item->content.data[0] != 0)
		return false;
	*out = (struct x509_bytes){ item->content.data + 1, item->content.len - 1 };
	return true;
}

bool der_oid_is(struct x509_bytes oid, const char *bytes, size_t len)
{
	return oid.len == len && memcmp(oid.data, bytes, len) == 0;
}
