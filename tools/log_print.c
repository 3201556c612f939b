/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One table of fields serves JSON and CSV; a field's value is worked out once, in the form that
 * both print.
 */
#include "log_print.h"
#include "csv.h"
#include "json.h"
#include "when.h"
#include <inttypes.h>
#include <string.h>

#define VALUE_LEN 64

enum kind { TIME, TYPE, CONN, PID, UID, TEXT, NAMES, NUMBER, SECONDS, FLAG, ALERT };

static const struct field {
	const char *group; /* the JSON object it stands in */
	const char *name;
	enum kind kind;
	size_t offset;
} fields[] = {
	{ NULL, "time", TIME, offsetof(struct audit_event, time_us) },
	{ NULL, "event", TYPE, offsetof(struct audit_event, type) },
	{ NULL, "conn", CONN, offsetof(struct audit_event, conn) },
	{ NULL, "pid", PID, offsetof(struct audit_event, pid) },
	{ NULL, "uid", UID, offsetof(struct audit_event, uid) },
	{ NULL, "program", TEXT, offsetof(struct audit_event, program) },
	{ NULL, "label", TEXT, offsetof(struct audit_event, label) },
	{ NULL, "rule", TEXT, offsetof(struct audit_event, rule) },
	{ NULL, "direction", TEXT, offsetof(struct audit_event, direction) },
	{ NULL, "local", TEXT, offsetof(struct audit_event, local) },
	{ NULL, "remote", TEXT, offsetof(struct audit_event, remote) },
	{ NULL, "server_name", TEXT, offsetof(struct audit_event, server_name) },
	{ NULL, "version", TEXT, offsetof(struct audit_event, version) },
	{ NULL, "cipher", TEXT, offsetof(struct audit_event, cipher) },
	{ NULL, "group", TEXT, offsetof(struct audit_event, group) },
	{ NULL, "alpn", TEXT, offsetof(struct audit_event, alpn) },
	{ NULL, "resumed", FLAG, offsetof(struct audit_event, resumed) },
	{ NULL, "verify", TEXT, offsetof(struct audit_event, verify) },
	{ "peer", "subject", TEXT, offsetof(struct audit_event, peer_subject) },
	{ "peer", "issuer", TEXT, offsetof(struct audit_event, peer_issuer) },
	{ "peer", "san", NAMES, offsetof(struct audit_event, peer_san) },
	{ "peer", "serial", TEXT, offsetof(struct audit_event, peer_serial) },
	{ "peer", "sha256", TEXT, offsetof(struct audit_event, peer_sha256) },
	{ "peer", "not_after", SECONDS, offsetof(struct audit_event, peer_not_after) },
	{ NULL, "plane", TEXT, offsetof(struct audit_event, plane) },
	{ NULL, "handshake_us", NUMBER, offsetof(struct audit_event, handshake_us) },
	{ NULL, "bytes_in", NUMBER, offsetof(struct audit_event, bytes_in) },
	{ NULL, "bytes_out", NUMBER, offsetof(struct audit_event, bytes_out) },
	{ NULL, "duration_us", NUMBER, offsetof(struct audit_event, duration_us) },
	{ NULL, "reason", TEXT, offsetof(struct audit_event, reason) },
	{ "alert", "sent", ALERT, offsetof(struct audit_event, alert_sent) },
	{ "alert", "received", ALERT, offsetof(struct audit_event, alert_received) },
	{ NULL, "lost", NUMBER, offsetof(struct audit_event, lost) },
};
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

/* --- values --- */

/* A field's value; `text` may be in `own`. */
struct value {
	enum { ABSENT, STRING, INTEGER, BOOLEAN, LIST } form;
	const char *text;
	uint64_t number;
	char own[VALUE_LEN];
};

static void set_text(struct value *value, const char *text)
{
	value->form = text != NULL ? STRING : ABSENT;
	value->text = text;
}

static void set_number(struct value *value, uint64_t number)
{
	value->form = INTEGER;
	value->number = number;
}

static void set_alert(struct value *value, int description)
{
	const char *name = audit_alert_name(description);

	if (description < 0)
		return;
	if (name == NULL)
		snprintf(value->own, sizeof value->own, "alert_%d", description);
	set_text(value, name != NULL ? name : value->own);
}

