/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/event.h"
#include <string.h>

void audit_event_init(struct audit_event *event, enum audit_type type)
{
	memset(event, 0, sizeof *event);
	event->type = type;
	event->uid = AUDIT_NO_UID;
	event->resumed = -1;
	event->alert_sent = -1;
	event->alert_received = -1;
	event->peer_not_after = AUDIT_ABSENT;
	event->handshake_us = AUDIT_ABSENT;
	event->bytes_in = AUDIT_ABSENT;
	event->bytes_out = AUDIT_ABSENT;
	event->duration_us = AUDIT_ABSENT;
	event->lost = AUDIT_ABSENT;
}

const char *audit_type_name(enum audit_type type)
{
	static const char *const names[] = {
		[AUDIT_FILE] = "file",
		[AUDIT_OPEN] = "open",
		[AUDIT_FAIL] = "fail",
		[AUDIT_CLOSE] = "close",
		[AUDIT_PASS] = "pass",
		[AUDIT_DENY] = "deny",
		[AUDIT_OBSERVE] = "observe",
		[AUDIT_POLICY] = "policy",
		[AUDIT_LOST] = "lost",
		[AUDIT_SEAL] = "seal",
	};

	return (size_t)type < sizeof names / sizeof names[0] ? names[type] : NULL;
}

const char *audit_alert_name(int description)
{
	static const struct {
		int description;
		const char *name;
	} alerts[] = {
		{ 0, "close_notify" },
		{ 10, "unexpected_message" },
		{ 20, "bad_record_mac" },
		{ 21, "decryption_failed" },
		{ 22, "record_overflow" },
		{ 30, "decompression_failure" },
		{ 40, "handshake_failure" },
		{ 41, "no_certificate" },
		{ 42, "bad_certificate" },
		{ 43, "unsupported_certificate" },
		{ 44, "certificate_revoked" },
		{ 45, "certificate_expired" },
		{ 46, "certificate_unknown" },
		{ 47, "illegal_parameter" },
		{ 48, "unknown_ca" },
		{ 49, "access_denied" },
		{ 50, "decode_error" },
		{ 51, "decrypt_error" },
		{ 60, "export_restriction" },
		{ 70, "protocol_version" },
		{ 71, "insufficient_security" },
		{ 80, "internal_error" },
		{ 86, "inappropriate_fallback" },
		{ 90, "user_canceled" },
		{ 100, "no_renegotiation" },
		{ 109, "missing_extension" },
		{ 110, "unsupported_extension" },
		{ 111, "certificate_unobtainable" },
		{ 112, "unrecognized_name" },
		{ 113, "bad_certificate_status_response" },
		{ 114, "bad_certificate_hash_value" },
		{ 115, "unknown_psk_identity" },
		{ 116, "certificate_required" },
		{ 120, "no_application_protocol" },
		{ 121, "ech_required" },
	};

	for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
		if (alerts[i].description == description)
			return alerts[i].name;
	return NULL;
}
