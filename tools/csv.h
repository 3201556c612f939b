/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CSV as in RFC 4180, one row a line: control characters come out as \xNN, and text that a
 * spreadsheet would take for a formula has a ' before it.
 */
#ifndef SEAMTLS_TOOLS_CSV_H
#define SEAMTLS_TOOLS_CSV_H

#include <stdbool.h>
#include <stdio.h>

struct csv {
	FILE *out;
	bool first; /* of the row */
};

void csv_begin(struct csv *csv, FILE *out);        /* a row */
void csv_field(struct csv *csv, const char *text); /* NULL: empty */
void csv_number(struct csv *csv, const char *digits);
void csv_end(struct csv *csv);

#endif
