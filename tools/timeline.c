/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "timeline.h"
#include <string.h>

#define SHORTEST_US UINT64_C(1000000)
#define LONGEST_US (UINT64_MAX / 2 / TIMELINE_INTERVALS)

/* Two intervals become one. */
static void widen(struct timeline *timeline)
{
	for (int i = 0; i < TIMELINE_INTERVALS; i++) {
		for (int what = 0; what < TIMELINE_WHATS; what++) {
			uint64_t count = timeline->count[i][what];

			timeline->count[i][what] = 0;
			timeline->count[i / 2][what] += count;
		}
	}
	timeline->interval_us *= 2;
}

static uint64_t interval_of(struct timeline *timeline, uint64_t time_us)
{
	uint64_t at;

	if (timeline->interval_us == 0) {
		timeline->interval_us = SHORTEST_US;
		timeline->begin_us = time_us - time_us % SHORTEST_US;
	}
	at = time_us > timeline->begin_us ? time_us - timeline->begin_us : 0;
	while (at / timeline->interval_us >= TIMELINE_INTERVALS &&
		timeline->interval_us < LONGEST_US)
		widen(timeline);
	at /= timeline->interval_us;
	return at < TIMELINE_INTERVALS ? at : TIMELINE_INTERVALS - 1;
}

void timeline_add(struct timeline *timeline, uint64_t time_us, enum timeline_what what)
{
	timeline->count[interval_of(timeline, time_us)][what]++;
}

void timeline_move(
	struct timeline *timeline, uint64_t time_us, enum timeline_what from, enum timeline_what to)
{
	uint64_t *count = timeline->count[interval_of(timeline, time_us)];

	if (count[from] == 0)
		return;
	count[from]--;
	if (to < TIMELINE_WHATS)
		count[to]++;
}
