/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/alert.h"
#include "tls/handshake.h"
#include <errno.h>

static const struct {
	int description;
	int error;
	const char *name, *meaning;
} alerts[] = {
	{ 0, -ECONNRESET, "close_notify", "it closed the connection" },
	{ 10, -EPROTO, "unexpected_message", NULL },
	{ 20, -EPROTO, "bad_record_mac", NULL },
	{ 21, -EPROTO, "decryption_failed", NULL },
	{ 22, -EPROTO, "record_overflow", NULL },
	{ 30, -EPROTO, "decompression_failure", NULL },
	{ 40, -EPROTO, "handshake_failure",
		"nothing in common with our cipher suites, groups or signatures, or a certificate "
		"is missing" },
	{ 41, -EKEYREJECTED, "no_certificate", NULL },
	{ 42, -EKEYREJECTED, "bad_certificate", "it does not accept our certificate" },
	{ 43, -EKEYREJECTED, "unsupported_certificate",
		"it does not accept our kind of certificate" },
	{ 44, -EKEYREJECTED, "certificate_revoked", "it holds our certificate to be revoked" },
	{ 45, -EKEYREJECTED, "certificate_expired", "it holds our certificate to be expired" },
	{ 46, -EKEYREJECTED, "certificate_unknown", "it does not accept our certificate" },
	{ 47, -EPROTO, "illegal_parameter", NULL },
	{ 48, -EKEYREJECTED, "unknown_ca", "it does not trust the CA of our certificate" },
	{ 49, -EKEYREJECTED, "access_denied",
		"it trusts our certificate, but does not let its holder in" },
	{ 50, -EPROTO, "decode_error", NULL },
	{ 51, -EPROTO, "decrypt_error", NULL },
	{ 60, -EPROTO, "export_restriction", NULL },
	{ 70, -EPROTO, "protocol_version", "no TLS version in common" },
	{ 71, -EPROTO, "insufficient_security", "it asks for stronger cipher suites" },
	{ 80, -EPROTO, "internal_error", NULL },
	{ 86, -EPROTO, "inappropriate_fallback", NULL },
	{ 90, -ECONNRESET, "user_canceled", "it gave up" },
	{ 100, -EPROTO, "no_renegotiation", NULL },
	{ 109, -EPROTO, "missing_extension", NULL },
	{ 110, -EPROTO, "unsupported_extension", NULL },
	{ 111, -EKEYREJECTED, "certificate_unobtainable", NULL },
	{ 112, -EPROTO, "unrecognized_name", "it does not serve the name that we asked for" },
	{ 113, -EKEYREJECTED, "bad_certificate_status_response",
		"it does not accept our stapled OCSP response, or misses one" },
	{ 114, -EKEYREJECTED, "bad_certificate_hash_value", NULL },
	{ 115, -EKEYREJECTED, "unknown_psk_identity", NULL },
	{ 116, -EKEYREJECTED, "certificate_required",
		"it asks for a client certificate: set cert and key" },
	{ 120, -EPROTO, "no_application_protocol", "no ALPN protocol in common" },
	{ 121, -EPROTO, "ech_required", NULL },
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
