/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a certificate is known by: the SHA-256 of its DER. */
#ifndef SEAMTLS_TLS_X509_DIGEST_H
#define SEAMTLS_TLS_X509_DIGEST_H

#include "x509.h"

#define X509_DIGEST_TEXT_LEN 65

/* In lower-case hex. False: it could not be made; then out is "". */
bool x509_digest_text(struct x509_bytes der, char *out);

#endif
