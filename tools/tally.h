/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counts by name, in bounded memory: when there are too many names, those with the least counts
 * become one, "(other)". So the names that matter stay, however many a hostile log has.
 */
#ifndef SEAMTLS_TOOLS_TALLY_H
#define SEAMTLS_TOOLS_TALLY_H

#include <stddef.h>
#include <stdint.h>

#define TALLY_NAMES_MAX 4096
#define TALLY_OTHER "(other)"

enum tally_what {
	TALLY_PROTECTED, /* connections, by us */
	TALLY_OWN_TLS,   /* by the program itself */
	TALLY_SSH,
	TALLY_CLEAR,
	TALLY_IDLE, /* left alone, and no byte has passed */
	TALLY_FAILED,
	TALLY_DENIED,
	TALLY_BYTES_IN, /* plaintext of protected connections */
	TALLY_BYTES_OUT,
	TALLY_WHATS,
};

struct tally_row {
	char *name;
	uint64_t count[TALLY_WHATS];
};

/* All zeroes: empty. */
struct tally {
	void *tree;
	size_t names;
	struct tally_row other;
};

/* 0; -ENOMEM. */
int tally_add(struct tally *tally, const char *name, enum tally_what what, uint64_t count);

/* What was counted as one thing has turned out to be another. */
void tally_move(struct tally *tally, const char *name, enum tally_what from, enum tally_what to);

/* What was counted for one is another's. */
void tally_give(struct tally *tally, const char *from, const char *to, enum tally_what what);

/* The count of a name; NULL: there is none. */
const struct tally_row *tally_find(const struct tally *tally, const char *name);

/*
 * All rows, those with the most of `what` first, "(other)" last; rows without any count are left
 * out. The list is malloc'ed, the rows belong to the tally. 0 and *out, *count; -ENOMEM.
 */
int tally_sort(const struct tally *tally, enum tally_what what, const struct tally_row ***out,
	size_t *count);

/* The connections of a row, of all kinds. */
uint64_t tally_connections(const struct tally_row *row);

void tally_clear(struct tally *tally);

#endif
