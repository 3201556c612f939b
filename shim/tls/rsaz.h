/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is used of OpenSSL 3.0's libcrypto: its modular exponentiation for AVX-512 IFMA (RSAZ), by
 * the name that rsaz_object gives it; and what it calls, which rsaz.c has.
 */
#ifndef SEAMTLS_TLS_RSAZ_H
#define SEAMTLS_TLS_RSAZ_H

#include <stddef.h>
#include <stdint.h>

#define RSAZ_BITS 1024
#define RSAZ_LIMBS 16 /* of 64 bits, the lowest first */

/*
 * power = base ^ exponent mod m, twice, in constant time. m is odd and has RSAZ_BITS, base < m; rr
 * is 2^2048 mod m, k0 is -1/m mod 2^64. 1; or 0: no memory. Of what it has computed with, parts
 * stay on the stack, in RSAZ_STACK_LEN bytes.
 */
int rsaz_mod_exp_x2(uint64_t *power1, const uint64_t *base1, const uint64_t *exponent1,
	const uint64_t *m1, const uint64_t *rr1, uint64_t k0_1, uint64_t *power2,
	const uint64_t *base2, const uint64_t *exponent2, const uint64_t *m2, const uint64_t *rr2,
	uint64_t k0_2, int bits);
#define RSAZ_STACK_LEN 11776

void *rsaz_malloc(size_t len, const char *file, int line);
void rsaz_free(void *block, const char *file, int line);
void rsaz_cleanse(void *block, size_t len);
/* difference = a - b; returns the borrow. In constant time. */
uint64_t rsaz_sub_words(uint64_t *difference, const uint64_t *a, const uint64_t *b, int count);
/* Looked at by a function that nobody calls: the choice is made by who calls. */
extern uint32_t rsaz_processor[4];

#endif
