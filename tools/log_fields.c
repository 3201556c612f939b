/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_fields.h"
#include "cause.h"
#include "when.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct log_field log_fields[] = {
	{ NULL, "time", TIME, offsetof(struct audit_event, time_us), NULL },
	{ NULL, "event", TYPE, offsetof(struct audit_event, type), NULL },
	{ NULL, "conn", CONN, offsetof(struct audit_event, conn), NULL },
	{ NULL, "pid", PID, offsetof(struct audit_event, pid), "process.pid" },
	{ NULL, "uid", UID, offsetof(struct audit_event, uid), "process.user.id" },
	{ NULL, "program", TEXT, offsetof(struct audit_event, program), "process.executable.path" },
	{ NULL, "label", TEXT, offsetof(struct audit_event, label), NULL },
	{ NULL, "rule", TEXT, offsetof(struct audit_event, rule), NULL },
	{ NULL, "direction", TEXT, offsetof(struct audit_event, direction), NULL },
	{ NULL, "local", TEXT, offsetof(struct audit_event, local), NULL },
	{ NULL, "remote", TEXT, offsetof(struct audit_event, remote), NULL },
	{ NULL, "server_name", TEXT, offsetof(struct audit_event, server_name),
		"tls.client.server_name" },
	{ NULL, "protocol", TEXT, offsetof(struct audit_event, protocol), NULL },
	{ NULL, "application", TEXT, offsetof(struct audit_event, application), NULL },
	{ NULL, "version", TEXT, offsetof(struct audit_event, version), NULL },
	{ NULL, "cipher", TEXT, offsetof(struct audit_event, cipher), "tls.cipher" },
	{ NULL, "group", TEXT, offsetof(struct audit_event, group), "tls.curve" },
	{ NULL, "alpn", TEXT, offsetof(struct audit_event, alpn), "tls.next_protocol" },
	{ NULL, "offered_version", TEXT, offsetof(struct audit_event, offered_version), NULL },
	{ NULL, "ja4", TEXT, offsetof(struct audit_event, ja4), "tls.client.ja4" },
	{ NULL, "resumed", FLAG, offsetof(struct audit_event, resumed), "tls.resumed" },
	{ NULL, "verify", TEXT, offsetof(struct audit_event, verify), NULL },
	{ "peer", "subject", TEXT, offsetof(struct audit_event, peer_subject), NULL },
	{ "peer", "issuer", TEXT, offsetof(struct audit_event, peer_issuer), NULL },
	{ "peer", "san", NAMES, offsetof(struct audit_event, peer_san), NULL },
	{ "peer", "serial", TEXT, offsetof(struct audit_event, peer_serial), NULL },
	{ "peer", "sha256", TEXT, offsetof(struct audit_event, peer_sha256), NULL },
	{ "peer", "not_after", SECONDS, offsetof(struct audit_event, peer_not_after), NULL },
	{ NULL, "plane", TEXT, offsetof(struct audit_event, plane), NULL },
	{ NULL, "handshake_us", NUMBER, offsetof(struct audit_event, handshake_us), NULL },
	{ NULL, "bytes_in", NUMBER, offsetof(struct audit_event, bytes_in), NULL },
	{ NULL, "bytes_out", NUMBER, offsetof(struct audit_event, bytes_out), NULL },
	{ NULL, "duration_us", NUMBER, offsetof(struct audit_event, duration_us), NULL },
	{ NULL, "reason", TEXT, offsetof(struct audit_event, reason), NULL },
	{ "alert", "sent", ALERT, offsetof(struct audit_event, alert_sent), NULL },
	{ "alert", "received", ALERT, offsetof(struct audit_event, alert_received), NULL },
	{ NULL, "lost", NUMBER, offsetof(struct audit_event, lost), NULL },
	{ NULL, "cause", CAUSE, 0, NULL },
	{ NULL, "advice", ADVICE, 0, NULL },
};
const size_t log_field_count = sizeof log_fields / sizeof log_fields[0];

static void set_text(struct log_value *value, const char *text)
{
	value->form = text != NULL ? STRING : ABSENT;
	value->text = text;
}

static void set_number(struct log_value *value, uint64_t number)
{
	value->form = INTEGER;
	value->number = number;
}

void log_value_alert(struct log_value *value, int description)
{
	const char *name = audit_alert_name(description);

	if (description < 0)
		return;
	if (name == NULL)
		snprintf(value->own, sizeof value->own, "alert_%d", description);
	set_text(value, name != NULL ? name : value->own);
}

static void set_conn(struct log_value *value, uint64_t conn)
{
	if (conn == 0)
		return;
	snprintf(value->own, sizeof value->own, "%016" PRIx64, conn);
	set_text(value, value->own);
}

/* What to do stands in the log for those who read only that. */
static void set_cause(struct log_value *value, enum log_kind kind, const struct audit_event *event)
{
	const char *cause = cause_of(event);

	if (cause != NULL)
		set_text(value, kind == CAUSE ? cause : cause_to_do(cause));
}

void log_field_value(
	const struct log_field *field, const struct audit_event *event, struct log_value *out)
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
	else if (field->kind == CAUSE || field->kind == ADVICE)
		set_cause(out, field->kind, event);
	else if (field->kind == ALERT)
		log_value_alert(out, *(const int *)at);
	else if (field->kind == FLAG && event->resumed >= 0) {
		set_text(out, event->resumed > 0 ? "true" : "false");
		out->form = BOOLEAN;
	}
}
