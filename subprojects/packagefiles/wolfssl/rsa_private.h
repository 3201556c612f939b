/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who does RSA's private operation with a modulus of 2048 bits before wolfCrypt does. */
#ifndef SEAMTLS_WOLFSSL_RSA_PRIVATE_H
#define SEAMTLS_WOLFSSL_RSA_PRIVATE_H

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/rsa.h>

/*
 * With key->p and key->q of 1024 bits each, and `out` of *out_len bytes, which may be the same
 * place as `in`. 0: `out` is filled. Another number: it is not, and wolfCrypt is to do it.
 */
typedef int rsa_private_operation(
	RsaKey *key, const byte *in, word32 in_len, byte *out, word32 *out_len);

/* From now on, in any thread. NULL: nobody, as it is in the beginning. */
void rsa_private_choose(rsa_private_operation *operation);
rsa_private_operation *rsa_private_chosen(void);

#endif
