/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wolfCrypt's rsa.c, in which the one call of the private operation with 2048 bits goes by way of
 * whom seamtls has chosen for it. */
#include <wolfssl/wolfcrypt/libwolfssl_sources.h>

#include "rsa_private.h"

#include <stdatomic.h>
#include <wolfssl/wolfcrypt/sp.h>

static _Atomic(rsa_private_operation *) chosen;

void rsa_private_choose(rsa_private_operation *operation)
{
	atomic_store_explicit(&chosen, operation, memory_order_release);
}

rsa_private_operation *rsa_private_chosen(void)
{
	return atomic_load_explicit(&chosen, memory_order_acquire);
}

static int private_2048(RsaKey *key, const byte *in, word32 in_len, byte *out, word32 *out_len)
{
	rsa_private_operation *operation = rsa_private_chosen();

	if (operation != NULL && operation(key, in, in_len, out, out_len) == 0)
		return 0;
	return sp_RsaPrivate_2048(in, in_len, &key->d, &key->p, &key->q, &key->dP, &key->dQ,
		&key->u, &key->n, out, out_len);
}

/* The parts of the key are those of `key` there. */
#define sp_RsaPrivate_2048(in, in_len, d, p, q, dp, dq, u, n, out, out_len)                        \
	private_2048(key, in, in_len, out, out_len)

#include "wolfcrypt/src/rsa.c"
