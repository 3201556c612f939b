/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL asks for each certificate that was sent, from the top down, the peer's own last, and says
 * what it thinks of it. We judge first (judge.c), then hear wolfSSL on each. We never overrule a
 * refusal: wolfSSL would from then on trust what it was told to accept. So "verify = none" is not a
 * matter of this function but of the context's verify mode, with which nothing is asked but the
 * pins.
 */
#include "tls/verify.h"
#include "tls/alert.h"
#include "tls/handshake_private.h"
#include "tls/judge.h"
#include "tls/peer.h"
#include <errno.h>
#include <stdlib.h>

static int reject(struct tls_handshake *handshake, int alert)
{
	handshake_reject(handshake, alert);
	return 0;
}

static struct why verdict(struct tls_handshake *handshake)
{
	return (struct why){ handshake->result.verify, sizeof handshake->result.verify,
		&handshake->result.cause };
}

static const struct {
	int error;
	const char *text;
} refusals[] = {
	{ ASN_SIG_CONFIRM_E, "the signature on it is wrong" },
	{ ASN_SIG_HASH_E, "it is signed with a hash that is not supported" },
	{ ASN_SIG_KEY_E, "it is signed with a key that is not supported" },
	{ ASN_PARSE_E, "it cannot be parsed" },
	{ ASN_CRIT_EXT_E, "it has a critical extension that is not supported" },
	{ ASN_PATHLEN_SIZE_E, "the chain of CAs is longer than one of them allows" },
	{ ASN_PATHLEN_INV_E, "the chain of CAs is longer than one of them allows" },
	{ ASN_NAME_INVALID_E, "its name is outside of what its CA may certify" },
	{ KEYUSAGE_E, "its key usage does not allow this" },
	{ KEYUSE_SIGNATURE_E, "its key usage does not allow signatures" },
	{ EXTKEYUSAGE_E, "its extended key usage does not allow this" },
	{ EXTKEYUSE_AUTH_E, "its extended key usage does not allow this" },
	{ RSA_KEY_SIZE_E, "its RSA key is too short" },
	{ ECC_KEY_SIZE_E, "its elliptic-curve key is too short" },
	{ MAX_CHAIN_ERROR, "the chain of CAs is too long" },
	{ ASN_VERSION_E, "it is not an X.509 version 3 certificate" },
};

static int say_refusal(
	struct tls_handshake *handshake, int error, const struct chain *chain, bool own)
{
	struct why why = verdict(handshake);
	const struct x509 *x509 = &chain->link[0].x509;
	const char *text = wolfSSL_ERR_reason_error_string((unsigned long)error);
	const char *which = own ? "certificate" : "CA certificate";
	char date[X509_DATE_LEN];

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (refusals[i].error == error)
			text = refusals[i].text;
	if (chain->count == 0)
		return why_say(&why, ALERT_BAD_CERTIFICATE, "%s cannot be parsed", which);
	if (error == ASN_AFTER_DATE_E) {
		x509_date_text(x509->not_after, date);
		return why_say(&why, ALERT_CERTIFICATE_EXPIRED, "%s has expired (not after %s)",
			which, date);
	}
	if (error == ASN_BEFORE_DATE_E) {
		x509_date_text(x509->not_before, date);
		return why_say(&why, ALERT_CERTIFICATE_EXPIRED,
			"%s is not valid yet (not before %s)", which, date);
	}
	if (error == ASN_NO_SIGNER_E || error == ASN_SELF_SIGNED_E) {
		judge_say_no_issuer(chain, &why);
		return ALERT_UNKNOWN_CA;
	}
	return why_say(&why,
		error == ASN_PATHLEN_SIZE_E || error == ASN_PATHLEN_INV_E ? ALERT_UNKNOWN_CA
									  : ALERT_BAD_CERTIFICATE,
		"%s is not acceptable: %s", which, text);
}

/* All that was sent is there at wolfSSL's first question: what is wrong with it is ours to say, as
 * far as we know it. */
static int judge(
	struct tls_handshake *handshake, const WOLFSSL_X509_STORE_CTX *store, struct chain *chain)
{
	struct x509_bytes sent[CHAIN_MAX];
	struct evidence evidence = { sent, 0, handshake->name };
	struct why why = verdict(handshake);
	int alert;

	if (handshake->judged)
		return 1;
	handshake->judged = true;
	for (int i = 0; i < store->totalCerts && i < CHAIN_MAX; i++)
		sent[evidence.count++] =
			(struct x509_bytes){ store->certs[i].buffer, store->certs[i].length };
	for (size_t i = 0; handshake->saw != NULL && i < evidence.count; i++)
		handshake->saw(sent[i].data, sent[i].len, handshake->saw_arg);
	alert = judge_peer(handshake->context, &evidence, chain, &why);
	if (alert == 0 && chain->count > 0)
		alert = staple_judge(handshake, chain, &why);
	if (chain->count > 0)
		peer_fill(&handshake->result.peer, &chain->link[0]);
	if (alert == 0 && chain->count > 0)
		alert = judge_name(&chain->link[0].x509, handshake->also, &why);
	handshake->also_met = alert == 0 && chain->count > 0;
	if (handshake->context->resumes)
		session_peer_note(&handshake->peer, evidence.sent, evidence.count);
	return alert == 0 ? 1 : reject(handshake, alert);
}

static int verify(
	struct tls_handshake *handshake, int ok, WOLFSSL_X509_STORE_CTX *store, struct chain *chain)
{
	const WOLFSSL_BUFFER_INFO *in_question = &store->certs[store->error_depth];
	struct x509_bytes der = { in_question->buffer, in_question->length };
	struct why why = verdict(handshake);
	bool own = store->error_depth == 0;
	int alert;
	bool asked = handshake->context->role == TLS_SERVER ||
		     handshake->context->verify != POLICY_VERIFY_NONE;

	if (!judge(handshake, store, chain))
		return 0;
	if (asked && !ok) {
		chain_init(chain, &der, 1);
		return reject(handshake, say_refusal(handshake, store->error, chain, own));
	}
	/* In TLS 1.2 it may still come. */
	if (own && wolfSSL_GetVersion(handshake->ssl) == WOLFSSL_TLSV1_3) {
		alert = staple_end(handshake, &why);
		if (alert != 0)
			return reject(handshake, alert);
	}
	handshake->accepted = own;
	/* The peer's own comes last: whatever is sent after it is judged anew. */
	handshake->judged = !own;
	return 1;
}

int verify_certificate(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	struct tls_handshake *handshake = store->userCtx;
	struct why why = verdict(handshake);
	struct chain *chain;
	int r;

	/* A client that was asked and has none. Whether that will do is wolfSSL's to know. */
	if (store->totalCerts == 0)
		return ok;
	chain = malloc(sizeof *chain);
	if (chain == NULL)
		return reject(
			handshake, why_say(&why, ALERT_INTERNAL_ERROR, "%s", why_errno(-ENOMEM)));
	r = verify(handshake, ok, store, chain);
	free(chain);
	return r;
}
