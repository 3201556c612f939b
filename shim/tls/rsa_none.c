/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Built without OpenSSL's code for AVX-512 IFMA. */
#include "tls/rsa.h"

#include <stddef.h>

rsa_operation *rsa_ifma(void)
{
	return NULL;
}

void rsa_choose(rsa_operation *operation)
{
	(void)operation;
}

rsa_operation *rsa_chosen(void)
{
	return NULL;
}
