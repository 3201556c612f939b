/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open addressing, linear probing; what is taken out is filled from behind. */
#include "conns.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 1024
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

static size_t home(const struct conns *conns, uint64_t conn)
{
	return (size_t)((conn * SPREAD) >> 32) & (conns->room - 1);
}

/* Where it is, or where it would be. */
static size_t place(const struct conns *conns, uint64_t conn)
{
	size_t at = home(conns, conn);

	while (conns->entries[at].conn != 0 && conns->entries[at].conn != conn)
		at = (at + 1) & (conns->room - 1);
	return at;
}

static int grow(struct conns *conns)
{
	struct conns bigger = { .room = conns->room > 0 ? 2 * conns->room : ROOM_FIRST,
		.count = conns->count };

	bigger.entries = calloc(bigger.room, sizeof *bigger.entries);
	if (bigger.entries == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conns->room; i++)
		if (conns->entries[i].conn != 0)
			bigger.entries[place(&bigger, conns->entries[i].conn)] = conns->entries[i];
	free(conns->entries);
	*conns = bigger;
	return 0;
}

int conns_add(struct conns *conns, uint64_t conn, uint64_t time_us, const char *peer)
{
	struct conns_entry *entry;
	char *copy;

	if (conn == 0 || conns->count == CONNS_MAX)
		return 0;
	if (2 * (conns->count + 1) > conns->room && grow(conns) < 0)
		return -ENOMEM;
	copy = strdup(peer);
	if (copy == NULL)
		return -ENOMEM;
	entry = &conns->entries[place(conns, conn)];
	conns->count += entry->conn == 0;
	free(entry->peer);
	entry->conn = conn;
	entry->time_us = time_us;
	entry->peer = copy;
	return 0;
}

/* No gap may come between an entry and its home. */
static void close_gap(struct conns *conns, size_t gap)
{
	size_t mask = conns->room - 1;

	for (size_t at = (gap + 1) & mask; conns->entries[at].conn != 0; at = (at + 1) & mask) {
		size_t from_home = (at - home(conns, conns->entries[at].conn)) & mask;

		if (from_home >= ((at - gap) & mask)) {
			conns->entries[gap] = conns->entries[at];
			gap = at;
		}
	}
	conns->entries[gap] = (struct conns_entry){ 0 };
}

bool conns_take(struct conns *conns, uint64_t conn, struct conns_entry *out)
{
	size_t at;

	if (conn == 0 || conns->count == 0)
		return false;
	at = place(conns, conn);
	if (conns->entries[at].conn == 0)
		return false;
	*out = conns->entries[at];
	close_gap(conns, at);
	conns->count--;
	return true;
}

void conns_clear(struct conns *conns)
{
	for (size_t i = 0; i < conns->room; i++)
		free(conns->entries[i].peer);
	free(conns->entries);
	memset(conns, 0, sizeof *conns);
}
