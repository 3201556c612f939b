/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An own certificate with its chain, and its key, out of whatever they are kept in. */
#ifndef SEAMTLS_TLS_CREDENTIAL_H
#define SEAMTLS_TLS_CREDENTIAL_H

#include "why.h"
#include <stdint.h>

struct credential {
	uint8_t *chain; /* DER, one certificate after the other, the own first */
	size_t chain_len;
	uint8_t *key; /* DER, PKCS#8 or the key's own form */
	size_t key_len;
};

/*
 * Reads the files `cert` and `key`, which may be the same. 0, and credential_clear() is to be
 * called; or -errno with the reason, and there is nothing to clear. Whether the two are a pair is
 * not asked.
 */
int credential_read(
	const char *cert, const char *key, struct credential *out, const struct why *why);
void credential_clear(struct credential *credential); /* wipes */

#endif
