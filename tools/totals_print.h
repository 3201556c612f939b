/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Totals for people, for spreadsheets and for other programs. */
#ifndef SEAMTLS_TOOLS_TOTALS_PRINT_H
#define SEAMTLS_TOOLS_TOTALS_PRINT_H

#include "totals.h"
#include <stdio.h>

/* What is printed. */
struct totals_view {
	const struct totals *totals;
	size_t top;                /* rows of a section of the table */
	const char *const *unused; /* names of rules that were never used; NULL: not asked */
	size_t unused_count;
	uint64_t now; /* seconds since the epoch */
};

/* 0; -ENOMEM. */
int totals_print_table(const struct totals_view *view, FILE *out);
int totals_print_rows(const struct totals_view *view, bool json, FILE *out); /* or CSV */

/* The text format of Prometheus, for the node exporter's textfile collector. */
int totals_print_prometheus(const struct totals_view *view, FILE *out);

#endif
