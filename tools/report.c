/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"
#include "cause.h"
#include "html.h"
#include "when.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BARS 8
#define ROWS 20
#define SOON_DAYS 30

/* --- the head --- */

static void tile(FILE *out, const char *what, const char *colour, uint64_t number)
{
	fprintf(out, "<div><dt>%s</dt><dd class=\"%s\">", what, number > 0 ? colour : "");
	html_number(out, number);
	fputs("</dd></div>\n", out);
}

static void put_tiles(const struct totals *totals, FILE *out)
{
	uint64_t protected = totals->count[TALLY_PROTECTED];
	uint64_t own = totals->count[TALLY_OWN_TLS] + totals->count[TALLY_SSH];
	uint64_t all = protected + own + totals->count[TALLY_CLEAR];

	fputs("<dl class=\"tiles\">\n", out);
	if (all > 0)
		fprintf(out, "<div><dt>of connections protected</dt><dd>%s%.1f %%</dd></div>\n",
			protected < all && (double)protected / (double)all > 0.9995 ? "under " : "",
			100.0 * (double)protected / (double)all);
	tile(out, "protected", "protected", protected);
	if (own > 0)
		tile(out, "with TLS or SSH of their own", "own", own);
	tile(out, "in the clear", "clear", totals->count[TALLY_CLEAR]);
	tile(out, "failed", "failed", totals->count[TALLY_FAILED]);
	tile(out, "denied", "", totals->count[TALLY_DENIED]);
	if (totals->handshake.count > 0)
		fprintf(out,
			"<div><dt>ms of handshake, median and 99 %%</dt><dd>%.1f, "
			"%.1f</dd></div>\n",
			(double)latency_quantile(&totals->handshake, 50) / 1000,
			(double)latency_quantile(&totals->handshake, 99) / 1000);
	if (totals->lost > 0)
		tile(out, "events lost", "failed", totals->lost);
	fputs("</dl>\n", out);
}

static void put_head(const struct totals_view *view, FILE *out)
{
	const struct totals *totals = view->totals;
	char first[WHEN_LEN], last[WHEN_LEN];

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src "
	      "'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<title>TLS of this host</title>\n<style>\n",
		out);
	fputs(report_style, out);
	fputs("</style>\n</head>\n<body>\n<main>\n<h1>TLS of this host</h1>\n", out);
	if (totals->events == 0)
		fputs("<p>There are no events.</p>\n", out);
	else
		fprintf(out, "<p>%s to %s UTC, %" PRIu64 " events of the audit log</p>\n",
			when_short(first, totals->first_us / WHEN_SECOND_US),
			when_short(last, totals->last_us / WHEN_SECOND_US), totals->events);
}

/* --- sections --- */

static void begin_section(FILE *out, const char *title)
{
	fprintf(out, "<section>\n<h2>%s</h2>\n", title);
}

static void end_section(FILE *out)
{
	fputs("</section>\n", out);
}

