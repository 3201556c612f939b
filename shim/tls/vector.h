/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers and vectors of TLS's presentation language (RFC 8446 3), taken off the front of bytes.
 * False: there are fewer than that. */
#ifndef SEAMTLS_TLS_VECTOR_H
#define SEAMTLS_TLS_VECTOR_H

#include "x509.h"

bool vector_take(struct x509_bytes *in, size_t len, struct x509_bytes *out);
/* Of `width` bytes, at most 4. */
bool vector_take_number(struct x509_bytes *in, size_t width, size_t *out);
/* A vector whose length is a number of `width` bytes. */
bool vector_take_vector(struct x509_bytes *in, size_t width, struct x509_bytes *out);

#endif
