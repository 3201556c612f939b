/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/aead.h"
#include <stdatomic.h>
#include <stddef.h>

static _Atomic(const struct aead *) chosen;

const struct aead *aead_chosen(void)
{
	const struct aead *aead = atomic_load_explicit(&chosen, memory_order_acquire);

	if (aead != NULL)
		return aead;
	aead = aead_ipsec_mb();
	if (aead == NULL)
		aead = aead_wolfcrypt();
	aead_choose(aead);
	return aead;
}

void aead_choose(const struct aead *aead)
{
	atomic_store_explicit(&chosen, aead, memory_order_release);
}
