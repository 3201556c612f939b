/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "live_chain.h"
#include "tls/der.h"
#include "tls/signature.h"
#include "tls/x509.h"
#include "tls/x509_digest.h"
#include "when.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAYS_WARNED 30

struct teller {
	const struct tls_context *context;
	doctor_tell *tell;
	void *arg;
	char what[40]; /* "certificate 1" */
};

void live_chain_add(const uint8_t *der, size_t len, void *arg)
{
	struct live_chain *chain = arg;
	uint8_t *copy = chain->count < LIVE_CHAIN_MAX ? malloc(len > 0 ? len : 1) : NULL;

	if (copy == NULL)
		return;
	memcpy(copy, der, len);
	chain->certificates[chain->count].der = copy;
	chain->certificates[chain->count++].len = len;
}

void live_chain_clear(struct live_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		free(chain->certificates[i].der);
	chain->count = 0;
}

/* --- its key --- */

/* Bits of an RSA key's modulus; 0: it cannot be read. */
static size_t rsa_bits(struct x509_bytes bits)
{
	struct der_item sequence, modulus;

	if (!der_expect(&bits, DER_SEQUENCE, &sequence) ||
		!der_expect(&sequence.content, DER_INTEGER, &modulus))
		return 0;
	while (modulus.content.len > 0 && *modulus.content.data == 0) {
		modulus.content.data++;
		modulus.content.len--;
	}
	return modulus.content.len * 8;
}

static const char *curve_name(struct x509_bytes parameters)
{
	static const struct {
		const char *oid;
		size_t len;
		const char *name;
	} curves[] = { { "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8, "P-256" },
		{ "\x2b\x81\x04\x00\x22", 5, "P-384" }, { "\x2b\x81\x04\x00\x23", 5, "P-521" } };
	struct der_item oid;

	if (!der_expect(&parameters, DER_OID, &oid))
		return "parameters of its own";
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (der_oid_is(oid.content, curves[i].oid, curves[i].len))
			return curves[i].name;
	return "another curve";
}

/* "RSA, 2048 bits" */
static const char *key_text(struct x509_bytes spki, char *out, size_t len)
{
	struct der_item whole, algorithm, oid, bits;
	struct x509_bytes key;

	snprintf(out, len, "of a kind that is not known");
	if (!der_expect(&spki, DER_SEQUENCE, &whole) ||
		!der_expect(&whole.content, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.content, DER_OID, &oid) ||
		!der_expect(&whole.content, DER_BITS, &bits) || !der_whole_bits(&bits, &key))
		return out;
	if (der_oid_is(oid.content, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9))
		snprintf(out, len, "RSA, %zu bits", rsa_bits(key));
	else if (der_oid_is(oid.content, "\x2a\x86\x48\xce\x3d\x02\x01", 7))
		snprintf(out, len, "EC, %s", curve_name(algorithm.content));
	else if (der_oid_is(oid.content, "\x2b\x65\x70", 3))
		snprintf(out, len, "Ed25519");
	return out;
}

/* --- a certificate --- */

static void say_name(const struct teller *teller, const char *what, struct x509_bytes name)
{
	char *text = x509_name_text(name);

	doctor_say(teller->tell, teller->arg, DOCTOR_NOTE, teller->what, "%s %s", what,
		text != NULL && text[0] != '\0' ? text : "(empty)");
	free(text);
}

static void say_san(const struct teller *teller, const struct x509 *x509)
{
	struct x509_bytes rest = x509->san, value;
	enum x509_san_type type;
	char names[768] = "";

	while (x509_san_next(&rest, &type, &value)) {
		char *text = x509_san_text(type, value);
		size_t len = strlen(names);

		snprintf(names + len, sizeof names - len, "%s%s", len > 0 ? ", " : "",
			text != NULL ? text : "");
		free(text);
	}
	if (names[0] != '\0')
		doctor_say(teller->tell, teller->arg, DOCTOR_NOTE, teller->what, "for %s", names);
}

static void say_validity(const struct teller *teller, const struct x509 *x509)
{
	int64_t now = (int64_t)time(NULL);
	char from[X509_DATE_LEN], until[X509_DATE_LEN];
	long long days = x509->not_after >= now ? (x509->not_after - now) / 86400
						: -((now - x509->not_after) / 86400) - 1;

	x509_date_text(x509->not_before, from);
	x509_date_text(x509->not_after, until);
	if (now < x509->not_before)
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"valid from %s to %s: not yet", from, until);
	else if (days < 0)
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"valid from %s to %s: it has expired", from, until);
	else
		doctor_say(teller->tell, teller->arg,
			days < DAYS_WARNED ? DOCTOR_WARNING : DOCTOR_NOTE, teller->what,
			"valid from %s to %s, %lld days", from, until, days);
}

