/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Totals in Prometheus's text format. They are gauges: of the log that was read, or of its last
 * minutes with --since, and so may fall when old files are deleted. Labels are what policies name
 * and TLS defines, never who connects; of too many values the rest is "(other)", and so is what
 * holds characters that would have to be replaced: two series must not become the same.
 */
#include "text.h"
#include "totals_print.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 100 /* of a metric */

struct label {
	const char *name, *value;
};

/* Plain text. */
static void put_value(const char *text, FILE *out)
{
	putc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

static bool is_plain(const char *text)
{
	uint32_t code = ' ';

	while (*text != '\0' && text_is_plain(code))
		text += text_next(text, &code);
	return text_is_plain(code);
}

static void put_head(const char *name, const char *type, const char *help, FILE *out)
{
	fprintf(out, "# HELP seamtls_%s %s\n# TYPE seamtls_%s %s\n", name, help, name, type);
}

/* A sample but for its value. */
static void put_name(const char *name, const struct label *labels, size_t count, FILE *out)
{
	fprintf(out, "seamtls_%s", name);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%c%s=", i == 0 ? '{' : ',', labels[i].name);
		put_value(labels[i].value, out);
	}
	fputs(count > 0 ? "} " : " ", out);
}

static void put_sample(
	const char *name, const struct label *labels, size_t count, uint64_t value, FILE *out)
{
	put_name(name, labels, count, out);
	fprintf(out, "%" PRIu64 "\n", value);
}

static void put_single(const char *name, const char *help, uint64_t value, FILE *out)
{
	put_head(name, "gauge", help, out);
	put_sample(name, NULL, 0, value, out);
}

static const struct outcome {
	const char *name;
	enum tally_what what;
} outcomes[] = {
	{ "protected", TALLY_PROTECTED },
	{ "own_tls", TALLY_OWN_TLS },
	{ "ssh", TALLY_SSH },
	{ "clear", TALLY_CLEAR },
	{ "idle", TALLY_IDLE },
	{ "failed", TALLY_FAILED },
	{ "denied", TALLY_DENIED },
};
#define OUTCOMES (sizeof outcomes / sizeof outcomes[0])

static void put_totals(const struct totals *totals, FILE *out)
{
	put_head("connections", "gauge", "TCP connections, by what became of them.", out);
	for (size_t i = 0; i < OUTCOMES; i++)
		put_sample("connections", &(struct label){ "outcome", outcomes[i].name }, 1,
			totals->count[outcomes[i].what], out);
	put_head("plaintext_bytes", "gauge", "Plaintext of protected connections that ended.", out);
	put_sample("plaintext_bytes", &(struct label){ "direction", "in" }, 1,
		totals->count[TALLY_BYTES_IN], out);
	put_sample("plaintext_bytes", &(struct label){ "direction", "out" }, 1,
		totals->count[TALLY_BYTES_OUT], out);
	put_single("probes", "Clients that came and went without a word.", totals->probes, out);
	put_single("lost_events", "Audit events that could not be written.", totals->lost, out);
	put_single("events", "Audit events that were read.", totals->events, out);
	put_single("last_event_timestamp_seconds", "When the last event was.",
		totals->last_us / 1000000, out);
}

struct metric {
	enum totals_by by;
	enum tally_what what;
	const char *name, *label, *help;
};

/* Whether the row has series of its own. */
static bool is_series(const struct metric *metric, const struct tally_row *row)
{
	const char *name = row->name;

	if (strcmp(name, TALLY_OTHER) == 0)
		return false;
	if (metric->by == TOTALS_RELAXED && strchr(name, '\n') != NULL)
		name = strchr(name, '\n') + 1; /* the setting before it is ours */
	return is_plain(name);
}

static void put_row(const struct metric *metric, const struct tally_row *row, FILE *out)
{
	size_t setting = strcspn(row->name, "\n");
	char first[512];
	struct label labels[2] = { { metric->label, row->name }, { "outcome", NULL } };

	if (metric->by == TOTALS_RULE) {
		for (size_t i = 0; i < OUTCOMES; i++) {
			labels[1].value = outcomes[i].name;
			put_sample(metric->name, labels, 2, row->count[outcomes[i].what], out);
		}
	} else if (metric->by == TOTALS_RELAXED) {
		snprintf(first, sizeof first, "%.*s", (int)setting, row->name);
		labels[0].value = first;
		labels[1] = (struct label){ "rule",
			row->name + setting + (row->name[setting] != '\0') };
		put_sample(metric->name, labels, 2, row->count[metric->what], out);
	} else {
		put_sample(metric->name, labels, 1, row->count[metric->what], out);
	}
}

