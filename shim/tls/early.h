/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Early data (RFC 8446 4.2.10) is never sent and never taken. A client that sends some all the
 * same, by the session of another server, is to be answered: its early records are passed over.
 */
#ifndef SEAMTLS_TLS_EARLY_H
#define SEAMTLS_TLS_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_handshake;

struct early {
	bool seen;       /* the first ClientHello, or what is none */
	bool skipping;   /* it offers early data */
	bool last;       /* the record that is given out is the first that is not early */
	uint8_t *record; /* that is being looked at; NULL: none */
	size_t size, have, given;
};

void early_clear(struct early *early);

/* The server's wire_read(), without early records. */
ssize_t early_read(struct tls_handshake *handshake, uint8_t *buf, size_t len);

#endif