static void say_key(const struct teller *teller, const struct x509 *x509)
{
	char key[64], sentence[160];
	struct why why = { sentence, sizeof sentence, NULL };
	bool strong = signature_key_is_strong(x509->spki, &why);

	doctor_say(teller->tell, teller->arg, strong ? DOCTOR_NOTE : DOCTOR_WARNING, teller->what,
		"key %s%s%s", key_text(x509->spki, key, sizeof key), strong ? "" : ": it ",
		strong ? "" : sentence);
	if (!signature_is_strong(x509->proof.algorithm, &why))
		doctor_say(
			teller->tell, teller->arg, DOCTOR_WARNING, teller->what, "it %s", sentence);
}

/* A certificate and the one that should have issued it; NULL: none was sent. */
static void say_issuer(
	const struct teller *teller, const struct x509 *x509, const struct x509 *next)
{
	bool self = x509_bytes_equal(x509->subject, x509->issuer);
	bool known = tls_context_knows(teller->context, x509->issuer.data, x509->issuer.len);

	say_name(teller, "issued by", x509->issuer);
	if (next != NULL && !x509_bytes_equal(x509->issuer, next->subject))
		doctor_say(teller->tell, teller->arg, known ? DOCTOR_NOTE : DOCTOR_WARNING,
			teller->what, "the next certificate is not its issuer's%s",
			known ? ", which is a trusted CA" : ": the peer should send that one here");
	else if (next != NULL && !signature_is_by(&x509->proof, next->spki))
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"the next one's key has not signed it");
	else if (next == NULL && known)
		doctor_say(teller->tell, teller->arg, DOCTOR_OK, teller->what,
			"its issuer is a trusted CA");
	else if (next == NULL && self)
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"it is self-signed and not trusted: add it to ca if it should be");
	else if (next == NULL)
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"its issuer is neither sent nor trusted: the peer should send the "
			"certificates in between, or ca name that CA");
}

static void say_certificate(const struct teller *teller, const struct live_chain *chain, size_t i)
{
	struct x509_bytes der = { chain->certificates[i].der, chain->certificates[i].len };
	struct x509 x509, next;
	char digest[65];
	bool has_next = i + 1 < chain->count && x509_parse(chain->certificates[i + 1].der,
							chain->certificates[i + 1].len, &next) == 0;

	if (x509_parse(der.data, der.len, &x509) < 0) {
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"it cannot be parsed");
		return;
	}
	say_name(teller, "of", x509.subject);
	if (i == 0)
		say_san(teller, &x509);
	else if (!x509.is_ca)
		doctor_say(teller->tell, teller->arg, DOCTOR_WARNING, teller->what,
			"it is not that of a CA");
	say_validity(teller, &x509);
	say_key(teller, &x509);
	if (x509_digest_text(der, digest))
		doctor_say(
			teller->tell, teller->arg, DOCTOR_NOTE, teller->what, "sha256 %s", digest);
	say_issuer(teller, &x509, has_next ? &next : NULL);
}

void live_chain_tell(const struct live_chain *chain, const struct tls_context *context,
	doctor_tell *tell, void *arg)
{
	struct teller teller = { context, tell, arg, "" };

	for (size_t i = 0; i < chain->count; i++) {
		snprintf(teller.what, sizeof teller.what, "certificate %zu", i + 1);
		say_certificate(&teller, chain, i);
	}
}
