/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a handshake failed, in one sentence and one errno. What is most telling comes first: our
 * verdict, the peer's alert, the socket. */
#include "tls/alert.h"
#include "tls/handshake_private.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BAD_KEY "the peer's share of the key exchange is no key of its group"
#define BAD_SIGNATURE "the peer's signature is wrong: it does not hold the key of its certificate"
#define BAD_LENGTHS "the peer sent a message whose lengths are wrong"

static const struct {
	int error; /* wolfSSL's */
	int result;
	int alert; /* where wolfSSL's is vague; 0: that */
	enum cause cause;
	const char *text;
} errors[] = {
	{ VERSION_ERROR, -EPROTO, ALERT_PROTOCOL_VERSION, CAUSE_NOTHING_IN_COMMON,
		"no TLS version in common with the peer" },
	{ MATCH_SUITE_ERROR, -EPROTO, 0, CAUSE_NOTHING_IN_COMMON,
		"no cipher suite or TLS version in common with the peer" },
	{ BAD_KEY_SHARE_DATA, -EPROTO, 0, CAUSE_NOTHING_IN_COMMON,
		"no group for the key exchange in common with the peer" },
	{ ECC_CURVE_ERROR, -EPROTO, 0, CAUSE_NOTHING_IN_COMMON,
		"no group for the key exchange in common with the peer" },
	{ ECC_CURVETYPE_ERROR, -EPROTO, 0, CAUSE_NOTHING_IN_COMMON,
		"no group for the key exchange in common with the peer" },
	{ UNKNOWN_ALPN_PROTOCOL_NAME_E, -EPROTO, 0, CAUSE_NOTHING_IN_COMMON,
		"no application protocol (ALPN) in common with the peer" },
	{ UNSUPPORTED_SUITE, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED,
		"the peer chose a cipher suite that was not offered" },
	{ NO_PEER_CERT, -EKEYREJECTED, 0, CAUSE_NO_CERTIFICATE,
		"the peer sent no certificate, and one is required" },
	{ NO_CERT_ERROR, -EKEYREJECTED, 0, CAUSE_NO_CERTIFICATE,
		"the peer sent no certificate, and one is required" },
	{ VERIFY_SIGN_ERROR, -EKEYREJECTED, ALERT_DECRYPT_ERROR, CAUSE_TAMPERED, BAD_SIGNATURE },
	{ SIG_VERIFY_E, -EKEYREJECTED, ALERT_DECRYPT_ERROR, CAUSE_TAMPERED, BAD_SIGNATURE },
	{ VERIFY_FINISHED_ERROR, -EPROTO, ALERT_DECRYPT_ERROR, CAUSE_TAMPERED,
		"the handshake was tampered with: the Finished message is wrong" },
	{ BAD_BINDER, -EPROTO, ALERT_DECRYPT_ERROR, CAUSE_TAMPERED,
		"the peer offers a session that is not its own: the binder is wrong" },
	{ DECRYPT_ERROR, -EPROTO, ALERT_BAD_RECORD_MAC, CAUSE_TAMPERED,
		"a record of the peer does not authenticate" },
	{ VERIFY_MAC_ERROR, -EPROTO, ALERT_BAD_RECORD_MAC, CAUSE_TAMPERED,
		"a record of the peer does not authenticate" },
	{ SESSION_SECRET_CB_E, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED,
		"a session was resumed that cannot be resumed here" },
	{ SESSION_TICKET_EXPECT_E, -EPROTO, ALERT_UNEXPECTED_MESSAGE, CAUSE_TAMPERED,
		"the peer promised a session ticket and sent none" },
	{ OUT_OF_ORDER_E, -EPROTO, ALERT_UNEXPECTED_MESSAGE, CAUSE_TAMPERED,
		"the peer sent a handshake message out of order" },
	{ DUPLICATE_MSG_E, -EPROTO, ALERT_UNEXPECTED_MESSAGE, CAUSE_TAMPERED,
		"the peer sent a handshake message twice" },
	{ SIDE_ERROR, -EPROTO, ALERT_UNEXPECTED_MESSAGE, CAUSE_TAMPERED,
		"the peer sent a handshake message that is not its to send" },
	{ SANITY_MSG_E, -EPROTO, ALERT_UNEXPECTED_MESSAGE, CAUSE_TAMPERED,
		"the peer sent a handshake message that was not asked for" },
	{ HANDSHAKE_SIZE_ERROR, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED,
		"the peer sent a handshake message that is too long" },
	{ UNKNOWN_RECORD_TYPE, -EPROTO, ALERT_UNEXPECTED_MESSAGE, CAUSE_TAMPERED,
		"the peer sent a record of an unknown type" },
	{ LENGTH_ERROR, -EPROTO, ALERT_RECORD_OVERFLOW, CAUSE_TAMPERED,
		"the peer sent a record that is too long, or too short" },
	{ ECC_PEERKEY_ERROR, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED, BAD_KEY },
	{ ECC_OUT_OF_RANGE_E, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED, BAD_KEY },
	{ ECC_BAD_ARG_E, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED, BAD_KEY },
	{ INVALID_CERT_CTX_E, -EPROTO, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED,
		"the peer's certificate answers to another request" },
	{ ASN_ECC_KEY_E, -EKEYREJECTED, ALERT_DECRYPT_ERROR, CAUSE_TAMPERED, BAD_SIGNATURE },
	{ ALGO_ID_E, -EKEYREJECTED, ALERT_ILLEGAL_PARAMETER, CAUSE_TAMPERED, BAD_SIGNATURE },
	{ PARSE_ERROR, -EPROTO, ALERT_DECODE_ERROR, CAUSE_TAMPERED,
		"the peer sent a message that cannot be parsed" },
	{ BUFFER_E, -EPROTO, ALERT_DECODE_ERROR, CAUSE_TAMPERED, BAD_LENGTHS },
	{ BUFFER_ERROR, -EPROTO, ALERT_DECODE_ERROR, CAUSE_TAMPERED, BAD_LENGTHS },
	{ INCOMPLETE_DATA, -EPROTO, ALERT_DECODE_ERROR, CAUSE_TAMPERED, BAD_LENGTHS },
	{ MEMORY_E, -ENOMEM, ALERT_INTERNAL_ERROR, CAUSE_RESOURCES, "out of memory" },
	{ MEMORY_ERROR, -ENOMEM, ALERT_INTERNAL_ERROR, CAUSE_RESOURCES, "out of memory" },
};

