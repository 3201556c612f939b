/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Totals as tables for a terminal: of each section the rows that matter most. */
#include "cause.h"
#include "table.h"
#include "totals_print.h"
#include "units.h"
#include "when.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LEN UNITS_LEN

/* Who is in the clear comes first. */
static const struct section {
	enum totals_by by;
	enum tally_what order;
	bool whole; /* all counts; else one */
} sections[] = {
	{ TOTALS_RULE, TALLY_CLEAR, true },
	{ TOTALS_PROGRAM, TALLY_CLEAR, true },
	{ TOTALS_PEER, TALLY_CLEAR, true },
	{ TOTALS_VERSION, TALLY_PROTECTED, false },
	{ TOTALS_CIPHER, TALLY_PROTECTED, false },
	{ TOTALS_GROUP, TALLY_PROTECTED, false },
	{ TOTALS_RESUMPTION, TALLY_PROTECTED, false },
	{ TOTALS_VERIFY, TALLY_PROTECTED, false },
	{ TOTALS_PLANE, TALLY_PROTECTED, false },
};

static const char *number(char out[NUMBER_LEN], uint64_t value)
{
	snprintf(out, NUMBER_LEN, "%" PRIu64, value);
	return out;
}

static void begin(struct table *table, const struct table_column *columns, size_t count, FILE *out)
{
	putc('\n', out);
	table_begin(table, columns, count, out, 0);
	table_head(table);
}

static void print_rest(FILE *out, size_t count, size_t top)
{
	if (count > top)
		fprintf(out, "... and %zu more\n", count - top);
}

static void print_whole(const char *title, const struct tally_row **rows, size_t count, FILE *out)
{
	const struct table_column columns[] = {
		{ title, 12, 36, 0 },
		{ "PROTECTED", 9, 9, 1 },
		{ "OWN TLS", 7, 7, 3 },
		{ "SSH", 5, 7, 6 },
		{ "CLEAR", 7, 7, 2 },
		{ "FAILED", 7, 7, 4 },
		{ "DENIED", 7, 7, 5 },
		{ "IN", 7, 7, 7 },
		{ "OUT", 7, 7, 8 },
	};
	struct table table;

	begin(&table, columns, sizeof columns / sizeof columns[0], out);
	for (size_t i = 0; i < count; i++) {
		const uint64_t *counts = rows[i]->count;
		char cells[TALLY_WHATS][NUMBER_LEN];

		table_row(&table, (const char *const[]){
					  rows[i]->name,
					  number(cells[0], counts[TALLY_PROTECTED]),
					  number(cells[1], counts[TALLY_OWN_TLS]),
					  number(cells[2], counts[TALLY_SSH]),
					  number(cells[3], counts[TALLY_CLEAR]),
					  number(cells[4], counts[TALLY_FAILED]),
					  number(cells[5], counts[TALLY_DENIED]),
					  units_bytes(cells[6], counts[TALLY_BYTES_IN]),
					  units_bytes(cells[7], counts[TALLY_BYTES_OUT]),
				  });
	}
}

static void print_simple(const char *title, const struct tally_row **rows, size_t count, FILE *out)
{
	const struct table_column columns[] = { { title, 12, 48, 0 }, { "CONNECTIONS", 9, 11, 1 },
		{ "OWN TLS", 7, 7, 2 } };
	char cells[2][NUMBER_LEN];
	uint64_t own = 0;
	struct table table;

	for (size_t i = 0; i < count; i++)
		own += rows[i]->count[TALLY_OWN_TLS];
	begin(&table, columns, own > 0 ? 3 : 2, out);
	for (size_t i = 0; i < count; i++)
		table_row(&table, (const char *const[]){ rows[i]->name,
					  number(cells[0], rows[i]->count[TALLY_PROTECTED]),
					  number(cells[1], rows[i]->count[TALLY_OWN_TLS]) });
}

