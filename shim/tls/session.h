/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sessions in a handshake: the client's, which it keeps and offers; what both roles remember of the
 * peer, since a resumed handshake has no certificates: they are judged again instead.
 */
#ifndef SEAMTLS_TLS_SESSION_H
#define SEAMTLS_TLS_SESSION_H

#include "context_private.h"
#include "session_cache.h"
#include "why.h"

struct tls_handshake;

/* The certificates that the peer has shown, its own first: each in DER, behind its length. Empty:
 * it has shown none. */
struct session_peer {
	uint8_t *bytes;
	size_t len;
};

/* False: no memory, or they cannot be so many. */
bool session_peer_note(struct session_peer *peer, const struct x509_bytes *sent, size_t count);
bool session_peer_set(struct session_peer *peer, const uint8_t *bytes, size_t len);
void session_peer_clear(struct session_peer *peer);
/* Whether it is trusted now, by the settings and lists of now. */
bool session_peer_is_good(const struct tls_handshake *handshake, const struct session_peer *peer);
/* The same of handshake->peer, into the handshake's result. */
bool session_peer_tell(struct tls_handshake *handshake);

/* What the settings say of sessions. 0, or -errno with the reason. */
int session_set(struct tls_context *context, const struct tls_settings *settings, bool tls13,
	const struct why *why);

/* wolfSSL is through: whom a resumed session belongs to, and what is kept of a new one. 0; -EPROTO:
 * it has resumed what it was not given; -ENOMEM. */
int session_finish(struct tls_handshake *handshake);
/* The handshake ends without success: nothing is offered to this peer again. */
void session_fail(struct tls_handshake *handshake);

#endif
