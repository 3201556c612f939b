/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A peer's flight is several records, and wolfSSL asks for each in two parts. They are looked at
 * where they wait, handed out from the copy, and taken from there in one go: two calls of the
 * transport for all of them, and nothing is taken that nobody has asked for.
 */
#ifndef SEAMTLS_TLS_FLIGHT_H
#define SEAMTLS_TLS_FLIGHT_H

#include "handshake.h"

struct flight {
	struct tls_peek peek; /* NULL: read as it is asked for */
	uint8_t *bytes;
	size_t given, seen; /* the transport still has all of bytes[0 .. seen] */
};

void flight_clear(struct flight *flight);

/* As transport->recv(). */
ssize_t flight_read(
	struct flight *flight, const struct tls_transport *transport, uint8_t *buf, size_t len);

/* Before anybody else reads: takes off the transport what was handed out. 0, or -EPROTO: it is not
 * there any more. */
int flight_settle(struct flight *flight, const struct tls_transport *transport);

#endif
