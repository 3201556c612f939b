/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The certificates that a peer sent, in the order that leads from its own to the one that its trust
 * anchor signed. */
#ifndef SEAMTLS_TLS_CHAIN_H
#define SEAMTLS_TLS_CHAIN_H

#include "anchors.h"
#include "x509.h"

#define CHAIN_MAX 10

struct chain_link {
	struct x509_bytes der;
	struct x509 x509;
	size_t sent; /* which of those that were sent it is */
};

struct chain {
	size_t count;
	struct chain_link link[CHAIN_MAX]; /* each is issued by the next */
	const struct anchor *anchor; /* ... and the last by this; NULL: by none that is known */
};

/* From what was sent, the peer's own certificate first, going by the names alone: to say where it
 * ends. Empty if the first cannot be parsed. */
void chain_init(struct chain *chain, const struct x509_bytes *sent, size_t count);

/*
 * A way from the first of what was sent to an anchor, every signature on it checked. 0; -EBADMSG:
 * the first cannot be parsed; -ENOMEM; -ENOKEY: there is no such way, and the chain is as
 * chain_init() makes it.
 */
int chain_find(struct chain *chain, const struct x509_bytes *sent, size_t count,
	const struct anchors *anchors);

/* Who issued the link: its name and its key. False: that is not in the chain. */
bool chain_issuer(const struct chain *chain, size_t link, struct issuer *out);

/*
 * Whether a key on the way up, the anchor's included, is pinned: SHA-256 of its
 * SubjectPublicKeyInfo is one of `pins`. A certificate that was merely sent along proves nothing,
 * so every signature from the pinned one down to the peer's own is checked, and that each is a
 * CA's.
 */
bool chain_pinned(const struct chain *chain, const uint8_t (*pins)[32], size_t pin_count);

#endif