/* Headings: those that begin with '#' are of numbers. */
/* `stack`: where there is no room, a row is a block of its own. */
static void begin_table(FILE *out, const char *const *headings, bool stack)
{
	fprintf(out, "<div class=\"scroll\"><table%s>\n<thead><tr>",
		stack ? " class=\"stack\"" : "");
	for (; *headings != NULL; headings++) {
		bool number = **headings == '#';

		fprintf(out, "<th%s>%s</th>", number ? " class=\"number\"" : "",
			*headings + number);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
}

static void end_table(FILE *out, size_t count, size_t shown)
{
	fputs("</tbody>\n</table></div>\n", out);
	if (count > shown)
		fprintf(out, "<p>and %zu more: see seamtls stat</p>\n", count - shown);
}

struct chart {
	enum totals_by by;
	enum tally_what what;
	const char *colour, *title, *none;
};

static int put_chart(const struct totals *totals, const struct chart *chart, FILE *out)
{
	const struct tally_row **rows;
	struct report_bar bars[BARS];
	size_t count, shown = 0;
	int r = tally_sort(&totals->by[chart->by], chart->what, &rows, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && shown < BARS; i++)
		if (rows[i]->count[chart->what] > 0)
			bars[shown++] = (struct report_bar){ rows[i]->name, NULL,
				rows[i]->count[chart->what], chart->colour };
	begin_section(out, chart->title);
	if (shown > 0)
		report_bars(bars, shown, out);
	else
		fprintf(out, "<p>%s</p>\n", chart->none);
	end_section(out);
	free(rows);
	return 0;
}

static int put_charts(
	const struct totals *totals, const struct chart *charts, size_t count, FILE *out)
{
	int r = 0;

	fputs("<div class=\"pair\">\n", out);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_chart(totals, &charts[i], out);
	fputs("</div>\n", out);
	return r;
}

static int put_clear(const struct totals *totals, FILE *out)
{
	static const char *const headings[] = { "peer", "#in the clear", "#protected", "#own TLS",
		"#failed", NULL };
	const struct tally_row **rows;
	size_t count, shown = 0;
	int r = tally_sort(&totals->by[TOTALS_PEER], TALLY_CLEAR, &rows, &count);

	if (r < 0)
		return r;
	while (count > 0 && rows[count - 1]->count[TALLY_CLEAR] == 0)
		count--;
	begin_section(out, "Peers in the clear");
	if (count == 0)
		fputs("<p>No connection in the clear was audited. Policy decides what is: default "
		      "= "
		      "observe audits all.</p>\n",
			out);
	else
		begin_table(out, headings, false);
	for (; shown < count && shown < ROWS; shown++) {
		fputs("<tr>", out);
		html_cell(out, rows[shown]->name);
		html_cell_number(out, (int64_t)rows[shown]->count[TALLY_CLEAR]);
		html_cell_number(out, (int64_t)rows[shown]->count[TALLY_PROTECTED]);
		html_cell_number(out, (int64_t)rows[shown]->count[TALLY_OWN_TLS]);
		html_cell_number(out, (int64_t)rows[shown]->count[TALLY_FAILED]);
		fputs("</tr>\n", out);
	}
	if (count > 0)
		end_table(out, count, shown);
	end_section(out);
	free(rows);
	return 0;
}

static int put_failures(const struct totals *totals, FILE *out)
{
	static const char *const headings[] = { "cause", "#connections", "what it means",
		"what to do", NULL };
	const struct tally_row **rows;
	size_t count;
	int r = tally_sort(&totals->by[TOTALS_CAUSE], TALLY_FAILED, &rows, &count);

	if (r < 0)
		return r;
	begin_section(out, "What the causes mean");
	if (count > 0)
		begin_table(out, headings, true);
	for (size_t i = 0; i < count; i++) {
		fputs("<tr>", out);
		html_cell(out, rows[i]->name);
		html_cell_number(out, (int64_t)rows[i]->count[TALLY_FAILED]);
		html_cell(out, cause_text(rows[i]->name));
		html_cell(
			out, cause_to_do(rows[i]->name) != NULL ? cause_to_do(rows[i]->name) : "");
		fputs("</tr>\n", out);
	}
	if (count > 0)
		end_table(out, count, count);
	else
		fputs("<p>Nothing failed.</p>\n", out);
	if (totals->broken > 0)
		fprintf(out,
			"<p>Among them are %" PRIu64 " protected connections that were broken "
			"off.</p>\n",
			totals->broken);
	if (totals->probes > 0)
		fprintf(out,
			"<p>Besides, %" PRIu64 " clients came and went without a word: port "
			"scans or health checks.</p>\n",
			totals->probes);
	end_section(out);
	free(rows);
	return 0;
}

static void put_cert_bars(const struct cert_row *const *rows, size_t count, uint64_t now, FILE *out)
{
	struct report_bar bars[BARS];

	if (count > BARS)
		count = BARS;
	for (size_t i = 0; i < count; i++) {
		int64_t days = when_days_left(rows[i]->not_after, now);

		bars[i] = (struct report_bar){ rows[i]->peer, days < 0 ? " (expired)" : " days",
			days > 0 ? (uint64_t)days : 0, days < SOON_DAYS ? "warn" : "protected" };
	}
	report_bars(bars, count, out);
}

static int put_certs(const struct totals_view *view, FILE *out)
{
	static const char *const headings[] = { "peer", "rule", "#days left", "not after",
		"subject", "issuer", NULL };
	size_t count = view->totals->certs.count, shown = 0;
	const struct cert_row **rows;
	int r = certs_sort(&view->totals->certs, &rows);

	if (r < 0)
		return r;
	begin_section(out, "Certificates of peers, the first to end first");
	if (count > 0) {
		put_cert_bars(rows, count, view->now, out);
		begin_table(out, headings, false);
	}
	for (; shown < count && shown < ROWS; shown++) {
		int64_t days = when_days_left(rows[shown]->not_after, view->now);
		char when[WHEN_LEN];

		fputs(days < SOON_DAYS ? "<tr class=\"warn\">" : "<tr>", out);
		html_cell(out, rows[shown]->peer);
		html_cell(out, rows[shown]->rule);
		html_cell_number(out, days);
		html_cell(out, when_short(when, rows[shown]->not_after));
		html_cell(out, rows[shown]->subject);
		html_cell(out, rows[shown]->issuer);
		fputs("</tr>\n", out);
	}
	if (count > 0)
		end_table(out, count, shown);
	else
		fputs("<p>No peer showed a certificate.</p>\n", out);
	end_section(out);
	free(rows);
	return 0;
}

static int put_relaxed(const struct totals *totals, FILE *out)
{
	static const char *const headings[] = { "setting", "rule", "#connections", NULL };
	const struct tally_row **rows;
	size_t count, shown = 0;
	int r = tally_sort(&totals->by[TOTALS_RELAXED], TALLY_PROTECTED, &rows, &count);

	if (r < 0)
		return r;
	begin_section(out, "Weak and relaxed");
	if (count > 0)
		begin_table(out, headings, false);
	for (; shown < count && shown < ROWS; shown++) {
		size_t setting = strcspn(rows[shown]->name, "\n");
		char name[64];

		snprintf(name, sizeof name, "%.*s", (int)setting, rows[shown]->name);
		fputs("<tr>", out);
		html_cell(out, name);
		html_cell(out, rows[shown]->name + setting + (rows[shown]->name[setting] != '\0'));
		html_cell_number(out, (int64_t)rows[shown]->count[TALLY_PROTECTED]);
		fputs("</tr>\n", out);
	}
	if (count > 0)
		end_table(out, count, shown);
	else
		fputs("<p>No connection went without what the defaults give.</p>\n", out);
	end_section(out);
	free(rows);
	return 0;
}

static int put_body(const struct totals_view *view, FILE *out)
{
	static const struct chart first[] = {
		{ TOTALS_VERSION, TALLY_PROTECTED, "protected", "Versions", "None." },
		{ TOTALS_GROUP, TALLY_PROTECTED, "protected", "Groups of the key exchange",
			"None." },
		{ TOTALS_CIPHER, TALLY_PROTECTED, "protected", "Cipher suites", "None." },
		{ TOTALS_RULE, TALLY_PROTECTED, "protected", "Rules that protect", "None." },
		{ TOTALS_VERSION, TALLY_OWN_TLS, "own", "Versions of programs' own TLS", "None." },
		{ TOTALS_PROGRAM, TALLY_OWN_TLS, "own", "Programs with TLS of their own", "None." },
		{ TOTALS_PROGRAM, TALLY_CLEAR, "clear", "Programs in the clear", "None." },
		{ TOTALS_CAUSE, TALLY_FAILED, "failed", "Failures by cause", "Nothing failed." },
	};
	const struct totals *totals = view->totals;
	int r;

	begin_section(out, "Connections over time");
	report_timeline(&totals->timeline, out);
	end_section(out);
	r = put_charts(totals, first, sizeof first / sizeof first[0], out);
	if (r == 0)
		r = put_clear(totals, out);
	if (r == 0)
		r = put_failures(totals, out);
	if (r == 0)
		r = put_certs(view, out);
	return r == 0 ? put_relaxed(totals, out) : r;
}

int report_print(const struct totals_view *view, FILE *out)
{
	char when[WHEN_LEN];
	int r = 0;

	put_head(view, out);
	put_tiles(view->totals, out);
	if (view->totals->events > 0)
		r = put_body(view, out);
	fprintf(out,
		"<footer><p>Made by seamtls report, %s "
		"UTC.</p></footer>\n</main>\n</body>\n</html>\n",
		when_short(when, view->now));
	return r;
}
