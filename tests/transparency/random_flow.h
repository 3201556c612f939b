/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both ends at once: the ways of waiting (random_ways.c) and what they have in common
 * (random_flow.c). */
#ifndef SEAMTLS_TESTS_RANDOM_FLOW_H
#define SEAMTLS_TESTS_RANDOM_FLOW_H

#include "random.h"

enum style {
	BY_POLL,
	BY_SELECT,
	BY_EPOLL,
	BY_ONESHOT,
	BY_EDGE,       /* until EAGAIN */
	BY_EDGE_SHORT, /* a short count means that there is no more: tokio, HAProxy */
	BY_EDGE_NGINX, /* ... and FIONREAD says how much there is */
	BY_DONTWAIT,   /* poll, and a flag for each call on a blocking descriptor */
	BY_THREAD,     /* one thread writes and another reads, both wait in their calls */
	BY_FORK,       /* the same with processes */
	BY_TIMEOUT,    /* SO_RCVTIMEO and SO_SNDTIMEO */
	STYLES,
};

extern const char *const style_names[STYLES];

struct flow {
	struct end *end;
	int fd;
	struct rng rng;
	enum style style;
	uint64_t out_to, in_to; /* where the streams are to get to */
	bool last;              /* the streams end there */
	bool in_ended;
	bool can_read, can_write; /* as an edge-triggered program knows it */
	bool hung_up;
	int available; /* as nginx knows it; negative: not known */
	size_t write_most, read_most;
	unsigned wakes, empty;
};

/* One step of each direction; false: there is nothing more now. */
bool flow_writes(struct flow *flow);
bool flow_reads(struct flow *flow);
/* The same, for a wait that has said that it is worth it. */
void flow_told_readable(struct flow *flow);
void flow_told_writable(struct flow *flow);
bool flow_out_done(const struct flow *flow);
bool flow_in_done(const struct flow *flow);
bool flow_done(const struct flow *flow);
/* Of a wait's result: false, a signal has ended it. Fails if nothing has happened for long. */
bool flow_woken(struct flow *flow, int result);
/* SHUT_WR, if the stream ends and all is sent. */
void flow_shut_when_done(struct flow *flow);

/* Until both directions are where they are to get to, in the flow's style. */
void flow_go(struct flow *flow);

#endif
