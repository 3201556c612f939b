/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The certificates that a peer has sent, told one by one, with what is missing between them. */
#ifndef SEAMTLS_TOOLS_LIVE_CHAIN_H
#define SEAMTLS_TOOLS_LIVE_CHAIN_H

#include "doctor.h"
#include "tls/context.h"
#include <stddef.h>
#include <stdint.h>

#define LIVE_CHAIN_MAX 16

/* All zeroes: empty. */
struct live_chain {
	size_t count;
	struct {
		uint8_t *der;
		size_t len;
	} certificates[LIVE_CHAIN_MAX];
};

/* Takes a copy of the next certificate; `chain` is a struct live_chain. What is too much is left
 * out. */
void live_chain_add(const uint8_t *der, size_t len, void *chain);
void live_chain_clear(struct live_chain *chain);

/* Tells of each: subject, names, issuer, validity, key and digest; and where the chain is broken,
 * or whether it ends at one of the context's CAs. */
void live_chain_tell(const struct live_chain *chain, const struct tls_context *context,
	doctor_tell *tell, void *arg);

#endif
