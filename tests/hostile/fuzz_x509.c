/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A peer's certificate, and everything that is done with one. */
#include "fuzz.h"
#include "tls/allow.h"
#include "tls/chain.h"
#include "tls/fitness.h"
#include "tls/name.h"
#include "tls/peer.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct x509_bytes sent[3] = { { data, len }, { data, len / 2 },
		{ data + len / 2, len - len / 2 } };
	static const uint8_t pin[1][32];
	static char *items[] = { "dns:*.test", "uri:spiffe://test/*/x", "ip:127.0.0.0/8",
		"email:*@test", "cn:a*b*c", "sha256:00" };
	static const struct policy_list patterns = { 6, items };
	char text[256];
	struct why say = { text, sizeof text, NULL };
	struct anchors anchors;
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
	allow_matches(&patterns, &chain.link[0]);
	memset(&anchors, 0, sizeof anchors);
	if (anchors_add(&anchors, &chain.link[0].x509) == 0 &&
		chain_find(&chain, sent, 3, &anchors) == 0)
		fitness_check(&chain, X509_SERVER_AUTH, 1800000000, &say);
	fitness_check_strength(&chain, &say);
	anchors_clear(&anchors);
	return 0;
}
