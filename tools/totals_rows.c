/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Totals as rows, JSON or CSV: each is of a section ("rule", "cipher", "certificate", ...), and has
 * the fields of that. One table of fields serves both.
 */
#include "cause.h"
#include "csv.h"
#include "json.h"
#include "totals_print.h"
#include "when.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum field {
	SECTION,
	NAME,
	RULE,
	PROTECTED,
	OWN_TLS,
	SSH,
	CLEAR,
	IDLE,
	FAILED,
	DENIED,
	BYTES_IN,
	BYTES_OUT,
	EVENTS,
	BROKEN,
	PROBES,
	LOST,
	P50_US,
	P99_US,
	FIRST,
	LAST,
	SUBJECT,
	ISSUER,
	NOT_AFTER,
	DAYS_LEFT,
	MEANING,
	ADVICE,
	FIELDS,
};

static const char *const names[FIELDS] = { "section", "name", "rule", "protected", "own_tls", "ssh",
	"clear", "idle", "failed", "denied", "bytes_in", "bytes_out", "events", "broken", "probes",
	"lost", "handshake_p50_us", "handshake_p99_us", "first", "last", "subject", "issuer",
	"not_after", "days_left", "meaning", "advice" };

struct cell {
	enum { NONE, TEXT, NUMBER } form;
	const char *text;
	int64_t number;
};

struct row {
	struct cell cells[FIELDS];
};

struct printer {
	const struct totals_view *view;
	bool json;
	FILE *out;
};

static void set_text(struct row *row, enum field field, const char *text)
{
	row->cells[field] = (struct cell){ TEXT, text, 0 };
}

static void set_number(struct row *row, enum field field, int64_t number)
{
	row->cells[field] = (struct cell){ NUMBER, NULL, number };
}

static void print_json_row(const struct row *row, FILE *out)
{
	struct json json;

	json_begin(&json, out);
	for (int i = 0; i < FIELDS; i++) {
		if (row->cells[i].form == TEXT)
			json_string(&json, names[i], row->cells[i].text);
		else if (row->cells[i].form == NUMBER)
			json_integer(&json, names[i], row->cells[i].number);
	}
	json_end(&json);
}

static void print_csv_row(const struct row *row, FILE *out)
{
	struct csv csv;

	csv_begin(&csv, out);
	for (int i = 0; i < FIELDS; i++) {
		char number[24];

		snprintf(number, sizeof number, "%" PRId64, row->cells[i].number);
		if (row->cells[i].form == NUMBER)
			csv_number(&csv, number);
		else
			csv_field(&csv, row->cells[i].form == TEXT ? row->cells[i].text : NULL);
	}
	csv_end(&csv);
}

static void print_row(const struct printer *printer, const struct row *row)
{
	(printer->json ? print_json_row : print_csv_row)(row, printer->out);
}

static void set_counts(struct row *row, const uint64_t count[TALLY_WHATS])
{
	static const enum field fields[TALLY_WHATS] = {
		[TALLY_PROTECTED] = PROTECTED,
		[TALLY_OWN_TLS] = OWN_TLS,
		[TALLY_SSH] = SSH,
		[TALLY_CLEAR] = CLEAR,
		[TALLY_IDLE] = IDLE,
		[TALLY_FAILED] = FAILED,
		[TALLY_DENIED] = DENIED,
		[TALLY_BYTES_IN] = BYTES_IN,
		[TALLY_BYTES_OUT] = BYTES_OUT,
	};

	for (int i = 0; i < TALLY_WHATS; i++)
		set_number(row, fields[i], (int64_t)count[i]);
}

static void print_total(const struct printer *printer)
{
	const struct totals *totals = printer->view->totals;
	char first[WHEN_LEN], last[WHEN_LEN];
	struct row row = { 0 };

	set_text(&row, SECTION, "total");
	set_counts(&row, totals->count);
	set_number(&row, EVENTS, (int64_t)totals->events);
	set_number(&row, BROKEN, (int64_t)totals->broken);
	set_number(&row, PROBES, (int64_t)totals->probes);
	set_number(&row, LOST, (int64_t)totals->lost);
	if (totals->handshake.count > 0) {
		set_number(&row, P50_US, (int64_t)latency_quantile(&totals->handshake, 50));
		set_number(&row, P99_US, (int64_t)latency_quantile(&totals->handshake, 99));
	}
	if (totals->events > 0) {
		set_text(&row, FIRST, when_us(first, totals->first_us));
		set_text(&row, LAST, when_us(last, totals->last_us));
	}
	print_row(printer, &row);
}

