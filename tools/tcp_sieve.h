/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Of millions of records in the log those few that may be of a connection which is open now, told
 * from their bytes: for `ps`, whose time went into taking all of them apart.
 */
#ifndef SEAMTLS_TOOLS_TCP_SIEVE_H
#define SEAMTLS_TOOLS_TCP_SIEVE_H

#include "tcp_table.h"

#define TCP_SIEVE_BITS 65536

struct tcp_sieve {
	uint64_t bits[TCP_SIEVE_BITS / 64]; /* by a hash of both ends */
};

void tcp_sieve_fill(struct tcp_sieve *sieve, const struct tcp_table *table);

/* False: it is of no connection in the table. For log_filter's may_hold. */
bool tcp_sieve_passes(const uint8_t *record, size_t len, const void *sieve);

#endif
