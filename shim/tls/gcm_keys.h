/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Expanded keys of AES-GCM, for libipsec-mb. One takes 1 KB and 100 ns, so a process keeps those
 * that it has used last: a bounded number, found by the key's bytes, in memory that is in no core
 * dump and that a forked child finds empty.
 */
#ifndef SEAMTLS_TLS_GCM_KEYS_H
#define SEAMTLS_TLS_GCM_KEYS_H

#include "tls/ipsec_mb.h"
#include "tls/record.h"

/* What its instructions want of an address. */
#define GCM_KEY_ALIGNMENT 64

struct gcm_slot;

/* While an expanded key is in use. */
struct gcm_key {
	const struct gcm_key_data *data;
	struct gcm_slot *slot;                               /* where it is kept; NULL: in `own` */
	_Alignas(GCM_KEY_ALIGNMENT) struct gcm_key_data own; /* written only if it is used */
};

/* Never fails and never waits: another thread's slot is left to it. */
void gcm_key_take(const struct record_key *key, struct gcm_key *out);
void gcm_key_give(struct gcm_key *from);
/* Wipes what is kept of the key, unless another thread uses that very slot at this moment. */
void gcm_key_forget(const struct record_key *key);

#endif
