/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The certificates of a PEM file, as a peer would send them. */
#ifndef SEAMTLS_TESTS_CERT_CHAIN_H
#define SEAMTLS_TESTS_CERT_CHAIN_H

#include "tls/pem.h"
#include "tls/x509.h"
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>

#define CERT_CHAIN_MAX 8

struct cert_chain {
	struct x509_bytes sent[CERT_CHAIN_MAX];
	size_t count;
};

static inline void cert_chain_read(struct cert_chain *chain, const char *path)
{
	struct pem_block block;
	struct pem pem;
	size_t at = 0;

	chain->count = 0;
	ck_assert_int_eq(pem_read(path, &pem), 0);
	while (pem_next(&pem, &at, &block)) {
		DerBuffer *der = NULL;
		uint8_t *copy;

		if (!pem_is_certificate(&block))
			continue;
		ck_assert_int_eq(wc_PemToDer((const unsigned char *)block.text, (long)block.len,
					 CERT_TYPE, &der, NULL, NULL, NULL),
			0);
		copy = malloc(der->length);
		memcpy(copy, der->buffer, der->length);
		ck_assert_uint_lt(chain->count, CERT_CHAIN_MAX);
		chain->sent[chain->count++] = (struct x509_bytes){ copy, der->length };
		wc_FreeDer(&der);
	}
	pem_clear(&pem);
}

static inline void cert_chain_clear(struct cert_chain *chain)
{
	while (chain->count > 0)
		free((void *)(uintptr_t)chain->sent[--chain->count].data);
}

#endif
