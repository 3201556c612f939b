/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What comes before the handshake where a protocol has an upgrade of its own, spoken for the
 * program (RFC 3207, 3501, 2595, 4642, 4511; PostgreSQL's SSLRequest). Bytes in, bytes out: no
 * sockets, no waits, no program. Everything a peer says is bounded, and what comes from it into a
 * sentence is made printable.
 */
#ifndef SEAMTLS_CONN_STARTTLS_H
#define SEAMTLS_CONN_STARTTLS_H

#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct starttls;

enum starttls_state {
	STARTTLS_PEER,    /* the peer is to say something */
	STARTTLS_PROGRAM, /* a server: the program has not said its greeting yet */
	STARTTLS_UPGRADE, /* what is left to send, and then the handshake */
	STARTTLS_OVER,    /* what is left to send, and then the end: see starttls_reason() */
};

/* `self`: the address of this end, for those who have to introduce themselves. NULL: no memory. */
struct starttls *starttls_new(enum policy_starttls protocol, bool server, const char *self);
void starttls_free(struct starttls *starttls); /* wipes; NULL is legal */

/* Whether the server speaks first. */
bool starttls_greets(enum policy_starttls protocol);

enum starttls_state starttls_state(const struct starttls *starttls);
/* Why it is over: a sentence. */
const char *starttls_reason(const struct starttls *starttls);
/* ... because the peer has left, and nobody has refused anything. */
bool starttls_left(const struct starttls *starttls);

/*
 * STARTTLS_PEER: bytes that the peer has sent, and that are still in the kernel. Returns how many
 * of them are the dialogue's; they are kept. The others may be TLS, and are not to be taken.
 */
size_t starttls_hear(struct starttls *starttls, const uint8_t *data, size_t len);
/* STARTTLS_PROGRAM: the same of what the program has written. */
size_t starttls_hear_program(struct starttls *starttls, const uint8_t *data, size_t len);

/* What is to be sent; *len 0: nothing. starttls_sent() takes it away from the front. */
const uint8_t *starttls_pending(const struct starttls *starttls, size_t *len);
void starttls_sent(struct starttls *starttls, size_t len);

/* A client: what the server has greeted with, as the program is to read it. *len 0: nothing. */
const uint8_t *starttls_greeting(const struct starttls *starttls, size_t *len);

/*
 * PostgreSQL's client asks for encryption before anything else, and goes on without where it is
 * told that there is none: then, in TLS already, it is told so. Whether what the program has
 * written is such a request.
 */
bool starttls_is_request(const uint8_t *data, size_t len);
#define STARTTLS_REQUEST_LEN 8
#define STARTTLS_REQUEST_ANSWER 'N'

#endif
