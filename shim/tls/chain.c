/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A depth-first search over what was sent. Several certificates of a CA may be there (renewed, or
 * cross-signed), so the first of a fitting name need not be the one; how many signatures a peer can
 * make us check is bounded.
 */
#include "tls/chain.h"
#include "tls/signature.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>

#define SIGNATURES_MAX 32

struct search {
	const struct anchors *anchors; /* NULL: names are all there is to go by */
	size_t count;
	struct chain_link sent[CHAIN_MAX];
	bool usable[CHAIN_MAX];
	size_t next[CHAIN_MAX]; /* where to go on among those that were sent, by length of the way
				 */
	unsigned signatures;
};

/* On the heap: the host program's stacks may be small. NULL: no memory. */
static struct search *search_new(
	const struct x509_bytes *sent, size_t count, const struct anchors *anchors)
{
	struct search *search = calloc(1, sizeof *search);

	if (search == NULL)
		return NULL;
	search->anchors = anchors;
	search->count = count < CHAIN_MAX ? count : CHAIN_MAX;
	for (size_t i = 0; i < search->count; i++) {
		struct chain_link *link = &search->sent[i];

		link->der = sent[i];
		link->sent = i;
		search->usable[i] = x509_parse(sent[i].data, sent[i].len, &link->x509) == 0;
	}
	return search;
}

static bool is_signed_by(
	struct search *search, const struct chain_link *link, struct x509_bytes spki)
{
	return search->anchors == NULL ||
	       (search->signatures++ < SIGNATURES_MAX && signature_is_by(&link->x509.proof, spki));
}

static const struct anchor *find_anchor(struct search *search, const struct chain_link *link)
{
	const struct anchor *anchor = NULL;

	while (search->anchors != NULL &&
		(anchor = anchors_next(search->anchors, anchor, link->x509.issuer)) != NULL)
		if (is_signed_by(search, link, anchor->issuer.spki))
			return anchor;
	return NULL;
}

static bool is_in(const struct chain *chain, size_t sent)
{
	for (size_t i = 0; i < chain->count; i++)
		if (chain->link[i].sent == sent)
			return true;
	return false;
}

/* The next that may be above the last of the chain; false: there is none. */
static bool extend(struct search *search, struct chain *chain)
{
	const struct chain_link *last = &chain->link[chain->count - 1];
	size_t *next = &search->next[chain->count - 1];

	if (chain->count == CHAIN_MAX || x509_bytes_equal(last->x509.subject, last->x509.issuer))
		return false;
	while (*next < search->count) {
		const struct chain_link *above = &search->sent[*next];
		size_t sent = (*next)++;

		if (!search->usable[sent] || is_in(chain, sent) ||
			!x509_bytes_equal(above->x509.subject, last->x509.issuer) ||
			!is_signed_by(search, last, above->x509.spki))
			continue;
		chain->link[chain->count++] = *above;
		search->next[chain->count - 1] = 0;
		return true;
	}
	return false;
}

/* False: the first cannot be parsed. */
static bool start(const struct search *search, struct chain *chain)
{
	chain->count = 0;
	chain->anchor = NULL;
	if (search->count == 0 || !search->usable[0])
		return false;
	chain->link[chain->count++] = search->sent[0];
	return true;
}

void chain_init(struct chain *chain, const struct x509_bytes *sent, size_t count)
{
	struct search *search = search_new(sent, count, NULL);

	chain->count = 0;
	chain->anchor = NULL;
	if (search != NULL && start(search, chain))
		while (extend(search, chain))
			continue;
	free(search);
}

static int find(struct search *search, struct chain *chain)
{
	if (!start(search, chain))
		return -EBADMSG;
	while (chain->count > 0) {
		if (search->next[chain->count - 1] == 0) {
			chain->anchor = find_anchor(search, &chain->link[chain->count - 1]);
			if (chain->anchor != NULL)
				return 0;
		}
		if (!extend(search, chain))
			chain->count--;
	}
	return -ENOKEY;
}

int chain_find(struct chain *chain, const struct x509_bytes *sent, size_t count,
	const struct anchors *anchors)
{
	struct search *search = search_new(sent, count, anchors);
	int r = search != NULL ? find(search, chain) : -ENOMEM;

	free(search);
	if (r < 0)
		chain_init(chain, sent, count);
	return r;
}

bool chain_issuer(const struct chain *chain, size_t link, struct issuer *out)
{
	const struct x509 *above;

	if (link + 1 == chain->count) {
		if (chain->anchor != NULL)
			*out = chain->anchor->issuer;
		return chain->anchor != NULL;
	}
	above = &chain->link[link + 1].x509;
	*out = (struct issuer){ above->subject, above->spki, above->usage };
	return true;
}

static bool is_pinned(struct x509_bytes spki, const uint8_t (*pins)[32], size_t pin_count)
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];

	if (wc_Sha256Hash(spki.data, (word32)spki.len, digest) != 0)
		return false;
	for (size_t i = 0; i < pin_count; i++)
		if (memcmp(digest, pins[i], sizeof digest) == 0)
			return true;
	return false;
}

bool chain_pinned(const struct chain *chain, const uint8_t (*pins)[32], size_t pin_count)
{
	for (size_t i = 0; i < chain->count; i++) {
		const struct x509 *above = &chain->link[i + 1 < chain->count ? i + 1 : i].x509;

		if (is_pinned(chain->link[i].x509.spki, pins, pin_count))
			return true;
		if (i + 1 < chain->count &&
			(!above->is_ca ||
				!signature_is_by(&chain->link[i].x509.proof, above->spki)))
			return false;
	}
	/* That the anchor has signed the last is known. */
	return chain->anchor != NULL && is_pinned(chain->anchor->issuer.spki, pins, pin_count);
}