/* Printable ASCII in quotes up to the end of the line, else bytes in hex. */
static int say_not_tls(const struct wire *wire, const struct why *why)
{
	char shown[3 * WIRE_SNIFF_LEN + 1];
	size_t len = 0;

	why_because(why, CAUSE_PLAINTEXT);
	while (len < wire->first_len && wire->first[len] >= 0x20 && wire->first[len] < 0x7f) {
		shown[len] = (char)wire->first[len];
		len++;
	}
	shown[len] = '\0';
	if (len == wire->first_len ||
		(len > 0 && (wire->first[len] == '\r' || wire->first[len] == '\n')))
		return why_say(why, -EPROTO, "the peer does not speak TLS: it sent '%s'", shown);
	len = 0;
	for (size_t i = 0; i < wire->first_len && i < 16; i++)
		len += (size_t)sprintf(
			shown + len, i == 0 ? "%02x" : " %02x", (unsigned)wire->first[i]);
	return why_say(why, -EPROTO, "the peer does not speak TLS: it sent the bytes %s", shown);
}

/* TLS 1.2 has no other word for it; and once the server has shown its certificate there is enough
 * in common. */
static bool wants_certificate(const struct tls_handshake *handshake, int description)
{
	return description == ALERT_HANDSHAKE_FAILURE && handshake->result.verify[0] != '\0' &&
	       handshake->context->role == TLS_CLIENT;
}

static int say_alert(const struct tls_handshake *handshake, const struct why *why, int description)
{
	const char *meaning = alert_meaning(description);

	if (wants_certificate(handshake, description)) {
		why_because(why, CAUSE_CERTIFICATE_REFUSED);
		return why_say(why, -EKEYREJECTED,
			"the peer ended the handshake with the alert %s: it asks for a client "
			"certificate, and has got none that will do",
			tls_alert_name(description));
	}
	why_because(why, tls_alert_cause(description));
	return why_say(why, alert_errno(description),
		"the peer ended the handshake with the alert %s%s%s", tls_alert_name(description),
		meaning != NULL ? ": " : "", meaning != NULL ? meaning : "");
}

/* A client that says nothing is a probe; a server that says nothing has heard our ClientHello. */
static enum cause transport_cause(const struct wire *wire, bool server)
{
	if (wire->error == -EPROTO)
		return CAUSE_TAMPERED;
	if (server && wire->first_len == 0)
		return CAUSE_PROBE;
	return wire->eof ? CAUSE_CLOSED : CAUSE_RESET;
}

