/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the audit log says in sum; in bounded memory, however many events there are. */
#ifndef SEAMTLS_TOOLS_TOTALS_H
#define SEAMTLS_TOOLS_TOTALS_H

#include "certs.h"
#include "conns.h"
#include "latency.h"
#include "tally.h"
#include "timeline.h"
#include <stdbool.h>

enum totals_by {
	TOTALS_RULE,
	TOTALS_PROGRAM,
	TOTALS_PEER,
	TOTALS_VERSION,
	TOTALS_CIPHER,
	TOTALS_GROUP,
	TOTALS_RESUMPTION,
	TOTALS_VERIFY,
	TOTALS_PLANE,
	TOTALS_CAUSE,   /* of failures */
	TOTALS_RELAXED, /* a setting that gives safety up, '\n', the rule */
	TOTALS_BYS,
};

/* All zeroes: empty. */
struct totals {
	uint64_t events, first_us, last_us;
	uint64_t count[TALLY_WHATS];
	uint64_t broken; /* protected connections that did not end in good order */
	uint64_t probes; /* clients that came and went without a word; among no others */
	uint64_t lost;   /* events that could not be written */
	struct tally by[TOTALS_BYS];
	struct latency handshake;
	struct certs certs;
	struct timeline timeline;
	struct conns alone; /* connections of which it is not known yet what protects them */
	bool incomplete;    /* there was not enough memory */
};

/* Counts one event; `totals` is a struct totals: for log_source_each(). */
void totals_take(const struct audit_event *event, void *totals);
void totals_clear(struct totals *totals);

/* "rule", "program", ... */
const char *totals_by_name(enum totals_by by);

/* The other side as one that is met again: a server's name or address, with its port; a client's
 * address. "" if it is not known. */
const char *totals_peer(const struct audit_event *event, char *buf, size_t len);

#define TOTALS_PEER_LEN 384

#endif
