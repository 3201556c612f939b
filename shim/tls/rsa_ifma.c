/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RSA's private operation with 2048 bits by the Chinese remainder theorem (RFC 8017 5.1.2), the two
 * exponentiations at once by OpenSSL's code for AVX-512 IFMA, the rest by wolfCrypt's arithmetic.
 *
 * All of it takes the same time whatever the key and the input: there is no division, no branch and
 * no address that depends on them. So the input is not blinded, as wolfCrypt does not do it either
 * in its own operation. What a fault makes of one half of the result would give the key away to
 * whoever sees it (Boneh, DeMillo, Lipton; Lenstra), so nothing leaves that the public key does not
 * undo.
 *
 * Nothing is kept from one signature to the next: wolfSSL reads the key anew for each handshake,
 * and what could be had from a table of them, Montgomery's constants, costs 1.5 % of an operation.
 */
#include "tls/rsa.h"

#include "tls/processor.h"
#include "tls/rsaz.h"

#include <endian.h>
#include <rsa_private.h>
#include <string.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/sp.h>

#define LIMBS RSAZ_LIMBS
#define MODULUS_LEN 256
#define STACK_LEN (RSAZ_STACK_LEN + 3072) /* of operate(), and what it calls */

_Static_assert(sizeof(sp_digit) == sizeof(uint64_t) && SP_WORD_SIZE == 64, "limbs of 64 bits");

/* wolfCrypt's for numbers of 16 and 32 limbs, for processors with BMI2 and ADX; no header of its
 * declares them. A mask is 0 or has all bits set. */
void sp_2048_mul_avx2_16(sp_digit *r, const sp_digit *a, const sp_digit *b);
/* a = a / 2^1024 mod m, in 16 limbs, if a < 2^1024 m; perhaps not below m yet. */
void sp_2048_mont_reduce_avx2_16(sp_digit *a, const sp_digit *m, sp_digit k0);
sp_digit sp_2048_add_16(sp_digit *r, const sp_digit *a, const sp_digit *b);
sp_digit sp_2048_add_32(sp_digit *r, const sp_digit *a, const sp_digit *b);
sp_digit sp_2048_sub_in_place_16(sp_digit *a, const sp_digit *b); /* the borrow as a mask */
sp_digit sp_2048_cond_add_avx2_16(sp_digit *r, const sp_digit *a, const sp_digit *b, sp_digit mask);
sp_digit sp_2048_cond_sub_avx2_16(sp_digit *r, const sp_digit *a, const sp_digit *b, sp_digit mask);
sp_int64 sp_2048_cmp_16(const sp_digit *a, const sp_digit *b);

/* One prime of the modulus, and the operation modulo this prime. */
struct half {
	sp_digit m[LIMBS], rr[LIMBS], k0; /* for Montgomery's multiplication, with R = 2^1024 */
	sp_digit exponent[LIMBS];
	sp_digit base[LIMBS], power[LIMBS];
};

/* false: it is longer. The time tells how long it is, as it does in wolfCrypt. */
static bool take(const mp_int *number, sp_digit *out)
{
	if (mp_count_bits(number) > RSAZ_BITS)
		return false;
	memset(out, 0, LIMBS * sizeof *out);
	memcpy(out, number->dp, number->used * sizeof *out);
	return true;
}

/* Mod 2^64, of an odd number. Each step doubles the bits that are right, of which there are 3. */
static sp_digit negative_inverse(sp_digit number)
{
	sp_digit inverse = number;

	for (int bits = 3; bits < 64; bits *= 2)
		inverse *= 2 - number * inverse;
	return 0 - inverse;
}

/* A number of 1024 bits, so that it is below m afterwards. */
static void subtract_once(const struct half *half, sp_digit *number, sp_digit carry)
{
	sp_digit not_below = carry | (sp_digit)(sp_2048_cmp_16(number, half->m) >= 0);

	sp_2048_cond_sub_avx2_16(number, number, half->m, 0 - not_below);
}

/* a * b / R mod m */
static void multiply(const struct half *half, sp_digit *out, const sp_digit *a, const sp_digit *b)
{
	sp_digit product[2 * LIMBS];

	sp_2048_mul_avx2_16(product, a, b);
	sp_2048_mont_reduce_avx2_16(product, half->m, half->k0);
	memcpy(out, product, LIMBS * sizeof *out);
}

/* R^2 mod m: 2^8 R, squared seven times. */
static void find_rr(struct half *half)
{
	memset(half->rr, 0, sizeof half->rr);
	sp_2048_sub_in_place_16(half->rr, half->m); /* R mod m, since m has 1024 bits */
	for (int i = 0; i < 8; i++)
		subtract_once(half, half->rr, sp_2048_add_16(half->rr, half->rr, half->rr));
	for (int i = 0; i < 7; i++)
		multiply(half, half->rr, half->rr, half->rr);
	subtract_once(half, half->rr, 0);
}

static bool half_init(struct half *half, const mp_int *prime, const mp_int *exponent)
{
	if (mp_count_bits(prime) != RSAZ_BITS || mp_iseven(prime) || !take(prime, half->m) ||
		!take(exponent, half->exponent))
		return false;
	half->k0 = negative_inverse(half->m[0]);
	find_rr(half);
	return true;
}

/* input mod m, as input / R * R^2 / R */
static void half_set_base(struct half *half, const sp_digit *input)
{
	sp_digit reduced[2 * LIMBS];

	memcpy(reduced, input, sizeof reduced);
	sp_2048_mont_reduce_avx2_16(reduced, half->m, half->k0);
	multiply(half, half->base, reduced, half->rr);
	subtract_once(half, half->base, 0);
}

