/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fields of an event (DESIGN 2.4 names them), and what is in them, for all forms of output. */
#ifndef SEAMTLS_TOOLS_LOG_FIELDS_H
#define SEAMTLS_TOOLS_LOG_FIELDS_H

#include "audit/event.h"

#define LOG_VALUE_LEN 64

enum log_kind {
	TIME,
	TYPE,
	CONN,
	PID,
	UID,
	TEXT,
	NAMES,
	NUMBER,
	SECONDS,
	FLAG,
	ALERT,
	CAUSE,
	ADVICE
};

struct log_field {
	const char *group; /* the JSON object it stands in */
	const char *name;
	enum log_kind kind;
	size_t offset;
	const char *otel; /* what OpenTelemetry calls it; NULL: nothing of its own */
};

extern const struct log_field log_fields[];
extern const size_t log_field_count;

/* A field's value; `text` may be in `own`. */
struct log_value {
	enum { ABSENT, STRING, INTEGER, BOOLEAN, LIST } form;
	const char *text;
	uint64_t number;
	char own[LOG_VALUE_LEN];
};

void log_field_value(
	const struct log_field *field, const struct audit_event *event, struct log_value *out);

/* The name of an alert. */
void log_value_alert(struct log_value *value, int description);

#endif
