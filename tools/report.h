/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Totals as one page of HTML, to be looked at, printed, and sent on: plots in SVG, no script,
 * nothing from elsewhere.
 */
#ifndef SEAMTLS_TOOLS_REPORT_H
#define SEAMTLS_TOOLS_REPORT_H

#include "totals_print.h"

/* 0; -ENOMEM. */
int report_print(const struct totals_view *view, FILE *out);

/* --- the parts of it, which print themselves into `out` --- */

extern const char report_style[]; /* CSS */

/* What is protected, in the clear and failed, over time. */
void report_timeline(const struct timeline *timeline, FILE *out);

/* A bar of a chart. */
struct report_bar {
	const char *label, *note; /* the note stands behind the number; NULL: none */
	uint64_t value;
	const char *colour; /* a class: protected, clear, failed, weak, warn */
};

/* Horizontal bars, the longest as wide as the plot. */
void report_bars(const struct report_bar *bars, size_t count, FILE *out);

#endif
