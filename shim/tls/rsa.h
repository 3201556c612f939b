/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose code does RSA's private operation with 2048 bits: wolfCrypt's, or one that is there for
 * some processors. A process takes the fastest that its processor has, once. */
#ifndef SEAMTLS_TLS_RSA_H
#define SEAMTLS_TLS_RSA_H

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/rsa.h>

/* As rsa_private_operation of subprojects/packagefiles, which a wolfSSL of the system has not. */
typedef int rsa_operation(RsaKey *key, const byte *in, word32 in_len, byte *out, word32 *out_len);

/* OpenSSL's for AVX-512 IFMA. NULL: this processor has not the instructions for it, or it was not
 * built in. */
rsa_operation *rsa_ifma(void);

/* From now on; wolfCrypt does what it refuses. NULL: wolfCrypt does all. */
void rsa_choose(rsa_operation *operation);
rsa_operation *rsa_chosen(void);

#endif
