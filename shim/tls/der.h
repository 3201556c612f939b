/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DER, as far as certificates need it: one-byte tags, definite lengths. Pure; the input is hostile.
 */
#ifndef SEAMTLS_TLS_DER_H
#define SEAMTLS_TLS_DER_H

#include "x509.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
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

#endif
