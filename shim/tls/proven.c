/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Without a lock: an entry that is read while it is written is a mixture of two digests, which is
 * as unlikely to be the digest of a forgery as any other number.
 */
#include "tls/proven.h"
#include <stdatomic.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/sha256.h>

#define WORDS (PROVEN_LEN / sizeof(uint64_t))
#define CONTENT_MOST 16384 /* revocation lists are checked once, when they are loaded */

static _Atomic uint64_t entries[PROVEN_MOST][WORDS];
static atomic_uint next;

/* With the length before it, so that nothing can move from one part to the next. */
static bool add(wc_Sha256 *hash, struct x509_bytes part)
{
	uint64_t len = part.len;

	return wc_Sha256Update(hash, (const byte *)&len, sizeof len) == 0 &&
	       wc_Sha256Update(hash, part.data, (word32)part.len) == 0;
}

bool proven_digest(
	const struct x509_signed *proof, struct x509_bytes spki, uint8_t digest[PROVEN_LEN])
{
	wc_Sha256 hash;
	bool ok;

	if (proof->content.len > CONTENT_MOST || wc_InitSha256(&hash) != 0)
		return false;
	ok = add(&hash, proof->algorithm) && add(&hash, proof->signature) && add(&hash, spki) &&
	     add(&hash, proof->content) && wc_Sha256Final(&hash, digest) == 0;
	wc_Sha256Free(&hash);
	return ok;
}

bool proven_has(const uint8_t digest[PROVEN_LEN])
{
	uint64_t words[WORDS];

	memcpy(words, digest, sizeof words);
	for (size_t i = 0; i < PROVEN_MOST; i++) {
		size_t same = 0;

		while (same < WORDS && atomic_load_explicit(&entries[i][same],
					       memory_order_relaxed) == words[same])
			same++;
		if (same == WORDS)
			return true;
	}
	return false;
}

void proven_add(const uint8_t digest[PROVEN_LEN])
{
	unsigned place = atomic_fetch_add(&next, 1) % PROVEN_MOST;
	uint64_t words[WORDS];

	memcpy(words, digest, sizeof words);
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&entries[place][i], words[i], memory_order_relaxed);
}
