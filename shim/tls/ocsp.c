/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A response is believed if it is signed by the issuer of the certificate, or by somebody whom that
 * issuer has certified for it (RFC 6960 4.2.2.2). Whether such a responder's certificate is revoked
 * is not asked.
 */
#include "tls/ocsp.h"
#include "tls/alert.h"
#include "tls/der.h"
#include "tls/signature.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>

#define AHEAD_MAX_S 300                       /* a clock that is wrong */
#define AGE_MAX_S (7 * 86400)                 /* of a response that does not say when it ends */
#define RESPONDERS_MAX 4                      /* certificates in a response that are looked at */
#define SUCCESSFUL 0                          /* OCSPResponseStatus */
#define GOOD DER_CONTEXT                      /* CertStatus: [0], */
#define REVOKED (DER_CONTEXT_CONSTRUCTED | 1) /* [1], else unknown */

struct response {
	struct x509_signed proof;
	struct x509_bytes certificates; /* the SEQUENCE's content */
	struct x509_bytes singles;      /* ... of responses */
};

struct single {
	uint8_t status; /* the tag of CertStatus */
	int64_t revoked_at, this_update, next_update;
};

static const struct {
	const char *oid;
	size_t len;
	enum wc_HashType hash;
} hashes[] = {
	{ "\x2b\x0e\x03\x02\x1a", 5, WC_HASH_TYPE_SHA },
	{ "\x60\x86\x48\x01\x65\x03\x04\x02\x01", 9, WC_HASH_TYPE_SHA256 },
	{ "\x60\x86\x48\x01\x65\x03\x04\x02\x02", 9, WC_HASH_TYPE_SHA384 },
	{ "\x60\x86\x48\x01\x65\x03\x04\x02\x03", 9, WC_HASH_TYPE_SHA512 },
};

/* ResponseData: [0] version, responderID, producedAt, responses, [1] extensions */
static int data_parse(struct response *response)
{
	struct x509_bytes in = response->proof.content;
	struct der_item data, item;

	if (!der_expect(&in, DER_SEQUENCE, &data))
		return -EBADMSG;
	in = data.content;
	if (!der_skip_optional(&in, DER_CONTEXT_CONSTRUCTED | 0) || !der_next(&in, &item) ||
		!der_expect(&in, DER_GENERAL_TIME, &item) || !der_expect(&in, DER_SEQUENCE, &item))
		return -EBADMSG;
	response->singles = item.content;
	return 0;
}

/* 0, -EBADMSG, or the responder's own status, which is positive. */
static int response_parse(struct x509_bytes der, struct response *out)
{
	static const char basic[] =
		"\x2b\x06\x01\x05\x05\x07\x30\x01\x01"; /* 1.3.6.1.5.5.7.48.1.1 */
	struct der_item outer, status, bytes, inner, oid, octets, whole;
	struct x509_bytes rest;

	memset(out, 0, sizeof *out);
	if (!der_expect(&der, DER_SEQUENCE, &outer) ||
		!der_expect(&outer.content, DER_ENUMERATED, &status) || status.content.len != 1)
		return -EBADMSG;
	if (status.content.data[0] != SUCCESSFUL)
		return status.content.data[0];
	if (!der_expect(&outer.content, DER_CONTEXT_CONSTRUCTED | 0, &bytes) ||
		!der_expect(&bytes.content, DER_SEQUENCE, &inner) ||
		!der_expect(&inner.content, DER_OID, &oid) || !der_oid_is(oid.content, basic, 9) ||
		!der_expect(&inner.content, DER_OCTETS, &octets) ||
		!der_expect(&octets.content, DER_SEQUENCE, &whole) ||
		!x509_signed_parse(whole.content, &out->proof, &rest))
		return -EBADMSG;
	if (rest.len > 0) {
		if (!der_expect(&rest, DER_CONTEXT_CONSTRUCTED | 0, &inner) ||
			!der_expect(&inner.content, DER_SEQUENCE, &outer))
			return -EBADMSG;
		out->certificates = outer.content;
	}
	return data_parse(out);
}

static bool hash_is(enum wc_HashType type, struct x509_bytes of, struct x509_bytes digest)
{
	uint8_t made[WC_MAX_DIGEST_SIZE];
	int len = wc_HashGetDigestSize(type);

	return len > 0 && (size_t)len == digest.len &&
	       wc_Hash(type, of.data, (word32)of.len, made, (word32)len) == 0 &&
	       memcmp(made, digest.data, digest.len) == 0;
}

/* The bits of the key in a SubjectPublicKeyInfo. */
static bool key_bits(struct x509_bytes spki, struct x509_bytes *out)
{
	struct der_item sequence, algorithm, bits;

	return der_expect(&spki, DER_SEQUENCE, &sequence) &&
	       der_expect(&sequence.content, DER_SEQUENCE, &algorithm) &&
	       der_expect(&sequence.content, DER_BITS, &bits) && der_whole_bits(&bits, out);
}