/* What the counts of a section are of. */
static void set_section_counts(struct row *row, enum totals_by by, const struct tally_row *counts)
{
	if (by <= TOTALS_PEER)
		set_counts(row, counts->count);
	else if (by == TOTALS_CAUSE)
		set_number(row, FAILED, (int64_t)counts->count[TALLY_FAILED]);
	else
		set_number(row, PROTECTED, (int64_t)counts->count[TALLY_PROTECTED]);
	if (by >= TOTALS_VERSION && by <= TOTALS_RESUMPTION)
		set_number(row, OWN_TLS, (int64_t)counts->count[TALLY_OWN_TLS]);
	if (by != TOTALS_CAUSE)
		return;
	set_text(row, MEANING, cause_text(counts->name));
	if (cause_to_do(counts->name) != NULL)
		set_text(row, ADVICE, cause_to_do(counts->name));
}

static int print_section(const struct printer *printer, enum totals_by by)
{
	const struct tally_row **rows;
	size_t count;
	int r = tally_sort(&printer->view->totals->by[by],
		by <= TOTALS_PEER    ? TALLY_CLEAR
		: by == TOTALS_CAUSE ? TALLY_FAILED
				     : TALLY_PROTECTED,
		&rows, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		size_t setting = strcspn(rows[i]->name, by == TOTALS_RELAXED ? "\n" : "");
		struct row row = { 0 };
		char name[64];

		set_text(&row, SECTION, totals_by_name(by));
		set_text(&row, NAME, rows[i]->name);
		if (by == TOTALS_RELAXED && rows[i]->name[setting] != '\0') {
			snprintf(name, sizeof name, "%.*s", (int)setting, rows[i]->name);
			set_text(&row, NAME, name);
			set_text(&row, RULE, rows[i]->name + setting + 1);
		}
		set_section_counts(&row, by, rows[i]);
		print_row(printer, &row);
	}
	free(rows);
	return 0;
}

static int print_certs(const struct printer *printer)
{
	const struct certs *certs = &printer->view->totals->certs;
	const struct cert_row **rows;
	int r = certs_sort(certs, &rows);

	if (r < 0)
		return r;
	for (size_t i = 0; i < certs->count; i++) {
		char when[WHEN_LEN];
		struct row row = { 0 };

		set_text(&row, SECTION, "certificate");
		set_text(&row, NAME, rows[i]->peer);
		set_text(&row, RULE, rows[i]->rule);
		set_text(&row, SUBJECT, rows[i]->subject);
		set_text(&row, ISSUER, rows[i]->issuer);
		set_text(&row, NOT_AFTER, when_seconds(when, rows[i]->not_after));
		set_number(&row, DAYS_LEFT, when_days_left(rows[i]->not_after, printer->view->now));
		print_row(printer, &row);
	}
	free(rows);
	return 0;
}

static void print_unused(const struct printer *printer)
{
	for (size_t i = 0; i < printer->view->unused_count; i++) {
		struct row row = { 0 };

		set_text(&row, SECTION, "unused_rule");
		set_text(&row, NAME, printer->view->unused[i]);
		print_row(printer, &row);
	}
}

int totals_print_rows(const struct totals_view *view, bool json, FILE *out)
{
	const struct printer printer = { view, json, out };
	struct row head = { 0 };
	int r = 0;

	for (int i = 0; i < FIELDS; i++)
		set_text(&head, (enum field)i, names[i]);
	if (!json)
		print_csv_row(&head, out);
	print_total(&printer);
	for (int by = 0; r == 0 && by < TOTALS_BYS; by++)
		r = print_section(&printer, (enum totals_by)by);
	if (r == 0)
		r = print_certs(&printer);
	print_unused(&printer);
	return r;
}
