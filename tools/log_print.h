/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events as JSON, for OpenTelemetry, as CSV or a table. DESIGN 2.4 names the fields. */
#ifndef SEAMTLS_TOOLS_LOG_PRINT_H
#define SEAMTLS_TOOLS_LOG_PRINT_H

#include "audit/event.h"
#include "table.h"

enum log_format { LOG_TABLE, LOG_JSON, LOG_CSV, LOG_OTLP };

struct log_printer {
	enum log_format format;
	FILE *out;
	bool begun;
	struct table table;
};

void log_printer_init(struct log_printer *printer, enum log_format format, FILE *out);
void log_print(struct log_printer *printer, const struct audit_event *event);

/* The heading, if there was no event to print it. */
void log_printer_finish(struct log_printer *printer);

#endif