static void set_conn(struct value *value, uint64_t conn)
{
	if (conn == 0)
		return;
	snprintf(value->own, sizeof value->own, "%016" PRIx64, conn);
	set_text(value, value->own);
}

static void field_value(
	const struct field *field, const struct audit_event *event, struct value *out)
{
	const void *at = (const char *)event + field->offset;
	uint64_t number = field->kind == NUMBER || field->kind == SECONDS ? *(const uint64_t *)at
									  : AUDIT_ABSENT;

	out->form = ABSENT;
	if (field->kind == TIME)
		set_text(out, when_us(out->own, event->time_us));
	else if (field->kind == TYPE)
		set_text(out, audit_type_name(event->type));
	else if (field->kind == CONN)
		set_conn(out, event->conn);
	else if (field->kind == PID)
		set_number(out, (uint64_t)event->pid);
	else if (field->kind == UID && event->uid != AUDIT_NO_UID)
		set_number(out, event->uid);
	else if (field->kind == TEXT)
		set_text(out, *(const char *const *)at);
	else if (field->kind == NAMES && event->peer_san_count > 0)
		out->form = LIST;
	else if (field->kind == NUMBER && number != AUDIT_ABSENT)
		set_number(out, number);
	else if (field->kind == SECONDS && number != AUDIT_ABSENT)
		set_text(out, when_seconds(out->own, number));
	else if (field->kind == ALERT)
		set_alert(out, *(const int *)at);
	else if (field->kind == FLAG && event->resumed >= 0) {
		set_text(out, event->resumed > 0 ? "true" : "false");
		out->form = BOOLEAN;
	}
}

/* --- JSON --- */

static void json_value(struct json *json, const char *name, const struct value *value,
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
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		struct value value;

		if (group != NULL && group != fields[i].group) {
			json_close(&json, '}');
			group = NULL;
		}
		field_value(&fields[i], event, &value);
		if (value.form == ABSENT)
			continue;
		if (fields[i].group != NULL && group == NULL) {
			group = fields[i].group;
			json_open(&json, group, '{');
		}
		json_value(&json, fields[i].name, &value, event);
	}
	json_end(&json);
}

/* --- CSV --- */

static void csv_head(FILE *out)
{
	struct csv csv;
	char name[64];

	csv_begin(&csv, out);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const char *group = fields[i].group;

		snprintf(name, sizeof name, "%s%s%s", group != NULL ? group : "",
			group != NULL ? "_" : "", fields[i].name);
		csv_field(&csv, name);
	}
	csv_end(&csv);
}

static void print_csv(FILE *out, const struct audit_event *event)
{
	char names[AUDIT_SAN_MAX * 512];
	struct csv csv;

	csv_begin(&csv, out);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		struct value value;
		size_t len = 0;

		field_value(&fields[i], event, &value);
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
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

/* How it ended: what is known of verification, reason, alerts, traffic. */
static const char *result_text(const struct audit_event *event, char *out, size_t len)
{
	struct value sent = { ABSENT, NULL, 0, "" }, received = sent;
	int n;

	if (event->type == AUDIT_LOST) {
		snprintf(out, len, "%" PRIu64 " events lost: %s", event->lost,
			event->reason != NULL ? event->reason : "the reason is not known");
		return out;
	}
	set_alert(&sent, event->alert_sent);
	set_alert(&received, event->alert_received);
	n = snprintf(out, len, "%s%s%s%s%s",
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

static void print_row(struct log_printer *printer, const struct audit_event *event)
{
	const char *program = event->program, *slash;
	char result[1024], when[WHEN_LEN];

	slash = program != NULL ? strrchr(program, '/') : NULL;
	table_row(&printer->table, (const char *const[]){
					   when_short(when, event->time_us / WHEN_SECOND_US),
					   audit_type_name(event->type),
					   event->rule,
					   slash != NULL ? slash + 1 : program,
					   event->direction,
					   event->remote,
					   event->version,
					   event->cipher,
					   result_text(event, result, sizeof result),
				   });
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
	else
		print_row(printer, event);
}

void log_printer_finish(struct log_printer *printer)
{
	begin(printer);
}
