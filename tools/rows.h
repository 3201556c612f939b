/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of data on standard output: as a table for people (table.h), as CSV, or as one JSON object a
 * line. */
#ifndef SEAMTLS_TOOLS_ROWS_H
#define SEAMTLS_TOOLS_ROWS_H

#include <stdbool.h>
#include <stddef.h>

enum rows_format { ROWS_TABLE, ROWS_JSON, ROWS_CSV };

#define ROWS_COLUMNS_MAX 16

struct rows {
	enum rows_format format;
	const char *const *names; /* of the columns; NULL ends them; one of numbers begins with # */
	const int *ranks;         /* as of struct table_column; NULL: all alike */
	size_t columns;
	size_t count; /* of rows */
	char **cells;
};

/* Whether `text` names a format. */
bool rows_parse_format(const char *text, enum rows_format *out);

void rows_init(struct rows *rows, enum rows_format format, const char *const *names);
/* A copy of one cell for each column; an empty one is left out of JSON. 0 or -ENOMEM. */
int rows_add(struct rows *rows, const char *const *cells);
/* Prints the rows, and frees them. */
void rows_finish(struct rows *rows);

#endif
