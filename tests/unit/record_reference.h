/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records as OpenSSL's libcrypto makes them, to compare ours with. */
#ifndef SEAMTLS_TESTS_RECORD_REFERENCE_H
#define SEAMTLS_TESTS_RECORD_REFERENCE_H

#include "tls/record.h"
#include <check.h>

/* A test case for each AEAD implementation that runs here, with the tests that `add` adds. */
void reference_add_each_aead(Suite *suite, void (*add)(TCase *tcase));

/* Hex into bytes; how many. */
size_t reference_hex(const char *hex, uint8_t *out);

/* A key whose bytes are all different. */
struct record_key reference_key(uint16_t version, enum record_aead aead);

/*
 * As record_seal(), and nothing is refused: content of any length and type, and for TLS 1.3 so many
 * zeros of padding. The sequence number is not stepped. Returns the record's length.
 */
size_t reference_seal(const struct record_key *key, unsigned type, const uint8_t *plain, size_t len,
	size_t padding, uint8_t *out);

/* As record_key_update(). */
void reference_update(struct record_key *key);

#endif
