/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_print.h"
#include "cause.h"
#include "csv.h"
#include "json.h"
#include "log_fields.h"
#include "log_otlp.h"
#include "when.h"
#include <inttypes.h>
#include <string.h>

/* --- JSON --- */

static void json_value(struct json *json, const char *name, const struct log_value *value,
	const struct audit_event *event)
{
	if (value->form == STRING)
		json_string(json, name, value->text);
	else if (value->form == INTEGER)
		json_number(json, name, value->number);
	else if (value->form == BOOLEAN)
		json_bool(json, name, strcmp(value->text, "true") == 0);
	if (value->form != LIST)
		return;
	json_open(json, name, '[');
	for (size_t i = 0; i < event->peer_san_count; i++)
		json_string(json, NULL, event->peer_san[i]);
	json_close(json, ']');
}

static void print_json(FILE *out, const struct audit_event *event)
{
	const char *group = NULL;
	struct json json;

	json_begin(&json, out);
	for (size_t i = 0; i < log_field_count; i++) {
		struct log_value value;

		if (group != NULL && group != log_fields[i].group) {
			json_close(&json, '}');
			group = NULL;
		}
		log_field_value(&log_fields[i], event, &value);
		if (value.form == ABSENT)
			continue;
		if (log_fields[i].group != NULL && group == NULL) {
			group = log_fields[i].group;
			json_open(&json, group, '{');
		}
		json_value(&json, log_fields[i].name, &value, event);
	}
	json_end(&json);
}

/* --- CSV --- */

static void csv_head(FILE *out)
{
	struct csv csv;
	char name[64];

	csv_begin(&csv, out);
	for (size_t i = 0; i < log_field_count; i++) {
		const char *group = log_fields[i].group;

		snprintf(name, sizeof name, "%s%s%s", group != NULL ? group : "",
			group != NULL ? "_" : "", log_fields[i].name);
		csv_field(&csv, name);
	}
	csv_end(&csv);
}

static void print_csv(FILE *out, const struct audit_event *event)
{
	char names[AUDIT_SAN_MAX * 512];
	struct csv csv;

	csv_begin(&csv, out);
	for (size_t i = 0; i < log_field_count; i++) {
		struct log_value value;
		size_t len = 0;

		log_field_value(&log_fields[i], event, &value);
		if (value.form == INTEGER)
			snprintf(value.own, sizeof value.own, "%" PRIu64, value.number);
		for (size_t j = 0; value.form == LIST && j < event->peer_san_count; j++)
			len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
				j > 0 ? " " : "", event->peer_san[j]);
		if (value.form == LIST)
			csv_field(&csv, names);
		else if (value.form == INTEGER)
			csv_field(&csv, value.own);
		else
			csv_field(&csv, value.form != ABSENT ? value.text : NULL);
	}
	csv_end(&csv);
}

/* --- table --- */

static const struct table_column columns[] = {
	{ "TIME", 19, 19, 0 },
	{ "EVENT", 7, 7, 1 },
	{ "RULE", 6, 12, 5 },
	{ "PROGRAM", 7, 14, 4 },
	{ "DIRECTION", 9, 9, 7 },
	{ "REMOTE", 14, 21, 3 },
	{ "VERSION", 7, 7, 6 },
	{ "CIPHER", 10, 28, 8 },
	{ "RESULT", 16, 40, 2 },
};
#define INDENT 21 /* what is below a row stands below the second column */
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

/* What protects a connection that is left alone, once it is known. */
static const char *recognised_text(const struct audit_event *event, char *out, size_t len)
{
	const char *protocol = event->protocol != NULL ? event->protocol : "";
	bool clear = strcmp(protocol, "clear") == 0;

	out[0] = '\0';
	if (strcmp(protocol, "tls") == 0)
		return "own TLS";
	if (strcmp(protocol, "none") == 0)
		return "no byte has passed";
	if (clear && event->application != NULL)
		snprintf(out, len, "in the clear, %s", event->application);
	else if (protocol[0] != '\0')
		return clear ? "in the clear" : protocol;
	return out;
}

