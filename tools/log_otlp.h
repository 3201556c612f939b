/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events for OpenTelemetry: OTLP's JSON, an ExportLogsServiceRequest a line. */
#ifndef SEAMTLS_TOOLS_LOG_OTLP_H
#define SEAMTLS_TOOLS_LOG_OTLP_H

#include "audit/event.h"
#include <stdio.h>

void log_otlp_print(FILE *out, const struct audit_event *event);

#endif
