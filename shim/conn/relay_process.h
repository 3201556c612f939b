/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The process that serves a relay's inside end.
 */
#ifndef SEAMTLS_CONN_RELAY_PROCESS_H
#define SEAMTLS_CONN_RELAY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;

struct relay_job {
	struct conn *conn;
	int fd;               /* of the connection */
	int inside;           /* of the pair; or a pipe that ends with exec() */
	bool reads;           /* what the peer sends is wanted at once */
	bool takes_handshake; /* in the place of this process */
	bool exec;            /* only waits for exec(), then ends the connection .. */
	pid_t host;           /* .. in the place of this process */
	uint32_t turn;        /* relays of the same connection before it */
};

/* In a fresh copy of the process, all signals blocked. */
void relay_serve(const struct relay_job *job) __attribute__((noreturn));

#endif
