/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The library says what the cause is. Files of its first versions have the reason only, of which
 * the class is found in the words: the beginnings of reasons, without who refused. What a peer can
 * put into a reason stands behind its beginning, so that it cannot pass for another cause; only
 * within what is said of certificates is the class found in the middle.
 */
#include "cause.h"
#include "audit/cause.h"
#include <stdbool.h>
#include <string.h>

#define NOT_TRUSTED "the peer's certificate is not trusted: "

static const struct {
	const char *text, *cause;
} beginnings[] = {
	{ "the peer does not speak TLS", "plaintext" },
	{ "the peer sent what is no TLS record", "plaintext" },
	{ "the peer is not allowed", "not_allowed" },
	{ "the peer sent no certificate", "no_certificate" },
	{ "no TLS version in common", "nothing_in_common" },
	{ "no cipher suite", "nothing_in_common" },
	{ "no group", "nothing_in_common" },
	{ "no application protocol", "nothing_in_common" },
	{ "the cipher suite that was agreed on", "nothing_in_common" },
	{ "the peer chose a cipher suite", "tampered" },
	{ "the peer did not finish the handshake", "timeout" },
	{ "the process that had begun the handshake", "timeout" },
	{ "the peer said nothing for handshake_timeout", "timeout" },
	{ "the peer closed the connection without close_notify", "truncated" },
	{ "the peer closed the connection before it sent anything", "probe" },
	{ "the connection failed before the peer sent anything", "probe" },
	{ "the peer closed the connection before the upgrade", "starttls" },
	{ "the peer closed the connection", "closed" },
	{ "the peer reset the connection", "reset" },
	{ "the client reset the connection", "reset" },
	{ "TCP gave the connection up", "reset" },
	{ "the connection failed", "reset" },
	{ "the peer's signature is wrong", "tampered" },
	{ "the handshake was tampered with", "tampered" },
	{ "a record of the peer", "tampered" },
	{ "the peer's KeyUpdate", "tampered" },
	{ "the peer sent something in the clear behind", "starttls" },
	{ "starttls", "starttls" },
	{ "the peer sen", "tampered" },
	{ "the peer interrupted", "tampered" },
	{ "the handshake failed", "tampered" },
	{ "no name is known to verify", "name" },
	{ "policy ", "policy" },
	{ "the program ", "program" },
	{ "a process that shared the connection", "program" },
	{ "a rule for inbound connections needs", "key" },
	{ "the certificate '", "key" },
	{ "the key '", "key" },
	{ "a certificate in '", "key" },
	{ "no certificate in '", "key" },
	{ "no private key in '", "key" },
	{ "cannot read the certificate", "key" },
	{ "cannot read the key", "key" },
	{ "there is a key", "key" },
	{ "cannot read", "policy" },
	{ "the system has no CA certificates", "policy" },
	{ "no usable certificate in the CA", "policy" },
	{ "no revocation list in", "policy" },
};

/* What is wrong with a certificate; its names are in quotes, behind these words or before them. */
static const struct {
	const char *text, *cause;
} verdicts[] = {
	{ "certificate is for '", "name" },
	{ "certificate has no subjectAltName", "name" },
	{ "no key in the certificate chain is pinned", "not_allowed" },
	{ " has expired (not after ", "expired" },
	{ " is not valid yet (not before ", "expired" },
	{ " is revoked: ", "revoked" },
	{ "revocation list of '", "revoked" },
};

static const struct {
	int description;
	const char *cause;
} alerts[] = {
	{ 40, "nothing_in_common" },
	{ 70, "nothing_in_common" },
	{ 71, "nothing_in_common" },
	{ 120, "nothing_in_common" },
	{ 41, "certificate_refused" },
	{ 42, "certificate_refused" },
	{ 43, "certificate_refused" },
	{ 44, "certificate_refused" },
	{ 45, "certificate_refused" },
	{ 46, "certificate_refused" },
	{ 48, "certificate_refused" },
	{ 49, "certificate_refused" },
	{ 116, "certificate_refused" },
	{ 112, "name" },
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *skip(const char *text, const char *beginning)
{
	size_t len = strlen(beginning);

	return strncmp(text, beginning, len) == 0 ? text + len : text;
}

static const char *of_certificate(const char *verdict)
{
	for (size_t i = 0; i < COUNT(verdicts); i++)
		if (strstr(verdict, verdicts[i].text) != NULL)
			return verdicts[i].cause;
	return "chain";
}

static const char *of_alert(int description)
{
	for (size_t i = 0; i < COUNT(alerts); i++)
		if (alerts[i].description == description)
			return alerts[i].cause;
	return "alert";
}

static const char *of_reason(const char *reason)
{
	const char *verdict = skip(reason, NOT_TRUSTED);

	if (verdict != reason)
		return of_certificate(verdict);
	for (size_t i = 0; i < COUNT(beginnings); i++)
		if (skip(reason, beginnings[i].text) != reason)
			return beginnings[i].cause;
	return "other";
}

static const char *of_words(const struct audit_event *event)
{
	const char *reason = event->reason != NULL ? event->reason : "", *cause;

	reason = skip(skip(reason, "refused by this side: "), "refused by the peer: ");
	/* close_notify is no complaint. */
	if (event->alert_received > 0)
		return of_alert(event->alert_received);
	cause = of_reason(reason);
	/* A server that hangs up has heard a ClientHello. */
	if (cause_is_probe(cause) &&
		(event->direction == NULL || strcmp(event->direction, "inbound") != 0))
		return strstr(reason, " failed ") != NULL ? "reset" : "closed";
	return cause;
}

const char *cause_of(const struct audit_event *event)
{
	/* A word that is not known may be anything. */
	if (event->cause != NULL)
		return cause_named(event->cause) != CAUSE_NONE ? event->cause : "other";
	return event->type == AUDIT_FAIL ? of_words(event) : NULL;
}

bool cause_is_probe(const char *cause)
{
	return strcmp(cause, "probe") == 0;
}

const char *cause_text(const char *cause)
{
	enum cause known = cause_named(cause);

	return cause_meaning(known != CAUSE_NONE ? known : CAUSE_OTHER);
}

const char *cause_to_do(const char *cause)
{
	enum cause known = cause_named(cause);

	return known != CAUSE_NONE && known != CAUSE_OTHER ? cause_advice(known) : NULL;
}