/* CertID: algorithm, hash of the issuer's name, of its key, serial number */
static bool is_about(struct x509_bytes id, const struct ocsp_subject *subject)
{
	struct der_item algorithm, oid, name, key, serial;
	struct x509_bytes bits;

	if (!der_expect(&id, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.content, DER_OID, &oid) ||
		!der_expect(&id, DER_OCTETS, &name) || !der_expect(&id, DER_OCTETS, &key) ||
		!der_expect(&id, DER_INTEGER, &serial) ||
		!x509_bytes_equal(serial.content, subject->serial))
		return false;
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		if (der_oid_is(oid.content, hashes[i].oid, hashes[i].len))
			return hash_is(hashes[i].hash, subject->issuer.name, name.content) &&
			       (subject->issuer.spki.len == 0 ||
				       (key_bits(subject->issuer.spki, &bits) &&
					       hash_is(hashes[i].hash, bits, key.content)));
	return false;
}

/* certStatus, thisUpdate, [0] nextUpdate */
static bool single_parse(struct x509_bytes in, struct single *out)
{
	struct der_item status, time, next;

	memset(out, 0, sizeof *out);
	if (!der_next(&in, &status) || !der_expect(&in, DER_GENERAL_TIME, &time) ||
		!der_time(&time, &out->this_update))
		return false;
	out->status = status.tag;
	if (status.tag == REVOKED && (!der_expect(&status.content, DER_GENERAL_TIME, &time) ||
					     !der_time(&time, &out->revoked_at)))
		return false;
	out->next_update = out->this_update + AGE_MAX_S;
	if (in.len == 0 || in.data[0] != (DER_CONTEXT_CONSTRUCTED | 0))
		return true;
	return der_next(&in, &next) && der_expect(&next.content, DER_GENERAL_TIME, &time) &&
	       der_time(&time, &out->next_update);
}

/* 0; -ENOENT: it is not about the certificate; -EBADMSG */
static int single_find(
	const struct response *response, const struct ocsp_subject *subject, struct single *out)
{
	struct x509_bytes rest = response->singles;
	struct der_item single, id;

	while (rest.len > 0) {
		if (!der_expect(&rest, DER_SEQUENCE, &single) ||
			!der_expect(&single.content, DER_SEQUENCE, &id))
			return -EBADMSG;
		if (is_about(id.content, subject))
			return single_parse(single.content, out) ? 0 : -EBADMSG;
	}
	return -ENOENT;
}

static bool is_responder(const struct x509 *x509, const struct issuer *issuer, int64_t now)
{
	char nothing[1];
	struct why why = { nothing, sizeof nothing, NULL };

	return x509_bytes_equal(x509->issuer, issuer->name) &&
	       (x509->purposes & X509_OCSP_SIGNING) != 0 &&
	       (x509->usage & X509_DIGITAL_SIGNATURE) != 0 && now >= x509->not_before &&
	       now <= x509->not_after && signature_key_is_strong(x509->spki, &why) &&
	       signature_is_by(&x509->proof, issuer->spki);
}

static bool is_signed(const struct response *response, const struct issuer *issuer, int64_t now)
{
	struct x509_bytes rest = response->certificates;
	struct der_item item;
	struct x509 x509;

	if (signature_is_by(&response->proof, issuer->spki))
		return true;
	for (int i = 0; i < RESPONDERS_MAX && der_next(&rest, &item); i++)
		if (x509_parse(item.whole.data, item.whole.len, &x509) == 0 &&
			is_responder(&x509, issuer, now) &&
			signature_is_by(&response->proof, x509.spki))
			return true;
	return false;
}

static int check_single(const struct single *single, const struct ocsp_subject *subject,
	int64_t now, const struct why *why)
{
	char date[X509_DATE_LEN];
	char *serial;

	if (single->status == REVOKED) {
		serial = x509_serial_text(subject->serial);
		x509_date_text(single->revoked_at, date);
		why_say(why, 0, "says that it is revoked: serial number %s, on %s",
			serial != NULL ? serial : "", date);
		free(serial);
		return ALERT_CERTIFICATE_REVOKED;
	}
	if (now > single->next_update) {
		x509_date_text(single->next_update, date);
		return why_say(why, ALERT_BAD_STATUS_RESPONSE, "has expired on %s", date);
	}
	if (now < single->this_update - AHEAD_MAX_S) {
		x509_date_text(single->this_update, date);
		return why_say(why, ALERT_BAD_STATUS_RESPONSE, "is not valid before %s", date);
	}
	if (single->status != GOOD)
		return why_say(why, ALERT_BAD_STATUS_RESPONSE, "does not know the certificate");
	return 0;
}

int ocsp_check(struct x509_bytes der, const struct ocsp_subject *subject, int64_t now,
	const struct why *why)
{
	struct response response;
	struct single single;
	int r = response_parse(der, &response);

	if (r > 0)
		return why_say(
			why, ALERT_BAD_STATUS_RESPONSE, "is an error of the responder (%d)", r);
	if (r == 0)
		r = single_find(&response, subject, &single);
	if (r == -ENOENT)
		return why_say(why, ALERT_BAD_STATUS_RESPONSE, "is not about this certificate");
	if (r < 0)
		return why_say(why, ALERT_BAD_STATUS_RESPONSE, "cannot be parsed");
	if (subject->issuer.spki.len > 0 && !is_signed(&response, &subject->issuer, now))
		return why_say(why, ALERT_BAD_STATUS_RESPONSE,
			"is not signed by the certificate's issuer, or for it");
	return check_single(&single, subject, now, why);
}

bool ocsp_is_of_another(struct x509_bytes der, const struct ocsp_subject *subject)
{
	struct response response;
	struct single single;

	return response_parse(der, &response) == 0 &&
	       single_find(&response, subject, &single) == -ENOENT;
}
