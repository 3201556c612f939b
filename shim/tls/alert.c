/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/alert.h"
#include "tls/handshake.h"
#include <errno.h>

static const struct {
	int description;
	int error;
	enum cause cause;
	const char *name, *meaning;
} alerts[] = {
	{ 0, -ECONNRESET, CAUSE_CLOSED, "close_notify", "it closed the connection" },
	{ 10, -EPROTO, CAUSE_ALERT, "unexpected_message", NULL },
	{ 20, -EPROTO, CAUSE_ALERT, "bad_record_mac", NULL },
	{ 21, -EPROTO, CAUSE_ALERT, "decryption_failed", NULL },
	{ 22, -EPROTO, CAUSE_ALERT, "record_overflow", NULL },
	{ 30, -EPROTO, CAUSE_ALERT, "decompression_failure", NULL },
	{ 40, -EPROTO, CAUSE_NOTHING_IN_COMMON, "handshake_failure",
		"nothing in common with our cipher suites, groups or signatures, or a certificate "
		"is missing" },
	{ 41, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "no_certificate", NULL },
	{ 42, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "bad_certificate",
		"it does not accept our certificate" },
	{ 43, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "unsupported_certificate",
		"it does not accept our kind of certificate" },
	{ 44, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "certificate_revoked",
		"it holds our certificate to be revoked" },
	{ 45, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "certificate_expired",
		"it holds our certificate to be expired" },
	{ 46, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "certificate_unknown",
		"it does not accept our certificate" },
	{ 47, -EPROTO, CAUSE_ALERT, "illegal_parameter", NULL },
	{ 48, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "unknown_ca",
		"it does not trust the CA of our certificate" },
	{ 49, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "access_denied",
		"it trusts our certificate, but does not let its holder in" },
	{ 50, -EPROTO, CAUSE_ALERT, "decode_error", NULL },
	{ 51, -EPROTO, CAUSE_ALERT, "decrypt_error", NULL },
	{ 60, -EPROTO, CAUSE_ALERT, "export_restriction", NULL },
	{ 70, -EPROTO, CAUSE_NOTHING_IN_COMMON, "protocol_version", "no TLS version in common" },
	{ 71, -EPROTO, CAUSE_NOTHING_IN_COMMON, "insufficient_security",
		"it asks for stronger cipher suites" },
	{ 80, -EPROTO, CAUSE_ALERT, "internal_error", NULL },
	{ 86, -EPROTO, CAUSE_ALERT, "inappropriate_fallback", NULL },
	{ 90, -ECONNRESET, CAUSE_CLOSED, "user_canceled", "it gave up" },
	{ 100, -EPROTO, CAUSE_ALERT, "no_renegotiation", NULL },
	{ 109, -EPROTO, CAUSE_ALERT, "missing_extension", NULL },
	{ 110, -EPROTO, CAUSE_ALERT, "unsupported_extension", NULL },
	{ 111, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "certificate_unobtainable", NULL },
	{ 112, -EPROTO, CAUSE_NAME, "unrecognized_name",
		"it does not serve the name that we asked for" },
	{ 113, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "bad_certificate_status_response",
		"it does not accept our stapled OCSP response, or misses one" },
	{ 114, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "bad_certificate_hash_value", NULL },
	{ 115, -EKEYREJECTED, CAUSE_ALERT, "unknown_psk_identity", NULL },
	{ 116, -EKEYREJECTED, CAUSE_CERTIFICATE_REFUSED, "certificate_required",
		"it asks for a client certificate: set cert and key" },
	{ 120, -EPROTO, CAUSE_NOTHING_IN_COMMON, "no_application_protocol",
		"no ALPN protocol in common" },
	{ 121, -EPROTO, CAUSE_ALERT, "ech_required", NULL },
};

#define ALERT_COUNT (sizeof alerts / sizeof alerts[0])

static size_t find(int description)
{
	size_t i = 0;

	while (i < ALERT_COUNT && alerts[i].description != description)
		i++;
	return i;
}

const char *tls_alert_name(int description)
{
	size_t i = find(description);

	return i < ALERT_COUNT ? alerts[i].name : "unknown";
}

const char *alert_meaning(int description)
{
	size_t i = find(description);

	return i < ALERT_COUNT ? alerts[i].meaning : NULL;
}

int alert_errno(int description)
{
	size_t i = find(description);

	return i < ALERT_COUNT ? alerts[i].error : -EPROTO;
}

enum cause tls_alert_cause(int description)
{
	size_t i = find(description);

	return i < ALERT_COUNT ? alerts[i].cause : CAUSE_ALERT;
}
