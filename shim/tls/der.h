/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DER, as far as certificates need it: one-byte tags, definite lengths. Pure; the input is hostile.
 */
#ifndef SEAMTLS_TLS_DER_H
#define SEAMTLS_TLS_DER_H

#include "x509.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTC_TIME = 0x17,
	DER_GENERAL_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80,             /* [n] IMPLICIT of a primitive type */
	DER_CONTEXT_CONSTRUCTED = 0xa0, /* [n] EXPLICIT, or of a constructed one */
};

struct der_item {
	uint8_t tag;
	struct x509_bytes content;
	struct x509_bytes whole; /* with tag and length */
};

/* Takes the next item off *in. False: none, or it does not fit; then *in is as it was. */
bool der_next(struct x509_bytes *in, struct der_item *out);

/* The same; false also if it has another tag. */
bool der_expect(struct x509_bytes *in, uint8_t tag, struct der_item *out);

/* Goes past the next item if it has that tag. False: it has, and does not fit. */
bool der_skip_optional(struct x509_bytes *in, uint8_t tag);

/* UTCTime and GeneralizedTime as RFC 5280 4.1.2.5 has them, in seconds since the epoch. */
bool der_time(const struct der_item *item, int64_t *out);

/* The bits of a BIT STRING that has no unused ones at its end. */
bool der_whole_bits(const struct der_item *item, struct x509_bytes *out);

/* Whether the OID's content is these bytes. */
bool der_oid_is(struct x509_bytes oid, const char *bytes, size_t len);

#endif
