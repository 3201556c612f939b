/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `require`: whether what both sides begin with is TLS, or SSH. The gate is open once both have
 * begun so: one with a ClientHello, the other with a ServerHello that has chosen a version which
 * will do, and a cipher suite that encrypts; until then every record is one of TLS by its header.
 * What else TLS agrees on is its own affair. Pure, without pointers: it may be shared, or tried on
 * a copy.
 */
#ifndef SEAMTLS_TLS_GATE_H
#define SEAMTLS_TLS_GATE_H

#include "tls/gate_hello.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may begin, any of; the same as enum policy_require. */
enum { GATE_TLS = 1, GATE_SSH = 2, GATE_TLS12 = 4, GATE_TLS13 = 8 };

enum gate_verdict {
	GATE_CLOSED, /* fine so far */
	GATE_OPEN,
	GATE_REFUSED,
	GATE_TOO_OLD, /* refused: a version below what may be */
	GATE_UNSAFE,  /* refused: a cipher suite that encrypts nothing */
};

struct gate_way {
	uint8_t head[6]; /* a record's header, and at the beginning a message's type */
	uint8_t len;
	uint8_t begun; /* enum gate_beginning; 0: not yet */
	bool alerted;  /* with an alert; a handshake may follow */
	uint8_t type;  /* of the record */
	uint32_t left; /* bytes of it */
};

/* All zeroes but `allowed`: nothing so far. */
struct gate {
	uint8_t allowed;
	bool refused;            /* for good */
	struct gate_way way[2];  /* enum recognise_way */
	struct gate_hello hello; /* the ServerHello */
};

/* Bytes that a direction goes on with. */
enum gate_verdict gate_take(struct gate *gate, unsigned way, const uint8_t *data, size_t len);

#endif
