/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `require`: whether what both sides begin with is TLS, or SSH. The gate is open once both have
 * begun so: one with a ClientHello, the other with a ServerHello or an alert; until then every
 * record is one of TLS by its header. What TLS agrees on is its own affair. Pure, without pointers:
 * it may be shared, or tried on a copy.
 */
#ifndef SEAMTLS_TLS_GATE_H
#define SEAMTLS_TLS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may begin; the same as enum policy_require. */
enum { GATE_TLS = 1, GATE_SSH = 2 };

enum gate_verdict {
	GATE_CLOSED, /* fine so far */
	GATE_OPEN,
	GATE_REFUSED,
};

struct gate_way {
	uint8_t head[6]; /* a record's header, and at the beginning a message's type */
	uint8_t len;
	uint8_t begun; /* enum gate_beginning; 0: not yet */
	uint32_t left; /* bytes of the record */
};

/* All zeroes but `allowed`: nothing so far. */
struct gate {
	uint8_t allowed;
	bool refused;           /* for good */
	struct gate_way way[2]; /* enum recognise_way */
};

/* Bytes that a direction goes on with. */
enum gate_verdict gate_take(struct gate *gate, unsigned way, const uint8_t *data, size_t len);

#endif
