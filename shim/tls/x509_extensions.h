/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The extensions of a certificate (RFC 5280 4.2), and of whatever has them in the same form. */
#ifndef SEAMTLS_TLS_X509_EXTENSIONS_H
#define SEAMTLS_TLS_X509_EXTENSIONS_H

#include "x509.h"

struct x509_extension {
	struct x509_bytes oid;
	bool critical;
	struct x509_bytes value; /* the OCTET STRING's content */
};

/* Takes the next Extension off *list, the content of a SEQUENCE OF them. False: it is none. */
bool x509_extension_next(struct x509_bytes *list, struct x509_extension *out);

/* Whether the extension is {2 5 29 number}. */
bool x509_extension_is(const struct x509_extension *extension, uint8_t number);

/* What follows the key in a certificate, into out. False: it is malformed. */
bool x509_extensions_parse(struct x509_bytes rest, struct x509 *out);

#endif
