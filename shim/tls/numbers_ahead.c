/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A step draws three to six numbers of a few bytes, each a system call of its own otherwise. */
#include "tls/numbers.h"

#include <wolfssl/wolfcrypt/settings.h>

int numbers_for_step(int (*step)(struct tls_handshake *handshake), struct tls_handshake *handshake)
{
	struct kernel_random_store store;
	int r;

	kernel_random_begin(&store);
	r = step(handshake);
	kernel_random_end(&store);
	return r;
}
