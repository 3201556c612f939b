/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The server's tickets (RFC 5077, RFC 8446 4.6.1): stateless, sealed by us, bound to the rule and
 * its settings. The identity of the client is in them.
 */
#ifndef SEAMTLS_TLS_TICKET_H
#define SEAMTLS_TLS_TICKET_H

#include "context_private.h"
#include "why.h"

struct tls_handshake;

/* Has wolfSSL issue and take tickets, or neither. 0 or -errno with the reason. */
int ticket_set(struct tls_context *context, const struct tls_settings *settings, bool tls13,
	const struct why *why);

/*
 * Server, before it reads. A second ClientHello says again what it offers, or offers no ticket any
 * more (RFC 8446 4.1.2), which wolfSSL takes for one that stands in the wrong place. And tickets of
 * this connection are numbered from its beginning, since its secret is a new one; wolfSSL goes on
 * from the one that was resumed, and fails at the 256th.
 */
void ticket_before_read(struct tls_handshake *handshake);

/*
 * TLS 1.3: what wolfSSL has written behind the handshake is taken back, and kept as messages in
 * plaintext (tls_handshake_tickets()). 0 or -errno.
 */
int ticket_keep_back(struct tls_handshake *handshake);

/* A handshake that resumed a session: the client is who the ticket says. False: it was no ticket of
 * ours. */
bool ticket_identify(struct tls_handshake *handshake);

#endif
