/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL asks for each certificate that was sent, from the top down, the peer's own last, and says
 * what it thinks of it. We never overrule a refusal: wolfSSL would from then on trust what it was
 * told to accept. So "verify = none" is not a matter of this function but of the context's verify
 * mode, with which nothing is asked but the pins.
 */
#include "tls/verify.h"
#include "tls/chain.h"
#include "tls/handshake_private.h"
#include "tls/name.h"
#include "tls/peer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reject(struct tls_handshake *handshake)
{
	handshake->rejected = true;
	return 0;
}

static struct why verdict(struct tls_handshake *handshake)
{
	return (struct why){ handshake->result.verify, sizeof handshake->result.verify };
}

/* Where the way up from `chain`'s first certificate ends. */
static int say_no_issuer(struct tls_handshake *handshake, const struct chain *chain)
{
	const struct x509 *top = &chain->link[chain->count - 1].x509;
	bool self_issued = top->subject.len == top->issuer.len &&
			   memcmp(top->subject.data, top->issuer.data, top->issuer.len) == 0;
	struct why why = verdict(handshake);
	char *issuer;

	if (self_issued && chain->count == 1)
		return why_say(&why, 0, "self-signed certificate");
	issuer = x509_name_text(top->issuer);
	why_say(&why, 0,
		self_issued ? "the issuer '%s' is not among the trusted CAs"
			    : "unable to find the issuer '%s' among the trusted CAs",
		issuer != NULL ? issuer : "");
	free(issuer);
	return 0;
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

static void say_refusal(
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
	if (error == ASN_AFTER_DATE_E) {
		x509_date_text(x509->not_after, date);
		why_say(&why, 0, "%s has expired (not after %s)", which, date);
	} else if (error == ASN_BEFORE_DATE_E) {
		x509_date_text(x509->not_before, date);
		why_say(&why, 0, "%s is not valid yet (not before %s)", which, date);
	} else if (error == ASN_NO_SIGNER_E || error == ASN_SELF_SIGNED_E) {
		say_no_issuer(handshake, chain);
	} else {
		why_say(&why, 0, "%s is not acceptable: %s", which, text);
	}
}

/* "certificate is for 'dns:a, dns:b', not for 'x'" */
static void say_other_name(struct tls_handshake *handshake)
{
	const struct tls_peer *peer = &handshake->result.peer;
	struct why why = verdict(handshake);
	char names[TLS_REASON_MAX / 2] = "";
	size_t len = 0;

	for (size_t i = 0; i < peer->san_count; i++) {
		const char *before = len > 0 ? ", " : "";

		if (len + strlen(peer->san[i]) + 8 > sizeof names) {
			strcpy(names + len, ", ...");
			break;
		}
		len += (size_t)sprintf(names + len, "%s%s", before, peer->san[i]);
	}
	if (peer->san_count == 0)
		why_say(&why, 0, "certificate has no subjectAltName, so it is not for '%s'",
			handshake->name);
	else
		why_say(&why, 0, "certificate is for '%s', not for '%s'", names, handshake->name);
}

/* The chain is good, or is not asked for: what is left to us. */
static int judge(struct tls_handshake *handshake, const struct chain *chain, bool asked)
{
	const struct tls_context *context = handshake->context;
	struct why why = verdict(handshake);

	if (chain->count == 0 && (asked || context->pin_count > 0)) {
		why_say(&why, 0, "certificate cannot be parsed");
		return reject(handshake);
	}
	if (handshake->name != NULL && !name_matches(&chain->link[0].x509, handshake->name)) {
		say_other_name(handshake);
		return reject(handshake);
	}
	if (context->pin_count > 0 &&
		!chain_pinned(chain, (const uint8_t(*)[32])context->pins, context->pin_count)) {
		why_say(&why, 0, "no key in the certificate chain is pinned");
		return reject(handshake);
	}
	why_say(&why, 0, "%s", asked || context->pin_count > 0 ? "ok" : "none");
	handshake->accepted = true;
	return 1;
}

int verify_certificate(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	struct tls_handshake *handshake = store->userCtx;
	bool own = store->error_depth == 0;
	bool asked = handshake->context->role == TLS_SERVER ||
		     handshake->context->verify != POLICY_VERIFY_NONE;
	struct x509_bytes sent[CHAIN_MAX];
	struct chain chain;
	size_t count = 0;

	/* A client that was asked and has none. Whether that will do is wolfSSL's to know. */
	if (store->totalCerts == 0)
		return ok;
	/* From the one in question upwards; the ones above were sent after it. */
	for (int i = store->error_depth; i < store->totalCerts && count < CHAIN_MAX; i++)
		sent[count++] =
			(struct x509_bytes){ store->certs[i].buffer, store->certs[i].length };
	chain_init(&chain, sent, count);
	if (own && chain.count > 0)
		peer_fill(&handshake->result.peer, &chain.link[0]);
	if (asked && !ok) {
		say_refusal(handshake, store->error, &chain, own);
		return reject(handshake);
	}
	return own ? judge(handshake, &chain, asked) : 1;
}
