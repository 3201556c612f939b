/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must be understood and is not makes a list unusable: taken for a whole one it would call
 * certificates good that are not. */
#include "tls/crl.h"
#include "tls/der.h"
#include "tls/signature.h"
#include "tls/x509_extensions.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>

enum { /* {2 5 29 x} */
	EXTENSION_REASON = 21,
	EXTENSION_DELTA = 27,
	EXTENSION_SCOPE = 28,
};

/* What of issuingDistributionPoint (RFC 5280 5.2.5) narrows a list: its names, and whose
 * certificates. */
static const char *scope_parse(struct crl *crl, struct x509_bytes value)
{
	struct der_item sequence, item, point;

	if (!der_expect(&value, DER_SEQUENCE, &sequence))
		return "malformed";
	while (sequence.content.len > 0) {
		bool set;

		if (!der_next(&sequence.content, &item))
			return "malformed";
		if (item.tag == (DER_CONTEXT_CONSTRUCTED | 0)) {
			/* [0] fullName; [1] is a name relative to the issuer's */
			if (!der_expect(&item.content, DER_CONTEXT_CONSTRUCTED | 0, &point))
				return "one of a relative distribution point";
			crl->points = point.content;
			continue;
		}
		set = item.content.len == 1 && item.content.data[0] != 0;
		if (item.tag == (DER_CONTEXT | 1))
			crl->only_users = set;
		else if (item.tag == (DER_CONTEXT | 2))
			crl->only_authorities = set;
		else if (item.tag == (DER_CONTEXT | 3))
			return "one of some reasons only";
		else if (item.tag == (DER_CONTEXT | 4) && set)
			return "an indirect one";
		else if (set)
			return "one of attribute certificates";
	}
	return NULL;
}

static const char *extensions_parse(struct crl *crl, struct x509_bytes explicit)
{
	struct x509_extension extension;
	struct der_item list;
	const char *what = NULL;

	if (!der_expect(&explicit, DER_SEQUENCE, &list))
		return "malformed";
	while (list.content.len > 0 && what == NULL) {
		if (!x509_extension_next(&list.content, &extension))
			return "malformed";
		if (x509_extension_is(&extension, EXTENSION_DELTA))
			what = "a delta";
		else if (x509_extension_is(&extension, EXTENSION_SCOPE))
			what = scope_parse(crl, extension.value);
		else if (extension.critical)
			what = "one with a critical extension that is not known";
	}
	return what;
}

/* SEQUENCE { serial, date, extensions } */
static bool entry_parse(
	struct x509_bytes in, struct x509_bytes *serial, struct crl_entry *out, bool *understood)
{
	struct der_item entry, item, list, reason;
	struct x509_extension extension;
	struct x509_bytes value;

	*understood = true;
	*serial = (struct x509_bytes){ NULL, 0 };
	out->reason = -1;
	if (!der_expect(&in, DER_SEQUENCE, &entry) ||
		!der_expect(&entry.content, DER_INTEGER, &item))
		return false;
	*serial = item.content;
	if (!der_next(&entry.content, &item) || !der_time(&item, &out->when))
		return false;
	if (entry.content.len == 0)
		return true;
	if (!der_expect(&entry.content, DER_SEQUENCE, &list))
		return false;
	while (list.content.len > 0) {
		if (!x509_extension_next(&list.content, &extension))
			return false;
		value = extension.value;
		if (!x509_extension_is(&extension, EXTENSION_REASON))
			*understood = *understood && !extension.critical;
		else if (der_expect(&value, DER_ENUMERATED, &reason) && reason.content.len == 1)
			out->reason = reason.content.data[0];
	}
	return true;
}

static struct x509_bytes entry_at(const struct crl *crl, uint32_t offset)
{
	return (struct x509_bytes){ crl->list.data + offset, crl->list.len - offset };
}

static int compare(struct x509_bytes a, struct x509_bytes b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len > 0 ? memcmp(a.data, b.data, a.len) : 0;
}

static int compare_offsets(const void *a, const void *b, void *arg)
{
	struct x509_bytes serial_a, serial_b;
	struct crl_entry entry;
	bool understood;

	/* Both were parsed before. */
	entry_parse(entry_at(arg, *(const uint32_t *)a), &serial_a, &entry, &understood);
	entry_parse(entry_at(arg, *(const uint32_t *)b), &serial_b, &entry, &understood);
	return compare(serial_a, serial_b);
}

static int entries_index(struct crl *crl, const char **what)
{
	struct x509_bytes rest = crl->list, serial;
	struct crl_entry entry;
	struct der_item item;
	bool understood;
	size_t count = 0;

	for (; rest.len > 0; count++)
		if (!der_next(&rest, &item) ||
			!entry_parse(item.whole, &serial, &entry, &understood))
			return -EBADMSG;
		else if (!understood) {
			*what = "an indirect one, or has a critical extension that is not known";
			return -ENOTSUP;
		}
	if (count == 0)
		return 0;
	crl->entries = calloc(count, sizeof *crl->entries);
	if (crl->entries == NULL)
		return -ENOMEM;
	for (rest = crl->list; crl->count < count; crl->count++) {
		crl->entries[crl->count] = (uint32_t)(rest.data - crl->list.data);
		der_next(&rest, &item);
	}
	qsort_r(crl->entries, count, sizeof *crl->entries, compare_offsets, crl);
	return 0;
}