static void upper(char *out, size_t len, const char *text)
{
	size_t i = 0;

	for (; text[i] != '\0' && i + 1 < len; i++)
		out[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
	out[i] = '\0';
}

static int print_section(const struct totals_view *view, const struct section *section, FILE *out)
{
	const struct tally_row **rows;
	char title[24];
	size_t count;
	int r = tally_sort(&view->totals->by[section->by], section->order, &rows, &count);

	if (r < 0)
		return r;
	upper(title, sizeof title, totals_by_name(section->by));
	if (count > 0)
		(section->whole ? print_whole : print_simple)(
			title, rows, count < view->top ? count : view->top, out);
	print_rest(out, count, view->top);
	free(rows);
	return 0;
}

static int print_causes(const struct totals_view *view, FILE *out)
{
	static const struct table_column columns[] = { { "FAILURES BY CAUSE", 17, 20, 0 },
		{ "COUNT", 7, 7, 1 }, { "MEANING, AND WHAT TO DO", 24, 70, 2 } };
	const struct tally_row **rows;
	struct table table;
	size_t count;
	int r = tally_sort(&view->totals->by[TOTALS_CAUSE], TALLY_FAILED, &rows, &count);

	if (r < 0)
		return r;
	if (count > 0)
		begin(&table, columns, 3, out);
	for (size_t i = 0; i < count; i++) {
		char cell[NUMBER_LEN];

		table_row_wrapped(&table, (const char *const[]){ rows[i]->name,
						  number(cell, rows[i]->count[TALLY_FAILED]),
						  cause_text(rows[i]->name) });
		if (cause_to_do(rows[i]->name) != NULL)
			table_row_wrapped(&table,
				(const char *const[]){ "", "", cause_to_do(rows[i]->name) });
	}
	free(rows);
	return 0;
}

static int print_relaxed(const struct totals_view *view, FILE *out)
{
	static const struct table_column columns[] = { { "WEAK OR RELAXED", 15, 24, 0 },
		{ "RULE", 6, 20, 1 }, { "CONNECTIONS", 9, 11, 2 } };
	const struct tally_row **rows;
	struct table table;
	size_t count;
	int r = tally_sort(&view->totals->by[TOTALS_RELAXED], TALLY_PROTECTED, &rows, &count);

	if (r < 0)
		return r;
	if (count > 0)
		begin(&table, columns, 3, out);
	for (size_t i = 0; i < count && i < view->top; i++) {
		size_t setting = strcspn(rows[i]->name, "\n");
		char cell[NUMBER_LEN], name[64];

		snprintf(name, sizeof name, "%.*s", (int)setting, rows[i]->name);
		table_row(
			&table, (const char *const[]){ name,
					rows[i]->name + setting + (rows[i]->name[setting] != '\0'),
					number(cell, rows[i]->count[TALLY_PROTECTED]) });
	}
	print_rest(out, count, view->top);
	free(rows);
	return 0;
}

static int print_certs(const struct totals_view *view, FILE *out)
{
	static const struct table_column columns[] = { { "CERTIFICATE OF", 14, 36, 0 },
		{ "RULE", 6, 16, 3 }, { "DAYS LEFT", 9, 9, 1 }, { "NOT AFTER", 19, 19, 2 },
		{ "SUBJECT", 16, 40, 4 } };
	size_t count = view->totals->certs.count;
	const struct cert_row **rows;
	struct table table;
	int r = certs_sort(&view->totals->certs, &rows);

	if (r < 0)
		return r;
	if (count > 0)
		begin(&table, columns, 5, out);
	for (size_t i = 0; i < count && i < view->top; i++) {
		char days[NUMBER_LEN], when[WHEN_LEN];

		snprintf(days, sizeof days, "%" PRId64,
			when_days_left(rows[i]->not_after, view->now));
		table_row(&table, (const char *const[]){ rows[i]->peer, rows[i]->rule, days,
					  when_short(when, rows[i]->not_after), rows[i]->subject });
	}
	print_rest(out, count, view->top);
	free(rows);
	return 0;
}

static void print_unused(const struct totals_view *view, FILE *out)
{
	static const struct table_column columns[] = { { "RULES NEVER USED", 16, 40, 0 } };
	struct table table;

	if (view->unused_count > 0)
		begin(&table, columns, 1, out);
	for (size_t i = 0; i < view->unused_count; i++)
		table_row(&table, (const char *const[]){ view->unused[i] });
}

static void print_share(const char *what, uint64_t count, uint64_t all, FILE *out)
{
	fprintf(out, "%-13s %10" PRIu64 "  %5.1f %%\n", what, count,
		all > 0 ? 100.0 * (double)count / (double)all : 0.0);
}

static void print_summary(const struct totals *totals, FILE *out)
{
	uint64_t all = totals->count[TALLY_PROTECTED] + totals->count[TALLY_OWN_TLS] +
		       totals->count[TALLY_SSH] + totals->count[TALLY_CLEAR];
	char first[WHEN_LEN], last[WHEN_LEN];

	if (totals->events == 0) {
		fputs("no events\n", out);
		return;
	}
	fprintf(out, "%s to %s UTC, %" PRIu64 " events\n\n",
		when_short(first, totals->first_us / WHEN_SECOND_US),
		when_short(last, totals->last_us / WHEN_SECOND_US), totals->events);
	print_share("protected", totals->count[TALLY_PROTECTED], all, out);
	if (totals->count[TALLY_OWN_TLS] > 0)
		print_share("own TLS", totals->count[TALLY_OWN_TLS], all, out);
	if (totals->count[TALLY_SSH] > 0)
		print_share("SSH", totals->count[TALLY_SSH], all, out);
	print_share("in the clear", totals->count[TALLY_CLEAR], all, out);
	if (totals->count[TALLY_IDLE] > 0)
		fprintf(out, "%-13s %10" PRIu64 "  nothing was said\n", "idle",
			totals->count[TALLY_IDLE]);
	fprintf(out, "%-13s %10" PRIu64 "\n", "failed", totals->count[TALLY_FAILED]);
	fprintf(out, "%-13s %10" PRIu64 "\n", "denied", totals->count[TALLY_DENIED]);
	if (totals->broken > 0)
		fprintf(out, "%-13s %10" PRIu64 "  of those that were protected\n", "broken off",
			totals->broken);
	if (totals->probes > 0)
		fprintf(out, "%-13s %10" PRIu64 "\n", "probes", totals->probes);
	if (totals->lost > 0)
		fprintf(out, "%-13s %10" PRIu64 "  events could not be written\n", "lost",
			totals->lost);
	if (totals->handshake.count > 0)
		fprintf(out, "%-13s p50 %.1f ms, p99 %.1f ms\n", "handshake",
			(double)latency_quantile(&totals->handshake, 50) / 1000,
			(double)latency_quantile(&totals->handshake, 99) / 1000);
}

int totals_print_table(const struct totals_view *view, FILE *out)
{
	int r = 0;

	print_summary(view->totals, out);
	for (size_t i = 0; r == 0 && i < sizeof sections / sizeof sections[0]; i++)
		r = print_section(view, &sections[i], out);
	if (r == 0)
		r = print_causes(view, out);
	if (r == 0)
		r = print_relaxed(view, out);
	if (r == 0)
		r = print_certs(view, out);
	print_unused(view, out);
	return r;
}