static int say_transport(const struct wire *wire, bool server, const struct why *why)
{
	bool silent = wire->first_len == 0;

	why_because(why, transport_cause(wire, server));
	if (wire->eof)
		return why_say(why, -ECONNRESET, "the peer closed the connection %s",
			silent ? "before it sent anything" : "during the handshake");
	/* The peer's end of a connection that it closed without reading all of it. */
	return why_say(why, wire->error == -EPIPE ? -ECONNRESET : wire->error,
		"the connection failed %s: %s",
		silent ? "before the peer sent anything" : "during the handshake",
		why_errno(wire->error));
}

/* What wolfSSL says for want of a better one; or nothing. */
static bool is_vague(int alert, int error)
{
	return alert < 0 || alert == ALERT_HANDSHAKE_FAILURE ||
	       (alert == ALERT_ILLEGAL_PARAMETER && error == BAD_BINDER);
}

static int say_error(struct tls_handshake *handshake, const struct why *why, int error)
{
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (errors[i].error != error)
			continue;
		if (is_vague(handshake->wolfssl_alert, error))
			handshake->alert = errors[i].alert;
		why_because(why, errors[i].cause);
		return why_say(why, errors[i].result, "%s", errors[i].text);
	}
	why_because(why, CAUSE_TAMPERED);
	return why_say(why, -EPROTO, "the handshake failed: %s",
		wolfSSL_ERR_reason_error_string((unsigned long)error));
}

/* What a certificate is refused for, as far as the alert tells. */
static enum cause verdict_cause(int alert)
{
	switch (alert) {
	case ALERT_CERTIFICATE_EXPIRED:
		return CAUSE_EXPIRED;
	case ALERT_CERTIFICATE_REVOKED:
	case ALERT_CERTIFICATE_UNKNOWN: /* no list covers it */
	case ALERT_BAD_STATUS_RESPONSE:
		return CAUSE_REVOKED;
	case ALERT_ACCESS_DENIED:
		return CAUSE_NOT_ALLOWED;
	case ALERT_INTERNAL_ERROR:
		return CAUSE_RESOURCES;
	default:
		return CAUSE_CHAIN;
	}
}

int reason_find(struct tls_handshake *handshake, int error)
{
	struct tls_result *result = &handshake->result;
	struct why why = { result->reason, sizeof result->reason, &result->cause };
	WOLFSSL_ALERT_HISTORY history = { { -1, -1 }, { -1, -1 } };
	struct wire *wire = &handshake->wire;

	wolfSSL_get_alert_history(handshake->ssl, &history);
	/* A warning that the peer did not end with is none of the reasons. */
	if (error == FATAL_ERROR || error == ZERO_RETURN || history.last_rx.level == alert_fatal)
		result->alert_received = history.last_rx.code;
	/* Of what wolfSSL cannot parse we do not hear. */
	if (error == BAD_CERTIFICATE_STATUS_ERROR && !handshake->rejected) {
		strcpy(result->verify, "the stapled OCSP response cannot be parsed, or is an error "
				       "of the responder");
		handshake_reject(handshake, ALERT_BAD_STATUS_RESPONSE);
	}
	if (handshake->rejected && result->cause == CAUSE_NONE)
		result->cause = verdict_cause(handshake->alert);
	if (handshake->rejected && handshake->alert == ALERT_ACCESS_DENIED)
		return why_say(&why, -EKEYREJECTED, "the peer is %s", result->verify);
	if (handshake->rejected)
		return why_say(&why, -EKEYREJECTED, "the peer's certificate is not trusted: %s",
			result->verify);
	if (wire->not_tls)
		return say_not_tls(wire, &why);
	if (wire->fault.text != NULL) {
		handshake->alert = wire->fault.alert;
		why_because(&why, CAUSE_TAMPERED);
		return why_say(&why, -EPROTO, "%s", wire->fault.text);
	}
	if (result->alert_received >= 0) {
		result->by_peer = true;
		return say_alert(handshake, &why, result->alert_received);
	}
	if (wire->eof || wire->error != 0) {
		result->by_peer = wire->eof || wire->error == -ECONNRESET || wire->error == -EPIPE;
		return say_transport(wire, handshake->context->role == TLS_SERVER, &why);
	}
	return say_error(handshake, &why, error);
}