/* How it ended: what is known of verification, reason, alerts, traffic. */
static const char *result_text(const struct audit_event *event, char *out, size_t len)
{
	struct log_value sent = { ABSENT, NULL, 0, "" }, received = sent;
	char what[64];
	int n;

	if (event->type == AUDIT_LOST) {
		snprintf(out, len, "%" PRIu64 " events lost: %s", event->lost,
			event->reason != NULL ? event->reason : "the reason is not known");
		return out;
	}
	log_value_alert(&sent, event->alert_sent);
	log_value_alert(&received, event->alert_received);
	n = snprintf(out, len, "%s%s%s%s%s%s%s", recognised_text(event, what, sizeof what),
		event->protocol != NULL && event->reason != NULL ? ": " : "",
		event->reason != NULL   ? event->reason
		: event->verify != NULL ? event->verify
					: "",
		sent.form == STRING ? ", sent " : "", sent.form == STRING ? sent.text : "",
		received.form == STRING ? ", received " : "",
		received.form == STRING ? received.text : "");
	if (event->type == AUDIT_CLOSE && event->bytes_in != AUDIT_ABSENT &&
		event->bytes_out != AUDIT_ABSENT && n >= 0 && (size_t)n < len)
		snprintf(out + n, len - (size_t)n, "%s%" PRIu64 " in, %" PRIu64 " out",
			n > 0 ? ", " : "", event->bytes_in, event->bytes_out);
	return out[0] == ',' ? out + 2 : out;
}

static const char *advice_for(const struct audit_event *event)
{
	const char *cause = cause_of(event);

	return cause != NULL && !cause_is_probe(cause) ? cause_to_do(cause) : NULL;
}

/* On a terminal a failure that does not fit is told below its row, since it is what is looked for;
 * elsewhere an event is a line. */
static void print_row(struct log_printer *printer, const struct audit_event *event)
{
	const char *program = event->program, *slash, *advice = advice_for(event), *result;
	char buf[1024], whole[1536], when[WHEN_LEN];
	bool below;

	slash = program != NULL ? strrchr(program, '/') : NULL;
	result = result_text(event, buf, sizeof buf);
	snprintf(whole, sizeof whole, "%s%s%s", result, advice != NULL ? "; what to do: " : "",
		advice != NULL ? advice : "");
	below = advice != NULL && !table_fits(&printer->table, whole);
	table_row(&printer->table, (const char *const[]){
					   when_short(when, event->time_us / WHEN_SECOND_US),
					   audit_type_name(event->type),
					   event->rule,
					   slash != NULL ? slash + 1 : program,
					   event->direction,
					   event->remote,
					   event->version,
					   event->cipher,
					   below ? cause_of(event) : whole,
				   });
	if (!below)
		return;
	table_below(&printer->table, INDENT, result);
	snprintf(whole, sizeof whole, "what to do: %s", advice);
	table_below(&printer->table, INDENT, whole);
}

/* --- all of them --- */

void log_printer_init(struct log_printer *printer, enum log_format format, FILE *out)
{
	printer->format = format;
	printer->out = out;
	printer->begun = false;
	if (format == LOG_TABLE)
		table_begin(&printer->table, columns, COLUMN_COUNT, out, 0);
}

static void begin(struct log_printer *printer)
{
	if (printer->begun)
		return;
	printer->begun = true;
	if (printer->format == LOG_TABLE)
		table_head(&printer->table);
	else if (printer->format == LOG_CSV)
		csv_head(printer->out);
}

void log_print(struct log_printer *printer, const struct audit_event *event)
{
	begin(printer);
	if (printer->format == LOG_JSON)
		print_json(printer->out, event);
	else if (printer->format == LOG_CSV)
		print_csv(printer->out, event);
	else if (printer->format == LOG_OTLP)
		log_otlp_print(printer->out, event);
	else
		print_row(printer, event);
}

void log_printer_finish(struct log_printer *printer)
{
	begin(printer);
}
