/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fills and empties what audit is told of the peer's certificate. */
#ifndef SEAMTLS_TLS_PEER_H
#define SEAMTLS_TLS_PEER_H

#include "chain.h"
#include "handshake.h"

/* What was in *peer is freed. Fields for which memory is short stay empty. */
void peer_fill(struct tls_peer *peer, const struct chain_link *certificate);
void peer_clear(struct tls_peer *peer);

#endif