static bool exponentiate(struct half *p, struct half *q)
{
	return rsaz_mod_exp_x2(p->power, p->base, p->exponent, p->m, p->rr, p->k0, q->power,
		       q->base, q->exponent, q->m, q->rr, q->k0, RSAZ_BITS) == 1;
}

/* q * ((p's - q's) / q mod p) + q's */
static void join(const struct half *p, const struct half *q, const sp_digit *inverse, sp_digit *out)
{
	sp_digit factor[LIMBS], low[2 * LIMBS] = { 0 };
	sp_digit borrow;

	memcpy(factor, p->power, sizeof factor);
	borrow = sp_2048_sub_in_place_16(factor, q->power);
	/* q may be almost 2 p. */
	borrow += sp_2048_cond_add_avx2_16(factor, factor, p->m, borrow);
	sp_2048_cond_add_avx2_16(factor, factor, p->m, borrow);
	multiply(p, factor, factor, inverse);
	multiply(p, factor, factor, p->rr);
	subtract_once(p, factor, 0);
	sp_2048_mul_avx2_16(out, q->m, factor);
	memcpy(low, q->power, sizeof q->power);
	sp_2048_add_32(out, out, low);
}

static void number_from_bytes(sp_digit *number, const byte *bytes, word32 len)
{
	byte whole[MODULUS_LEN] = { 0 };

	memcpy(whole + MODULUS_LEN - len, bytes, len);
	for (size_t i = 0; i < 2 * LIMBS; i++) {
		uint64_t limb;

		memcpy(&limb, whole + MODULUS_LEN - (i + 1) * sizeof limb, sizeof limb);
		number[i] = be64toh(limb);
	}
}

static void number_to_bytes(const sp_digit *number, byte *bytes)
{
	for (size_t i = 0; i < 2 * LIMBS; i++) {
		uint64_t limb = htobe64(number[i]);

		memcpy(bytes + MODULUS_LEN - (i + 1) * sizeof limb, &limb, sizeof limb);
	}
}

/* 0; or a number of wolfCrypt's: the key is not of this kind, or there is no memory. */
static __attribute__((noinline)) int operate(
	const RsaKey *key, const byte *in, word32 in_len, byte *out)
{
	sp_digit inverse[LIMBS], number[2 * LIMBS];
	struct half p, q;

	if (!half_init(&p, &key->p, &key->dP) || !half_init(&q, &key->q, &key->dQ) ||
		!take(&key->u, inverse))
		return WC_KEY_SIZE_E;
	number_from_bytes(number, in, in_len);
	half_set_base(&p, number);
	half_set_base(&q, number);
	if (!exponentiate(&p, &q))
		return MEMORY_E;
	join(&p, &q, inverse, number);
	number_to_bytes(number, out);
	return 0;
}

/* The stack below who calls, where parts of the key and powers modulo its primes were left. */
static __attribute__((noinline)) void wipe_stack(void)
{
	byte left[STACK_LEN];

	explicit_bzero(left, sizeof left);
}

#define CLEAR(n) "vpxorq %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

/* The registers for vectors: the powers are in them, the upper half of them is hardly ever used by
 * anybody else, and core dumps have them. */
static void clear_registers(void)
{
	__asm__ volatile("vzeroall\n\t" CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19) CLEAR(20) CLEAR(21)
				 CLEAR(22) CLEAR(23) CLEAR(24) CLEAR(25) CLEAR(26) CLEAR(27)
					 CLEAR(28) CLEAR(29) CLEAR(30) CLEAR(31)
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Whether the public key makes the input of the result, which is below n (RFC 8017 5.2.2). Not
 * inlined, since its variables would lie above operate()'s stack, and that is the deepest. */
static __attribute__((noinline)) bool is_right(
	const RsaKey *key, const byte *in, word32 in_len, const byte *result)
{
	byte whole[MODULUS_LEN] = { 0 }, undone[MODULUS_LEN], modulus[MODULUS_LEN];
	word32 len = sizeof undone;

	memcpy(whole + MODULUS_LEN - in_len, in, in_len);
	return mp_to_unsigned_bin_len(&key->n, modulus, MODULUS_LEN) == 0 &&
	       memcmp(result, modulus, MODULUS_LEN) < 0 &&
	       sp_RsaPublic_2048(result, MODULUS_LEN, &key->e, &key->n, undone, &len) == 0 &&
	       len == MODULUS_LEN && memcmp(undone, whole, MODULUS_LEN) == 0;
}

static int private_operation(RsaKey *key, const byte *in, word32 in_len, byte *out, word32 *out_len)
{
	byte result[MODULUS_LEN];
	int r;

	if (in_len > MODULUS_LEN || *out_len < MODULUS_LEN)
		return BUFFER_E;
	r = operate(key, in, in_len, result);
	wipe_stack();
	clear_registers();
	if (r == 0 && !is_right(key, in, in_len, result))
		r = SIG_VERIFY_E;
	if (r == 0) {
		memcpy(out, result, MODULUS_LEN);
		*out_len = MODULUS_LEN;
	}
	explicit_bzero(result, sizeof result);
	return r;
}

rsa_operation *rsa_ifma(void)
{
	static const unsigned needed[] = { x86_cpu_BMI2, x86_cpu_ADX, x86_cpu_AVX2, x86_cpu_AVX512F,
		x86_cpu_AVX512DQ, x86_cpu_AVX512VL, x86_cpu_AVX512_IFMA };

	return processor_has(needed, sizeof(needed) / sizeof(*needed)) ? private_operation : NULL;
}

void rsa_choose(rsa_operation *operation)
{
	rsa_private_choose(operation);
}

rsa_operation *rsa_chosen(void)
{
	return rsa_private_chosen();
}
