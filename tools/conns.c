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

void conns_entry_clear(struct conns_entry *entry)
{
	free(entry->peer);
	free(entry->program);
	free(entry->rule);
	memset(entry, 0, sizeof *entry);
}

int conns_give(struct conns_entry *entry, const char *program, const char *rule)
{
	char *new_program = strdup(program), *new_rule = strdup(rule);

	if (new_program == NULL || new_rule == NULL) {
		free(new_program);
		free(new_rule);
		return -ENOMEM;
	}
	free(entry->program);
	free(entry->rule);
	entry->program = new_program;
	entry->rule = new_rule;
	return 0;
}

int conns_add(struct conns *conns, uint64_t conn, uint64_t time_us, const char *peer,
	const char *program, const char *rule)
{
	struct conns_entry entry = { .conn = conn, .time_us = time_us }, *place_of;

	if (conn == 0 || conns->count == CONNS_MAX)
		return 0;
	if (2 * (conns->count + 1) > conns->room && grow(conns) < 0)
		return -ENOMEM;
	entry.peer = strdup(peer);
	if (entry.peer == NULL || conns_give(&entry, program, rule) < 0) {
		conns_entry_clear(&entry);
		return -ENOMEM;
	}
	place_of = &conns->entries[place(conns, conn)];
	conns->count += place_of->conn == 0;
	conns_entry_clear(place_of);
	*place_of = entry;
	return 0;
}

struct conns_entry *conns_find(const struct conns *conns, uint64_t conn)
{
	struct conns_entry *entry;

	if (conn == 0 || conns->count == 0)
		return NULL;
	entry = &conns->entries[place(conns, conn)];
	return entry->conn != 0 ? entry : NULL;
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
		conns_entry_clear(&conns->entries[i]);
	free(conns->entries);
	memset(conns, 0, sizeof *conns);
}
