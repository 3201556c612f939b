/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/session.h"
#include "tls/chain.h"
#include "tls/handshake_private.h"
#include "tls/judge.h"
#include "tls/peer.h"
#include "tls/session_client.h"
#include "tls/ticket.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PEER_LEN_MOST 65535
#define LENGTH_LEN 2 /* of a certificate in a session_peer */

bool session_peer_set(struct session_peer *peer, const uint8_t *bytes, size_t len)
{
	session_peer_clear(peer);
	if (len == 0 || len > PEER_LEN_MOST)
		return false;
	peer->bytes = malloc(len);
	if (peer->bytes == NULL)
		return false;
	memcpy(peer->bytes, bytes, len);
	peer->len = len;
	return true;
}

bool session_peer_note(struct session_peer *peer, const struct x509_bytes *sent, size_t count)
{
	size_t len = 0;

	session_peer_clear(peer);
	for (size_t i = 0; i < count; i++)
		len += LENGTH_LEN + sent[i].len;
	peer->bytes = len > 0 && len <= PEER_LEN_MOST ? malloc(len) : NULL;
	for (size_t i = 0; i < count && peer->bytes != NULL; i++) {
		uint8_t *at = peer->bytes + peer->len;

		at[0] = (uint8_t)(sent[i].len >> 8);
		at[1] = (uint8_t)sent[i].len;
		memcpy(at + LENGTH_LEN, sent[i].data, sent[i].len);
		peer->len += LENGTH_LEN + sent[i].len;
	}
	return peer->bytes != NULL;
}

void session_peer_clear(struct session_peer *peer)
{
	free(peer->bytes);
	*peer = (struct session_peer){ NULL, 0 };
}

static size_t certificates_of(const struct session_peer *peer, struct x509_bytes sent[CHAIN_MAX])
{
	size_t count = 0;

	for (size_t at = 0; at + LENGTH_LEN <= peer->len && count < CHAIN_MAX;) {
		size_t len = (size_t)(peer->bytes[at] << 8 | peer->bytes[at + 1]);

		at += LENGTH_LEN;
		if (len > peer->len - at)
			break;
		sent[count++] = (struct x509_bytes){ peer->bytes + at, len };
		at += len;
	}
	return count;
}

/* `to`: the peer of the verdict, or NULL. */
static bool judge_again(const struct tls_handshake *handshake, const struct session_peer *peer,
	struct tls_peer *to, const struct why *why)
{
	struct x509_bytes sent[CHAIN_MAX];
	struct evidence evidence = { sent, certificates_of(peer, sent), handshake->name };
	struct chain *chain = malloc(sizeof *chain);
	bool good;

	if (chain == NULL)
		return false;
	good = judge_peer(handshake->context, &evidence, chain, why) == 0;
	if (good && handshake->also != NULL)
		good = chain->count > 0 &&
		       judge_name(&chain->link[0].x509, handshake->also, why) == 0;
	if (good && to != NULL && chain->count > 0)
		peer_fill(to, &chain->link[0]);
	free(chain);
	return good;
}

bool session_peer_is_good(const struct tls_handshake *handshake, const struct session_peer *peer)
{
	char text[TLS_REASON_MAX];
	struct why why = { text, sizeof text, NULL };

	return judge_again(handshake, peer, NULL, &why);
}

bool session_peer_tell(struct tls_handshake *handshake)
{
	struct tls_result *result = &handshake->result;
	struct why why = { result->verify, sizeof result->verify, &result->cause };

	handshake->accepted = judge_again(handshake, &handshake->peer, &result->peer, &why);
	handshake->also_met = handshake->accepted;
	return handshake->accepted;
}

int session_set(struct tls_context *context, const struct tls_settings *settings, bool tls13,
	const struct why *why)
{
	bool asks = context->role == TLS_CLIENT ? settings->verify != POLICY_VERIFY_NONE
						: settings->client_auth != POLICY_CLIENT_NONE;

	/* A session of a version or suite that is not offered any more would fail. */
	binding_add(context->binding, &settings->min_version, sizeof settings->min_version);
	binding_add(context->binding, &settings->max_version, sizeof settings->max_version);
	for (size_t i = 0; i < settings->ciphers.count; i++)
		tls_context_bind(context, settings->ciphers.items[i]);
	binding_add_files(context->binding, &settings->cert);
	if (asks) {
		binding_add_files(context->binding, &settings->ca);
		binding_add_files(context->binding, &settings->crl);
	}
	return context->role == TLS_CLIENT ? session_client_set(context, settings)
					   : ticket_set(context, settings, tls13, why);
}

int session_finish(struct tls_handshake *handshake)
{
	bool client = handshake->context->role == TLS_CLIENT;

	if (wolfSSL_session_reused(handshake->ssl)) {
		handshake->accepted = false;
		if (!(client ? session_client_identify(handshake) : ticket_identify(handshake)))
			return -EPROTO;
	} else {
		handshake->since_s = 0;
	}
	return client ? session_client_keep(handshake) : ticket_keep_back(handshake);
}

void session_fail(struct tls_handshake *handshake)
{
	if (handshake->offered)
		session_cache_drop(handshake->session_key);
}
