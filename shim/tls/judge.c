/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In the order in which an operator looks for the cause: the chain, what its certificates are fit
 * for, whether one is revoked, the name, the pins, who is let in. Each test only ever refuses;
 * there is none that makes another one good.
 */
#include "tls/judge.h"
#include "tls/alert.h"
#include "tls/allow.h"
#include "tls/context_private.h"
#include "tls/fitness.h"
#include "tls/name.h"
#include "tls/signature.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void judge_say_no_issuer(const struct chain *chain, const struct why *why)
{
	const struct x509 *top = &chain->link[chain->count - 1].x509;
	bool self_issued = x509_bytes_equal(top->subject, top->issuer);
	char *issuer;

	if (self_issued && chain->count == 1) {
		why_say(why, 0, "self-signed certificate");
		return;
	}
	issuer = x509_name_text(top->issuer);
	why_say(why, 0,
		self_issued ? "the issuer '%s' is not among the trusted CAs"
			    : "unable to find the issuer '%s' among the trusted CAs",
		issuer != NULL ? issuer : "");
	free(issuer);
}

/* The certificate's names: "dns:a, dns:b, ..." */
static void list_names(const struct x509 *x509, char *out, size_t room)
{
	struct x509_bytes rest = x509->san, value;
	enum x509_san_type type;
	size_t len = 0;

	out[0] = '\0';
	while (x509_san_next(&rest, &type, &value)) {
		char *text = x509_san_text(type, value);
		const char *before = len > 0 ? ", " : "";

		if (text == NULL)
			return;
		if (len + strlen(text) + 8 > room) {
			strcpy(out + len, len > 0 ? ", ..." : "...");
			free(text);
			return;
		}
		strcpy(out + len, before);
		strcpy(out + len + strlen(before), text);
		len += strlen(before) + strlen(text);
		free(text);
	}
}

/* "certificate is for 'dns:a, dns:b', not for 'x'" */
int judge_name(const struct x509 *x509, const char *name, const struct why *why)
{
	char names[128];

	if (name == NULL || name_matches(x509, name))
		return 0;
	list_names(x509, names, sizeof names);
	why_because(why, CAUSE_NAME);
	if (names[0] == '\0')
		return why_say(why, ALERT_BAD_CERTIFICATE,
			"certificate has no subjectAltName, so it is not for '%s'", name);
	return why_say(
		why, ALERT_BAD_CERTIFICATE, "certificate is for '%s', not for '%s'", names, name);
}

/* Each is issued by the next, going by the names; so either a signature is wrong, or there is no CA
 * of that name. */
static int say_no_way(
	const struct chain *chain, const struct anchors *anchors, const struct why *why)
{
	const struct x509 *top = &chain->link[chain->count - 1].x509;
	size_t wrong = 0;
	char *issuer;

	while (wrong + 1 < chain->count &&
		signature_is_by(&chain->link[wrong].x509.proof, chain->link[wrong + 1].x509.spki))
		wrong++;
	if (wrong + 1 == chain->count && anchors_next(anchors, NULL, top->issuer) == NULL) {
		judge_say_no_issuer(chain, why);
		return ALERT_UNKNOWN_CA;
	}
	issuer = x509_name_text(chain->link[wrong].x509.issuer);
	why_say(why, 0, "%s is not signed by '%s', as it says: the signature is wrong",
		wrong == 0 ? "certificate" : "a CA certificate", issuer != NULL ? issuer : "");
	free(issuer);
	return ALERT_BAD_CERTIFICATE;
}

/* wolfSSL's chain ends where it has learned to trust, ours where the policy says. */
static int check_chain(const struct tls_context *context, const struct evidence *evidence,
	struct chain *chain, bool *unknown, const struct why *why)
{
	enum x509_purpose purpose =
		context->role == TLS_CLIENT ? X509_SERVER_AUTH : X509_CLIENT_AUTH;
	int64_t now = (int64_t)time(NULL);
	int r = chain_find(chain, evidence->sent, evidence->count, &context->anchors);
	int alert;

	if (r == -ENOMEM)
		return why_say(why, ALERT_INTERNAL_ERROR, "%s", why_errno(r));
	if (chain->count == 0)
		return why_say(why, ALERT_BAD_CERTIFICATE, "certificate cannot be parsed");
	if (r == 0) {
		alert = fitness_check(chain, purpose, now, why);
		return alert == 0 ? revocation_check(&context->revocation, chain, now, unknown, why)
				  : alert;
	}
	/* A signature that is not believed makes a chain end, too. */
	alert = fitness_check_strength(chain, why);
	if (alert != 0)
		return alert;
	return say_no_way(chain, &context->anchors, why);
}

static int check_pins(
	const struct tls_context *context, const struct chain *chain, const struct why *why)
{
	if (context->pin_count == 0 ||
		chain_pinned(chain, (const uint8_t(*)[32])context->pins, context->pin_count))
		return 0;
	why_because(why, CAUSE_NOT_ALLOWED);
	return why_say(why, ALERT_BAD_CERTIFICATE, "no key in the certificate chain is pinned");
}

/* "not allowed: a certificate of 'CN=x' for 'dns:a' matches none of allow_peer" */
static int check_allowed(
	const struct tls_context *context, const struct chain *chain, const struct why *why)
{
	const struct x509 *x509 = &chain->link[0].x509;
	char names[96];
	char *subject;

	if (context->allow_peer.count == 0 ||
		(chain->count > 0 && allow_matches(&context->allow_peer, &chain->link[0])))
		return 0;
	if (chain->count == 0)
		return why_say(why, ALERT_BAD_CERTIFICATE, "certificate cannot be parsed");
	list_names(x509, names, sizeof names);
	subject = x509_name_text(x509->subject);
	why_say(why, 0, "not allowed: a certificate of '%.100s'%s%s%s matches none of allow_peer",
		subject != NULL ? subject : "", names[0] != '\0' ? " for '" : "", names,
		names[0] != '\0' ? "'" : "");
	free(subject);
	return ALERT_ACCESS_DENIED;
}

const char *judge_good(const struct tls_context *context)
{
	if (context->role == TLS_SERVER || context->verify == POLICY_VERIFY_FULL)
		return "ok";
	if (context->verify == POLICY_VERIFY_CHAIN)
		return "chain";
	return context->pin_count > 0 ? "pin" : "none";
}

int judge_peer(const struct tls_context *context, const struct evidence *evidence,
	struct chain *chain, const struct why *why)
{
	bool whole = context->role == TLS_SERVER || context->verify != POLICY_VERIFY_NONE;
	bool unknown = false;
	int alert = 0;

	if (whole)
		alert = check_chain(context, evidence, chain, &unknown, why);
	else
		chain_init(chain, evidence->sent, evidence->count);
	if (alert == 0 && chain->count == 0 && context->pin_count > 0)
		alert = why_say(why, ALERT_BAD_CERTIFICATE, "certificate cannot be parsed");
	if (alert == 0 && chain->count > 0)
		alert = judge_name(&chain->link[0].x509, evidence->name, why);
	if (alert == 0)
		alert = check_pins(context, chain, why);
	if (alert == 0)
		alert = check_allowed(context, chain, why);
	return alert == 0 ? why_say(why, 0, "%s%s", judge_good(context),
				    unknown ? ", revocation unknown" : "")
			  : alert;
}
