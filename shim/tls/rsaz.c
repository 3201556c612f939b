/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What OpenSSL's exponentiation would have from the rest of libcrypto. */
#include "tls/rsaz.h"

#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

uint32_t rsaz_processor[4];

void *rsaz_malloc(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(len);
}

void rsaz_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	free(block);
}

void rsaz_cleanse(void *block, size_t len)
{
	explicit_bzero(block, len);
}

uint64_t rsaz_sub_words(uint64_t *difference, const uint64_t *a, const uint64_t *b, int count)
{
	unsigned char borrow = 0;

	for (int i = 0; i < count; i++) {
		unsigned long long word;

		borrow = _subborrow_u64(borrow, a[i], b[i], &word);
		difference[i] = word;
	}
	return borrow;
}
