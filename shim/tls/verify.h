/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict on the peer's certificate: wolfSSL's on the chain, then ours on the name and the
 * pins. */
#ifndef SEAMTLS_TLS_VERIFY_H
#define SEAMTLS_TLS_VERIFY_H

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

/* For wolfSSL_CTX_set_verify(); the callback's context (wolfSSL_SetCertCbCtx) is the struct
 * tls_handshake. */
int verify_certificate(int ok, WOLFSSL_X509_STORE_CTX *store);

#endif
