/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client and a server of ours, and somebody between them who knows all their secrets: each
 * message of the handshake is shown in the clear, may be changed, and goes on under the key that
 * the receiver expects. So what is wrong reaches any depth without an authentication tag in its
 * way.
 */
#ifndef SEAMTLS_TESTS_MIDDLE_H
#define SEAMTLS_TESTS_MIDDLE_H

#include "fixture.h"

#define MIDDLE_MESSAGE_MOST 65536

struct middle_message {
	enum tls_role from;
	unsigned number; /* of those from there: 0, 1, ... */
	uint8_t *bytes;  /* with the head; room for MIDDLE_MESSAGE_MOST */
	size_t len;
};

struct middle;

/* What is done with a message: it may send any records, this one or others. */
typedef void middle_change(struct middle *middle, struct middle_message *message, void *arg);

/* Records of this type to the other side, of at most `most` bytes each, under the key of the
 * moment.
 */
void middle_send(struct middle *middle, enum tls_role from, enum record_type type,
	const uint8_t *data, size_t len, size_t most);

struct middle_end {
	int result; /* of tls_handshake_step() */
	struct tls_result said;
	unsigned alerts;                 /* that it sent, without warnings */
	bool read_all;                   /* that was sent to it */
	struct record_key send, receive; /* if the result is 0 */
};

/* Both ends, as far as they come. `variant`: see fixture_context(). */
void middle_run(unsigned variant, middle_change *change, void *arg, struct middle_end ends[2]);

#endif
