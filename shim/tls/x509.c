/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reader for the few places of a DER certificate that matter here (RFC 5280 4.1), flat: no
 * recursion, one pass. */
#include "tls/x509.h"
#include "tls/der.h"
#include "tls/x509_extensions.h"
#include <errno.h>
#include <string.h>

bool x509_bytes_equal(struct x509_bytes a, struct x509_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool x509_signed_parse(struct x509_bytes sequence, struct x509_signed *out, struct x509_bytes *rest)
{
	struct der_item content, algorithm, bits;

	if (!der_expect(&sequence, DER_SEQUENCE, &content) ||
		!der_expect(&sequence, DER_SEQUENCE, &algorithm) ||
		!der_expect(&sequence, DER_BITS, &bits) || !der_whole_bits(&bits, &out->signature))
		return false;
	out->content = content.whole;
	out->algorithm = algorithm.whole;
	if (rest != NULL)
		*rest = sequence;
	return true;
}

int x509_parse(const uint8_t *der, size_t len, struct x509 *out)
{
	struct x509_bytes in = { der, len };
	struct der_item certificate, tbs, serial, algorithm, issuer, validity, subject, spki, from,
		to;

	memset(out, 0, sizeof *out);
	if (!der_expect(&in, DER_SEQUENCE, &certificate) ||
		!x509_signed_parse(certificate.content, &out->proof, NULL))
		return -EBADMSG;
	in = out->proof.content;
	if (!der_expect(&in, DER_SEQUENCE, &tbs))
		return -EBADMSG;
	in = tbs.content;
	if (!der_skip_optional(&in, DER_CONTEXT_CONSTRUCTED) ||
		!der_expect(&in, DER_INTEGER, &serial) ||
		!der_expect(&in, DER_SEQUENCE, &algorithm) ||
		!der_expect(&in, DER_SEQUENCE, &issuer) ||
		!der_expect(&in, DER_SEQUENCE, &validity) ||
		!der_expect(&in, DER_SEQUENCE, &subject) || !der_expect(&in, DER_SEQUENCE, &spki))
		return -EBADMSG;
	if (!der_next(&validity.content, &from) || !der_time(&from, &out->not_before) ||
		!der_next(&validity.content, &to) || !der_time(&to, &out->not_after))
		return -EBADMSG;
	/* RFC 5280 4.1.1.2: what is signed says how, too. */
	if (!x509_bytes_equal(algorithm.whole, out->proof.algorithm))
		return -EBADMSG;
	out->serial = serial.content;
	out->issuer = issuer.whole;
	out->subject = subject.whole;
	out->spki = spki.whole;
	return x509_extensions_parse(in, out) ? 0 : -EBADMSG;
}

bool x509_san_next(struct x509_bytes *rest, enum x509_san_type *type, struct x509_bytes *value)
{
	struct der_item item;

	while (der_next(rest, &item)) {
		*type = item.tag & 0x1f;
		if (item.tag != (DER_CONTEXT | *type))
			continue;
		if (*type == X509_EMAIL || *type == X509_DNS || *type == X509_URI ||
			*type == X509_IP) {
			*value = item.content;
			return true;
		}
	}
	return false;
}