static int put_metric(const struct totals *totals, const struct metric *metric, FILE *out)
{
	static char other[] = TALLY_OTHER;
	const struct tally_row **rows;
	struct tally_row rest = { .name = other };
	size_t count, series = 0;
	int r = tally_sort(&totals->by[metric->by], metric->what, &rows, &count);

	if (r < 0)
		return r;
	put_head(metric->name, "gauge", metric->help, out);
	for (size_t i = 0; i < count; i++) {
		if (series < SERIES_MAX && is_series(metric, rows[i])) {
			put_row(metric, rows[i], out);
			series++;
			continue;
		}
		for (int what = 0; what < TALLY_WHATS; what++)
			rest.count[what] += rows[i]->count[what];
	}
	if (series < count)
		put_row(metric, &rest, out);
	free(rows);
	return 0;
}

static void put_handshake(const struct latency *latency, FILE *out)
{
	static const struct {
		const char *label;
		unsigned percent;
	} quantiles[] = { { "0.5", 50 }, { "0.99", 99 } };

	put_head("handshake_seconds", "summary", "How long handshakes took.", out);
	for (size_t i = 0; i < 2; i++) {
		put_name("handshake_seconds", &(struct label){ "quantile", quantiles[i].label }, 1,
			out);
		if (latency->count > 0)
			fprintf(out, "%.6f\n",
				(double)latency_quantile(latency, quantiles[i].percent) / 1e6);
		else
			fputs("NaN\n", out);
	}
	fprintf(out, "seamtls_handshake_seconds_sum %.6f\n", (double)latency->sum_us / 1e6);
	fprintf(out, "seamtls_handshake_seconds_count %" PRIu64 "\n", latency->count);
}

/* Of the certificates of each rule, the end that comes first. */
static int put_certs(const struct certs *certs, FILE *out)
{
	static const char name[] = "peer_certificate_expiry_timestamp_seconds";
	const struct cert_row **rows;
	size_t series = 0;
	int r = certs_sort(certs, &rows);

	if (r < 0)
		return r;
	put_head(name, "gauge", "When the first of the peers' certificates of a rule ends.", out);
	for (size_t i = 0; i < certs->count && series < SERIES_MAX; i++) {
		size_t earlier = 0;

		while (earlier < i && strcmp(rows[earlier]->rule, rows[i]->rule) != 0)
			earlier++;
		if (earlier < i || !is_plain(rows[i]->rule))
			continue;
		series++;
		put_sample(
			name, &(struct label){ "rule", rows[i]->rule }, 1, rows[i]->not_after, out);
	}
	free(rows);
	return 0;
}

int totals_print_prometheus(const struct totals_view *view, FILE *out)
{
	static const struct metric metrics[] = {
		{ TOTALS_RULE, TALLY_PROTECTED, "rule_connections", "rule",
			"Connections by rule and by what became of them." },
		{ TOTALS_VERSION, TALLY_PROTECTED, "version_connections", "version",
			"Protected connections by TLS version." },
		{ TOTALS_CIPHER, TALLY_PROTECTED, "cipher_connections", "cipher",
			"Protected connections by cipher suite." },
		{ TOTALS_GROUP, TALLY_PROTECTED, "group_connections", "group",
			"Protected connections by group of the key exchange." },
		{ TOTALS_RESUMPTION, TALLY_PROTECTED, "resumption_connections", "handshake",
			"Protected connections by kind of handshake." },
		{ TOTALS_VERIFY, TALLY_PROTECTED, "verify_connections", "verify",
			"Protected connections by how the peer was verified." },
		{ TOTALS_PLANE, TALLY_PROTECTED, "plane_connections", "plane",
			"Protected connections by who does the records." },
		{ TOTALS_CAUSE, TALLY_FAILED, "failures", "cause", "Failed connections by cause." },
		{ TOTALS_RELAXED, TALLY_PROTECTED, "relaxed_connections", "setting",
			"Connections with a setting that gives safety up, by rule." },
	};
	int r = 0;

	put_totals(view->totals, out);
	for (size_t i = 0; r == 0 && i < sizeof metrics / sizeof metrics[0]; i++)
		r = put_metric(view->totals, &metrics[i], out);
	put_handshake(&view->totals->handshake, out);
	if (r == 0)
		r = put_certs(&view->totals->certs, out);
	if (view->unused != NULL)
		put_single("unused_rules", "Rules of the policy that no event names.",
			view->unused_count, out);
	return r;
}
