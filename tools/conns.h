/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections that are left alone, from their first event to the one that says what protects them:
 * so that each counts once, as what it turned out to be. In bounded memory: beyond that many at a
 * time they stay what the first event made of them.
 */
#ifndef SEAMTLS_TOOLS_CONNS_H
#define SEAMTLS_TOOLS_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNS_MAX (1u << 18)

struct conns_entry {
	uint64_t conn; /* 0: free */
	uint64_t time_us;
	/* As the first event called them; malloc'ed. The program is the last that had it. */
	char *peer, *program, *rule;
};

/* All zeroes: empty. */
struct conns {
	struct conns_entry *entries;
	size_t room, count;
};

/* 0; -ENOMEM. */
int conns_add(struct conns *conns, uint64_t conn, uint64_t time_us, const char *peer,
	const char *program, const char *rule);
/* NULL: it is not there. */
struct conns_entry *conns_find(const struct conns *conns, uint64_t conn);
/* Another program has it, under its own rule. 0; -ENOMEM, and it is as it was. */
int conns_give(struct conns_entry *entry, const char *program, const char *rule);
/* Takes it out. Whether it was there; then *out is the caller's, for conns_entry_clear(). */
bool conns_take(struct conns *conns, uint64_t conn, struct conns_entry *out);
void conns_entry_clear(struct conns_entry *entry);
void conns_clear(struct conns *conns);

#endif
