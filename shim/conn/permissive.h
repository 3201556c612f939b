/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `accept = both`: clients with TLS and without on one port, told apart by what they say first. A
 * client that says nothing is not guessed about: nothing is decided until it speaks.
 */
#ifndef SEAMTLS_CONN_PERMISSIVE_H
#define SEAMTLS_CONN_PERMISSIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

enum beginning {
	BEGINS_TLS,   /* a handshake record of SSL 3.0 to TLS 1.3 */
	BEGINS_OLD,   /* the hello of SSL 2.0: it wants TLS, in a form that nobody should accept */
	BEGINS_CLEAR, /* anything else */
	BEGINS_OPEN,  /* it may still become one or the other */
};

/* Of at least one byte. Only those that could be TLS's first are not enough alone. */
#define BEGINNING_MOST 5
enum beginning beginning_of(const uint8_t *head, size_t len);

/* Whether it is not known yet what the client speaks. */
bool permissive_is_undecided(const struct conn *conn);
/* Looks. 0: a handshake; -EAGAIN: still undecided; 1: the connection is the program's own; or it
 * has failed. */
int permissive_look(struct conn *conn, int fd);
/* The program has spoken first. From now on the client's time is limited. */
void permissive_program_speaks(struct conn *conn);
/* ... or waits for these events, and so to speak first if it is for nothing else. */
void permissive_program_waits(struct conn *conn, uint32_t events);

#endif
