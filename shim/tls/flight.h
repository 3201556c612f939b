/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A peer's flight is several records, and wolfSSL asks for each in two parts. They are looked at
 * where they wait, handed out from the copy, and taken from there in one go: two calls of the
 * transport for all of them, and nothing is taken that nobody has asked for. What comes before the
 * peer can know anything of ours is of the handshake all the same: that is taken at once.
 */
#ifndef SEAMTLS_TLS_FLIGHT_H
#define SEAMTLS_TLS_FLIGHT_H

#include "handshake.h"

struct flight {
	struct tls_peek peek; /* NULL: read as it is asked for */
	uint8_t *bytes;
	size_t given, seen; /* the transport still has all of bytes[0 .. seen], unless .. */
	bool taken;         /* .. they were taken off it */
};

void flight_clear(struct flight *flight);

/* As transport->recv(). With `first` all that comes is of the handshake. */
ssize_t flight_read(struct flight *flight, const struct tls_transport *transport, uint8_t *buf,
	size_t len, bool first);

/* Whether the next flight_read() needs no transport. */
bool flight_waits(const struct flight *flight);

/* Before anybody else reads: takes off the transport what was handed out. 0, or -EPROTO: it is not
 * there any more. What was taken and not handed out stays. */
int flight_settle(struct flight *flight, const struct tls_transport *transport);

#endif
