/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a ServerHello chooses (RFC 8446 4.1.3), byte by byte, wherever calls and records cut it:
 * nothing of it is kept. Pure, without pointers.
 */
#ifndef SEAMTLS_TLS_GATE_HELLO_H
#define SEAMTLS_TLS_GATE_HELLO_H

#include <stdbool.h>
#include <stdint.h>

/* All zeroes: nothing of it has come but its type. */
struct gate_hello {
	uint8_t step;  /* which of its fields */
	uint16_t left; /* bytes of that */
	uint32_t value;
	uint32_t message_left;
	uint16_t extension;
	uint16_t version, suite; /* chosen, once it is whole */
	bool whole, malformed;
};

/* The next byte behind the type. */
void gate_hello_take(struct gate_hello *hello, uint8_t byte);

#endif
