/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The OTLP specification's JSON mapping: 64-bit numbers are strings, enumerations numbers. Fields
 * that OpenTelemetry has a name for get it, the others are seamtls.NAME.
 */
#include "log_otlp.h"
#include "json.h"
#include "log_fields.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* SeverityNumber of the logs data model. */
#define SEVERITY_INFO 9
#define SEVERITY_WARN 13
#define SEVERITY_ERROR 17

static const char *host_name(void)
{
	static char name[256];

	if (name[0] == '\0' && gethostname(name, sizeof name - 1) < 0)
		strcpy(name, "localhost");
	return name;
}

static void put_time(struct json *json, const char *key, uint64_t us)
{
	char nanos[32];

	snprintf(nanos, sizeof nanos, "%" PRIu64 "000", us);
	json_string(json, key, nanos);
}

static void put_text(struct json *json, const char *key, const char *text)
{
	json_open(json, NULL, '{');
	json_string(json, "key", key);
	json_open(json, "value", '{');
	json_string(json, "stringValue", text);
	json_close(json, '}');
	json_close(json, '}');
}

static void put_value(
	struct json *json, const struct log_value *value, const struct audit_event *event)
{
	char number[24];

	if (value->form == STRING) {
		json_string(json, "stringValue", value->text);
	} else if (value->form == INTEGER) {
		snprintf(number, sizeof number, "%" PRIu64, value->number);
		json_string(json, "intValue", number);
	} else if (value->form == BOOLEAN) {
		json_bool(json, "boolValue", strcmp(value->text, "true") == 0);
	}
	if (value->form != LIST)
		return;
	json_open(json, "arrayValue", '{');
	json_open(json, "values", '[');
	for (size_t i = 0; i < event->peer_san_count; i++) {
		json_open(json, NULL, '{');
		json_string(json, "stringValue", event->peer_san[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void put_field(
	struct json *json, const struct log_field *field, const struct audit_event *event)
{
	char name[64];
	struct log_value value;

	log_field_value(field, event, &value);
	if (value.form == ABSENT || field->kind == TIME)
		return;
	snprintf(name, sizeof name, "seamtls.%s%s%s", field->group != NULL ? field->group : "",
		field->group != NULL ? "." : "", field->name);
	json_open(json, NULL, '{');
	json_string(json, "key", field->otel != NULL ? field->otel : name);
	json_open(json, "value", '{');
	put_value(json, &value, event);
	json_close(json, '}');
	json_close(json, '}');
}

static void put_severity(struct json *json, const struct audit_event *event)
{
	bool error = event->type == AUDIT_FAIL || event->type == AUDIT_LOST;
	bool warn = event->type == AUDIT_DENY || event->type == AUDIT_OBSERVE ||
		    (event->reason != NULL && strncmp(event->reason, "warning: ", 9) == 0);

	json_number(json, "severityNumber",
		error  ? SEVERITY_ERROR
		: warn ? SEVERITY_WARN
		       : SEVERITY_INFO);
	json_string(json, "severityText", error ? "ERROR" : warn ? "WARN" : "INFO");
}

/* "fail: the peer does not speak TLS", for people */
static void put_body(struct json *json, const struct audit_event *event)
{
	char text[1024];

	snprintf(text, sizeof text, "%s%s%s", audit_type_name(event->type),
		event->reason != NULL ? ": " : "", event->reason != NULL ? event->reason : "");
	json_open(json, "body", '{');
	json_string(json, "stringValue", text);
	json_close(json, '}');
}

static void put_resource(struct json *json, const struct audit_event *event)
{
	const char *program = event->program != NULL ? event->program : "unknown_service";
	const char *slash = strrchr(program, '/');

	json_open(json, "resource", '{');
	json_open(json, "attributes", '[');
	put_text(json, "service.name", slash != NULL ? slash + 1 : program);
	put_text(json, "host.name", host_name());
	json_close(json, ']');
	json_close(json, '}');
}

static void put_record(struct json *json, const struct audit_event *event)
{
	json_open(json, NULL, '{');
	put_time(json, "timeUnixNano", event->time_us);
	put_time(json, "observedTimeUnixNano", event->time_us);
	put_severity(json, event);
	put_body(json, event);
	json_open(json, "attributes", '[');
	for (size_t i = 0; i < log_field_count; i++)
		put_field(json, &log_fields[i], event);
	json_close(json, ']');
	json_close(json, '}');
}

void log_otlp_print(FILE *out, const struct audit_event *event)
{
	struct json json;

	json_begin(&json, out);
	json_open(&json, "resourceLogs", '[');
	json_open(&json, NULL, '{');
	put_resource(&json, event);
	json_open(&json, "scopeLogs", '[');
	json_open(&json, NULL, '{');
	json_open(&json, "scope", '{');
	json_string(&json, "name", "seamtls");
	json_string(&json, "version", SEAMTLS_VERSION);
	json_close(&json, '}');
	json_open(&json, "logRecords", '[');
	put_record(&json, event);
	json_close(&json, ']');
	json_close(&json, '}');
	json_close(&json, ']');
	json_close(&json, '}');
	json_close(&json, ']');
	json_end(&json);
}
