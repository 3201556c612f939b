/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Run when the build is configured: is what rsaz_object has made of the system's libcrypto.a the
 * function that rsaz.h describes? Linked only, where the processor has not the instructions. */
#include "tls/rsaz.c"

/* RFC 2409 6.2; a prime. */
static const uint64_t prime[RSAZ_LIMBS] = { 0xffffffffffffffff, 0x49286651ece65381,
	0xae9f24117c4b1fe6, 0xee386bfb5a899fa5, 0x0bff5cb6f406b7ed, 0xf44c42e9a637ed6b,
	0xe485b576625e7ec6, 0x4fe1356d6d51c245, 0x302b0a6df25f1437, 0xef9519b3cd3a431b,
	0x514a08798e3404dd, 0x020bbea63b139b22, 0x29024e088a67cc74, 0xc4c6628b80dc1cd1,
	0xc90fdaa22168c234, 0xffffffffffffffff };

/* 2^2048 mod prime, from 1 on. */
static void find_rr(uint64_t *rr)
{
	uint64_t less[RSAZ_LIMBS];

	memset(rr, 0, sizeof less);
	rr[0] = 1;
	for (int i = 0; i < 2 * RSAZ_BITS; i++) {
		uint64_t carry = rr[RSAZ_LIMBS - 1] >> 63;

		for (int j = RSAZ_LIMBS - 1; j > 0; j--)
			rr[j] = rr[j] << 1 | rr[j - 1] >> 63;
		rr[0] <<= 1;
		if (rsaz_sub_words(less, rr, prime, RSAZ_LIMBS) == 0 || carry != 0)
			memcpy(rr, less, sizeof less);
	}
}

/* Fermat: 3^(prime - 1) is 1, and 3^prime is 3. */
int main(void)
{
	uint64_t rr[RSAZ_LIMBS], less[RSAZ_LIMBS], one[RSAZ_LIMBS], three[RSAZ_LIMBS];
	const uint64_t base[RSAZ_LIMBS] = { 3 }, unit[RSAZ_LIMBS] = { 1 };

	if (!__builtin_cpu_supports("avx512ifma") || !__builtin_cpu_supports("avx512vl") ||
		!__builtin_cpu_supports("avx512dq"))
		return 0;
	find_rr(rr);
	memcpy(less, prime, sizeof less);
	less[0]--;
	return rsaz_mod_exp_x2(one, base, less, prime, rr, 1, three, base, prime, prime, rr, 1,
		       RSAZ_BITS) != 1 ||
	       memcmp(one, unit, sizeof unit) != 0 || memcmp(three, base, sizeof base) != 0;
}
