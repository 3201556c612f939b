/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rows for people, one at a time, so that a table may be endless. On a terminal it fits: columns
 * shrink, those of least interest go, and what is too long is cut. Elsewhere nothing is cut.
 */
#ifndef SEAMTLS_TOOLS_TABLE_H
#define SEAMTLS_TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *name;
	size_t least, want; /* widths; the last column also gets what is left */
	int rank;           /* if there is no room, the column with the greatest goes */
};

struct table {
	FILE *out;
	const struct table_column *columns;
	size_t count;
	bool cut;                        /* to the width */
	size_t total;                    /* ... of the terminal */
	size_t width[TABLE_COLUMNS_MAX]; /* 0: not shown */
};

/* `total`: how wide it may be; 0: as wide as the terminal that `out` is, if it is one. */
void table_begin(struct table *table, const struct table_column *columns, size_t count, FILE *out,
	size_t total);
void table_head(struct table *table);
/* One text for each column; NULL: nothing to say. */
void table_row(struct table *table, const char *const *texts);
/* The same, with the last text on several lines if need be, and "" for nothing at all. */
void table_row_wrapped(struct table *table, const char *const *texts);
/* Whether a text fits into the last column. */
bool table_fits(const struct table *table, const char *text);
/* Lines below a row, as wide as the terminal, which begin behind `indent` blanks. */
void table_below(struct table *table, size_t indent, const char *text);

#endif
