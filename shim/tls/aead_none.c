/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Built without libipsec-mb. */
#include "tls/aead.h"
#include <stddef.h>

const struct aead *aead_ipsec_mb(void)
{
	return NULL;
}