/* TBSCertList: [version], algorithm, issuer, thisUpdate, [nextUpdate], [revokedCertificates],
 * [extensions]. */
static int content_parse(struct crl *crl, const char **what)
{
	struct x509_bytes in = crl->proof.content;
	struct der_item tbs, algorithm, issuer, item;

	if (!der_expect(&in, DER_SEQUENCE, &tbs))
		return -EBADMSG;
	in = tbs.content;
	if (!der_skip_optional(&in, DER_INTEGER) || !der_expect(&in, DER_SEQUENCE, &algorithm) ||
		!der_expect(&in, DER_SEQUENCE, &issuer) || !der_next(&in, &item) ||
		!der_time(&item, &crl->this_update) ||
		!x509_bytes_equal(algorithm.whole, crl->proof.algorithm))
		return -EBADMSG;
	crl->issuer = issuer.whole;
	crl->next_update = INT64_MAX;
	if (in.len > 0 && (in.data[0] == DER_UTC_TIME || in.data[0] == DER_GENERAL_TIME) &&
		(!der_next(&in, &item) || !der_time(&item, &crl->next_update)))
		return -EBADMSG;
	if (in.len > 0 && in.data[0] == DER_SEQUENCE) {
		if (!der_next(&in, &item))
			return -EBADMSG;
		crl->list = item.content;
	}
	if (in.len > 0) {
		if (!der_expect(&in, DER_CONTEXT_CONSTRUCTED | 0, &item))
			return -EBADMSG;
		*what = extensions_parse(crl, item.content);
		if (*what != NULL)
			return -ENOTSUP;
	}
	return entries_index(crl, what);
}

int crl_init(struct crl *crl, uint8_t *der, size_t len, const char **what)
{
	struct x509_bytes in = { der, len };
	struct der_item whole;
	int r = -EBADMSG;

	memset(crl, 0, sizeof *crl);
	crl->der = der;
	*what = NULL;
	if (der_expect(&in, DER_SEQUENCE, &whole) &&
		x509_signed_parse(whole.content, &crl->proof, NULL))
		r = content_parse(crl, what);
	if (r < 0)
		crl_clear(crl);
	return r;
}

void crl_clear(struct crl *crl)
{
	free(crl->entries);
	free(crl->der);
	crl->entries = NULL;
	crl->der = NULL;
}

static bool is_in(struct x509_bytes names, struct x509_bytes name)
{
	struct der_item item;

	while (der_next(&names, &item))
		if (x509_bytes_equal(item.whole, name))
			return true;
	return false;
}

/* DistributionPoint { [0] { [0] fullName } ... }: whether one has a name that is one of the list's.
 */
static bool names_point(struct x509_bytes points, struct x509_bytes names)
{
	struct der_item point, name, full, one;

	while (der_expect(&points, DER_SEQUENCE, &point))
		if (der_expect(&point.content, DER_CONTEXT_CONSTRUCTED | 0, &name) &&
			der_expect(&name.content, DER_CONTEXT_CONSTRUCTED | 0, &full))
			while (der_next(&full.content, &one))
				if (is_in(names, one.whole))
					return true;
	return false;
}

bool crl_covers(const struct crl *crl, const struct x509 *certificate)
{
	if (!x509_bytes_equal(crl->issuer, certificate->issuer) ||
		(crl->only_users && certificate->is_ca) ||
		(crl->only_authorities && !certificate->is_ca))
		return false;
	return crl->points.len == 0 || names_point(certificate->crl_points, crl->points);
}

bool crl_is_signed_by(struct crl *crl, const struct issuer *issuer)
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];
	int nobody = 0;

	if ((issuer->usage & X509_CRL_SIGN) == 0 ||
		wc_Sha256Hash(issuer->spki.data, (word32)issuer->spki.len, digest) != 0)
		return false;
	if (atomic_load(&crl->signer_known) == 2 && memcmp(digest, crl->signer, sizeof digest) == 0)
		return true;
	if (!signature_is_by(&crl->proof, issuer->spki))
		return false;
	if (atomic_compare_exchange_strong(&crl->signer_known, &nobody, 1)) {
		memcpy(crl->signer, digest, sizeof digest);
		atomic_store(&crl->signer_known, 2);
	}
	return true;
}

bool crl_find(const struct crl *crl, struct x509_bytes serial, struct crl_entry *out)
{
	size_t low = 0, high = crl->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct x509_bytes at;
		bool understood;
		int order;

		entry_parse(entry_at(crl, crl->entries[middle]), &at, out, &understood);
		order = compare(serial, at);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
