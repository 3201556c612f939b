/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The AEADs below the record layer: whose code encrypts and authenticates. Private to the record
 * layer and its tests. A process takes the fastest that its processor has, once.
 */
#ifndef SEAMTLS_TLS_AEAD_H
#define SEAMTLS_TLS_AEAD_H

#include "tls/record.h"

#include <stdbool.h>

#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN 16
#define AEAD_AAD_MAX 13

/* What an AEAD wants to know of one record, beside its bytes. */
struct aead_cover {
	const struct record_key *key;
	uint8_t nonce[AEAD_NONCE_LEN];
	uint8_t aad[AEAD_AAD_MAX];
	uint32_t aad_len;
};

/* What is to be sealed: `len` bytes from byte `offset` of iov on, and a byte behind them. */
struct aead_source {
	const struct iovec *iov;
	size_t offset, len;
	uint8_t type; /* RFC 8446 5.2: the content type .. */
	bool typed;   /* .. of a record that has it inside */
};

struct aead {
	const char *name;
	/* Seals the source at `body`, with the tag behind it. 0, or another number: it failed. */
	int (*seal)(
		const struct aead_cover *cover, const struct aead_source *source, uint8_t *body);
	/*
	 * Opens the `len` bytes at `body`, which are followed by their tag, to `out`: the same
	 * place or one that does not overlap. The last byte goes to *last instead (last may be out
	 * + len - 1). 0, or another number: it does not authenticate, and nothing at `out` may be
	 * used.
	 */
	int (*open)(const struct aead_cover *cover, const uint8_t *body, size_t len, uint8_t *out,
		uint8_t *last);
	/* This process has done with the key, as far as it knows. */
	void (*forget)(const struct record_key *key);
};

const struct aead *aead_wolfcrypt(void);
/* NULL: this processor has not the instructions for it, or it was not built in. */
const struct aead *aead_ipsec_mb(void);

/* This process's. */
const struct aead *aead_chosen(void);
/* For tests: this one from now on. */
void aead_choose(const struct aead *aead);

#endif
