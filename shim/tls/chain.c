/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/chain.h"
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/hash.h>

static bool bytes_equal(struct x509_bytes a, struct x509_bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* The issuer of the last link among what was sent; not one that is in the chain already, so that it
 * ends. */
static bool chain_extend(struct chain *chain, const struct x509_bytes *sent, size_t count)
{
	const struct chain_link *last = &chain->link[chain->count - 1];
	struct chain_link *next = &chain->link[chain->count];

	if (chain->count == CHAIN_MAX || bytes_equal(last->x509.subject, last->x509.issuer))
		return false;
	for (size_t i = 1; i < count; i++) {
		bool used = false;

		for (size_t j = 0; j < chain->count; j++)
			used = used || chain->link[j].der.data == sent[i].data;
		if (used || x509_parse(sent[i].data, sent[i].len, &next->x509) < 0 ||
			!bytes_equal(next->x509.subject, last->x509.issuer))
			continue;
		next->der = sent[i];
		chain->count++;
		return true;
	}
	return false;
}

void chain_init(struct chain *chain, const struct x509_bytes *sent, size_t count)
{
	chain->count = 0;
	if (count == 0 || x509_parse(sent[0].data, sent[0].len, &chain->link[0].x509) < 0)
		return;
	chain->link[0].der = sent[0];
	chain->count = 1;
	while (chain_extend(chain, sent, count))
		continue;
}

static bool is_pinned(const struct chain_link *link, const uint8_t (*pins)[32], size_t pin_count)
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];

	if (wc_Sha256Hash(link->x509.spki.data, (word32)link->x509.spki.len, digest) != 0)
		return false;
	for (size_t i = 0; i < pin_count; i++)
		if (memcmp(digest, pins[i], sizeof digest) == 0)
			return true;
	return false;
}

static bool signed_by(const struct chain_link *subject, const struct chain_link *issuer)
{
	WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
	bool ok;

	if (manager == NULL)
		return false;
	ok = issuer->x509.is_ca &&
	     wolfSSL_CertManagerLoadCABuffer(manager, issuer->der.data, (long)issuer->der.len,
		     WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
	     wolfSSL_CertManagerVerifyBuffer(manager, subject->der.data, (long)subject->der.len,
		     WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
	wolfSSL_CertManagerFree(manager);
	return ok;
}

bool chain_pinned(const struct chain *chain, const uint8_t (*pins)[32], size_t pin_count)
{
	for (size_t i = 0; i < chain->count; i++) {
		if (is_pinned(&chain->link[i], pins, pin_count))
			return true;
		if (i + 1 < chain->count && !signed_by(&chain->link[i], &chain->link[i + 1]))
			return false;
	}
	return false;
}
