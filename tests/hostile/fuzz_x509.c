/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A peer's certificate, and everything that is done with one. */
#include "fuzz.h"
#include "tls/chain.h"
#include "tls/name.h"
#include "tls/peer.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct x509_bytes sent[3] = { { data, len }, { data, len / 2 },
		{ data + len / 2, len - len / 2 } };
	static const uint8_t pin[1][32];
	struct tls_peer peer;
	struct chain chain;

	chain_init(&chain, sent, 3);
	if (chain.count == 0)
		return 0;
	memset(&peer, 0, sizeof peer);
	peer_fill(&peer, &chain.link[0]);
	peer_clear(&peer);
	name_matches(&chain.link[0].x509, "server.test");
	name_matches(&chain.link[0].x509, "::1");
	chain_pinned(&chain, pin, 1);
	return 0;
}
