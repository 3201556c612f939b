/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happened when, in a fixed number of intervals, which are made longer by powers of two as
 * the time they have to cover grows. Events come in the order of time, or nearly so.
 */
#ifndef SEAMTLS_TOOLS_TIMELINE_H
#define SEAMTLS_TOOLS_TIMELINE_H

#include <stdint.h>

#define TIMELINE_INTERVALS 120

enum timeline_what {
	TIMELINE_PROTECTED,
	TIMELINE_OWN, /* by the program itself */
	TIMELINE_CLEAR,
	TIMELINE_FAILED,
	TIMELINE_WHATS
};

/* All zeroes: empty. */
struct timeline {
	uint64_t begin_us, interval_us; /* 0: nothing so far */
	uint64_t count[TIMELINE_INTERVALS][TIMELINE_WHATS];
};

void timeline_add(struct timeline *timeline, uint64_t time_us, enum timeline_what what);
/* What was added at that time has turned out to be something else (TIMELINE_WHATS: nothing). */
void timeline_move(struct timeline *timeline, uint64_t time_us, enum timeline_what from,
	enum timeline_what to);

#endif
