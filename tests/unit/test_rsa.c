/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RSA's private operation, by each code that there is for it on this processor. */
#include "tls/rsa.h"
#include "tls_pair.h"
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>

#define LEN 256
#define LEN_MAX 384
#define EXPONENT 65537

/* 2^bits + offset is prime. */
struct prime {
	int bits, offset;
};

enum { GENERATED, LARGER_P, LARGER_Q, KEYS_2048, KEY_3072 = KEYS_2048, UNEQUAL, KEYS };

/* As far from one another as primes of 1024 bits can be; and keys for wolfCrypt alone. */
static const struct {
	struct prime p, q;
} key_case[KEYS] = {
	[LARGER_P] = { { 1024, -105 }, { 1023, 1155 } },
	[LARGER_Q] = { { 1023, 1155 }, { 1024, -105 } },
	[KEY_3072] = { { 1536, -3453 }, { 1535, 699 } },
	[UNEQUAL] = { { 1048, -449 }, { 1000, -1245 } },
};

static RsaKey keys[KEYS];
static WC_RNG rng;
static unsigned asked;

static rsa_operation *const wolfcrypt = NULL;

static int count(RsaKey *key, const byte *in, word32 in_len, byte *out, word32 *out_len)
{
	asked++;
	return rsa_ifma()(key, in, in_len, out, out_len);
}

static int refuse(RsaKey *key, const byte *in, word32 in_len, byte *out, word32 *out_len)
{
	(void)key;
	(void)in;
	(void)in_len;
	(void)out;
	(void)out_len;
	asked++;
	return MEMORY_E;
}

static void make_prime(const struct prime *prime, mp_int *out)
{
	ck_assert_int_eq(mp_2expt(out, prime->bits), 0);
	if (prime->offset > 0)
		ck_assert_int_eq(mp_add_d(out, (mp_digit)prime->offset, out), 0);
	else
		ck_assert_int_eq(mp_sub_d(out, (mp_digit)-prime->offset, out), 0);
}

/* The exponent's inverse mod (prime - 1). */
static void make_exponent(const mp_int *e, const mp_int *prime, mp_int *out)
{
	mp_int less;

	ck_assert_int_eq(mp_init(&less), 0);
	ck_assert_int_eq(mp_sub_d(prime, 1, &less), 0);
	ck_assert_int_eq(mp_invmod(e, &less, out), 0);
}

/* wolfCrypt uses what CRT takes; d only has to be there. */
static void make_key(int which)
{
	RsaKey *key = &keys[which];

	ck_assert_int_eq(wc_InitRsaKey(key, NULL), 0);
	if (which == GENERATED) {
		ck_assert_int_eq(wc_MakeRsaKey(key, 2048, EXPONENT, &rng), 0);
		return;
	}
	key->type = RSA_PRIVATE;
	ck_assert_int_eq(mp_set_int(&key->e, EXPONENT), 0);
	make_prime(&key_case[which].p, &key->p);
	make_prime(&key_case[which].q, &key->q);
	ck_assert_int_eq(mp_mul(&key->p, &key->q, &key->n), 0);
	make_exponent(&key->e, &key->p, &key->dP);
	make_exponent(&key->e, &key->q, &key->dQ);
	ck_assert_int_eq(mp_invmod(&key->q, &key->p, &key->u), 0);
	ck_assert_int_eq(mp_copy(&key->dP, &key->d), 0);
	ck_assert_int_eq(wc_RsaSetRNG(key, &rng), 0);
}

static void make_keys(void)
{
	ck_assert_int_eq(wc_InitRng(&rng), 0);
	for (int i = 0; i < KEYS; i++)
		make_key(i);
}

/* By wolfCrypt, which asks `operation` first. */
static int sign_by(rsa_operation *operation, RsaKey *key, const byte *in, word32 in_len, byte *out)
{
	word32 len = LEN_MAX;

	rsa_choose(operation);
	return wc_RsaFunction(in, in_len, out, &len, RSA_PRIVATE_ENCRYPT, key, &rng);
}

static int undo(RsaKey *key, const byte *in, word32 len, byte *out)
{
	return wc_RsaFunction(in, len, out, &len, RSA_PUBLIC_ENCRYPT, key, &rng);
}

/* a p + b q + c, and random if all are 0 */
static const struct {
	int a, b, c;
} input_case[] = { { 0, 0, 1 }, { 0, 0, 2 }, { 1, 0, -1 }, { 1, 0, 0 }, { 1, 0, 1 }, { 0, 1, -1 },
	{ 0, 1, 0 }, { 0, 1, 1 }, { 2, 0, 0 }, { 0, 3, 0 }, { 7, 9, 0 }, { 1, -1, 0 }, { -1, 1, 0 },
	{ 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };

static void add(mp_int *sum, const mp_int *number, int times)
{
	for (; times > 0; times--)
		ck_assert_int_eq(mp_add(sum, number, sum), 0);
	for (; times < 0; times++)
		ck_assert_int_eq(mp_sub(sum, number, sum), 0);
}

/* Below n. */
static void make_input(size_t which, const RsaKey *key, byte *out)
{
	mp_int sum, one;

	if (input_case[which].a == 0 && input_case[which].b == 0 && input_case[which].c == 0) {
		ck_assert_int_eq(wc_RNG_GenerateBlock(&rng, out, LEN), 0);
		out[0] &= 0x7f;
		return;
	}
	ck_assert_int_eq(mp_init_multi(&sum, &one, NULL, NULL, NULL, NULL), 0);
	mp_set(&one, 1);
	add(&sum, &key->n, input_case[which].a < 0 || input_case[which].b < 0);
	add(&sum, &key->p, input_case[which].a);
	add(&sum, &key->q, input_case[which].b);
	add(&sum, &one, input_case[which].c);
	if (mp_cmp(&sum, &key->n) != MP_LT)
		add(&sum, &key->n, -1);
	ck_assert_int_eq(mp_to_unsigned_bin_len(&sum, out, LEN), 0);
}

START_TEST(both_say_the_same)
{
	RsaKey *key = &keys[_i];
	byte in[LEN], want[LEN_MAX], made[LEN_MAX];

	for (size_t i = 0; i < sizeof input_case / sizeof *input_case; i++) {
		word32 len = LEN;

		make_input(i, key, in);
		ck_assert_int_eq(sign_by(wolfcrypt, key, in, LEN, want), 0);
		ck_assert_int_eq(rsa_ifma()(key, in, LEN, made, &len), 0);
		ck_assert_uint_eq(len, LEN);
		ck_assert_mem_eq(made, want, LEN);
		ck_assert_int_eq(sign_by(rsa_ifma(), key, in, LEN, made), 0);
		ck_assert_mem_eq(made, want, LEN);
		/* As wolfCrypt signs what it has padded. */
		ck_assert_int_eq(sign_by(rsa_ifma(), key, in, LEN, in), 0);
		ck_assert_mem_eq(in, want, LEN);
	}
}
END_TEST

START_TEST(a_short_input_is_a_small_number)
{
	static const word32 lengths[] = { 1, 7, 8, 127, 128, 129, 255 };
	RsaKey *key = &keys[GENERATED];
	byte in[LEN], want[LEN_MAX], made[LEN];
	word32 len = LEN;

	make_input(sizeof input_case / sizeof *input_case - 1, key, in);
	ck_assert_int_eq(sign_by(wolfcrypt, key, in, lengths[_i], want), 0);
	ck_assert_int_eq(rsa_ifma()(key, in, lengths[_i], made, &len), 0);
	ck_assert_mem_eq(made, want, LEN);
}
END_TEST

/* 0, n, n - 1, all bits: wolfCrypt has its own opinion of some of them. */
START_TEST(ends_of_the_range_are_wolfcrypts)
{
	RsaKey *key = &keys[_i];
	byte in[4][LEN] = { { 0 } }, want[LEN_MAX], made[LEN_MAX];

	ck_assert_int_eq(mp_to_unsigned_bin_len(&key->n, in[1], LEN), 0);
	ck_assert_int_eq(mp_to_unsigned_bin_len(&key->n, in[2], LEN), 0);
	in[2][LEN - 1]--;
	memset(in[3], 0xff, LEN);
	for (int i = 0; i < 4; i++) {
		int r;

		memset(want, 0, sizeof want);
		memset(made, 0, sizeof made);
		r = sign_by(wolfcrypt, key, in[i], LEN, want);
		ck_assert_int_eq(sign_by(rsa_ifma(), key, in[i], LEN, made), r);
		ck_assert_mem_eq(made, want, LEN);
	}
}
END_TEST

/* What would be sent if it were not looked at gives the key away. */
START_TEST(a_wrong_result_does_not_leave)
{
	static const byte clean[LEN];
	RsaKey *key = &keys[GENERATED];
	mp_int *const parts[] = { &key->p, &key->q, &key->dP, &key->dQ, &key->u };
	byte in[LEN], want[LEN_MAX], made[LEN_MAX] = { 0 };
	word32 len = LEN;
	int r;

	make_input(sizeof input_case / sizeof *input_case - 1, key, in);
	parts[_i]->dp[1] ^= 16; /* Check has forked: of this process */
	ck_assert_int_ne(rsa_ifma()(key, in, LEN, made, &len), 0);
	ck_assert_mem_eq(made, clean, LEN);
	r = sign_by(wolfcrypt, key, in, LEN, want);
	ck_assert_int_eq(sign_by(rsa_ifma(), key, in, LEN, made), r);
	ck_assert_mem_eq(made, want, LEN);
}
END_TEST

START_TEST(wolfcrypt_does_what_is_refused)
{
	RsaKey *key = &keys[_i];
	word32 size = (word32)wc_RsaEncryptSize(key);
	byte in[LEN_MAX] = { 0, 1, 2, 3 }, made[LEN_MAX], undone[LEN_MAX];

	ck_assert_int_eq(sign_by(refuse, key, in, size, made), 0);
	ck_assert_uint_eq(asked, _i < KEYS_2048);
	ck_assert_int_eq(undo(key, made, size, undone), 0);
	ck_assert_mem_eq(undone, in, size);
	ck_assert_uint_eq(asked, _i < KEYS_2048); /* not for the public operation */
}
END_TEST

START_TEST(other_keys_and_lengths_are_refused)
{
	RsaKey *key = &keys[GENERATED];
	byte in[LEN + 1] = { 0, 1 }, made[LEN];
	word32 len = LEN, less = LEN - 1;

	ck_assert_int_ne(rsa_ifma()(&keys[KEY_3072], in, LEN, made, &len), 0);
	ck_assert_int_ne(rsa_ifma()(&keys[UNEQUAL], in, LEN, made, &len), 0);
	ck_assert_int_ne(rsa_ifma()(key, in, LEN, made, &less), 0);
	ck_assert_int_ne(rsa_ifma()(key, in, LEN + 1, made, &len), 0);
	ck_assert_int_eq(rsa_ifma()(key, in, LEN, made, &len), 0);
	ck_assert_int_eq(mp_2expt(&key->u, 1024), 0);
	ck_assert_int_ne(rsa_ifma()(key, in, LEN, made, &len), 0);
}
END_TEST

/* What a sanitizer's runtime has of each stack for itself. */
#ifdef __SANITIZE_THREAD__
#define RUNTIME_STACK (1024 * 1024)
#else
#define RUNTIME_STACK 0
#endif
#define STACK_LEN (256 * 1024 + RUNTIME_STACK)

static void *operate(void *arg)
{
	RsaKey *key = arg;
	byte in[LEN] = { 0, 1, 2 }, made[LEN];
	word32 len = LEN;

	return rsa_ifma()(key, in, LEN, made, &len) == 0 ? NULL : key;
}

/* The limbs of what an operation computes with. */
START_TEST(no_part_of_a_key_stays_on_the_stack)
{
	RsaKey *key = &keys[GENERATED];
	const mp_int *const parts[] = { &key->p, &key->q, &key->dP, &key->dQ, &key->u };
	byte *stack =
		mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;
	void *failed;

	ck_assert_ptr_ne(stack, MAP_FAILED);
	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstack(&attr, stack, STACK_LEN), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, operate, key), 0);
	ck_assert_int_eq(pthread_join(thread, &failed), 0);
	ck_assert_ptr_null(failed);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (unsigned limb = 0; limb < parts[i]->used; limb++)
			ck_assert_ptr_null(memmem(
				stack, STACK_LEN, &parts[i]->dp[limb], sizeof parts[i]->dp[limb]));
}
END_TEST

#ifdef __x86_64__
#define REGISTERS_LEN (32 * 64)
#define EACH_LOW(do)                                                                               \
	do                                                                                         \
	(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do(  \
		14) do(15)
#define EACH_HIGH(do)                                                                              \
	do                                                                                         \
	(16) do(17) do(18) do(19) do(20) do(21) do(22) do(23) do(24) do(25) do(26) do(27) do(      \
		28) do(29) do(30) do(31)
#define FILL(n) "vmovdqa64 %0, %%zmm" #n "\n\t"
#define KEEP(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%0)\n\t"
#define LOW                                                                                        \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
		"xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Digits of 52 bits are what OpenSSL's code computes with; the last one is short. */
static void check_digits_are_not_in(const byte *registers, const mp_int *number)
{
	for (int digit = 0; digit < 1024 / 52; digit++) {
		uint64_t bits = 0;

		for (int i = 0; i < 52; i++)
			bits |= (uint64_t)mp_is_bit_set(number, (unsigned)(52 * digit + i)) << i;
		ck_assert_ptr_null(memmem(registers, REGISTERS_LEN, &bits, sizeof bits));
	}
}

/* Of the result mod a prime, which with the result gives the prime away. */
static void check_power_is_not_in(const byte *registers, const byte *result, const mp_int *prime)
{
	mp_int power;

	ck_assert_int_eq(mp_init(&power), 0);
	ck_assert_int_eq(mp_read_unsigned_bin(&power, result, LEN), 0);
	ck_assert_int_eq(mp_mod(&power, prime, &power), 0);
	check_digits_are_not_in(registers, &power);
}

/* A program's own vector code may leave anything in the registers; and where it goes on with SSE,
 * upper halves that are not clear make each of its instructions wait for the one before. */
START_TEST(registers_make_no_difference_and_are_left_clear)
{
	static const byte bytes[64]
		__attribute__((aligned(64))) = { [1] = 0x5a, [24] = 0xa5, [40] = 0x77 };
	static const byte clear[48];
	static byte registers[REGISTERS_LEN];
	RsaKey *key = &keys[GENERATED];
	byte in[LEN] = { 0, 1 }, want[LEN_MAX], made[LEN];
	word32 len = LEN;
	int r;

	ck_assert_int_eq(sign_by(wolfcrypt, key, in, LEN, want), 0);
	__asm__ volatile(EACH_LOW(FILL) EACH_HIGH(FILL) : : "m"(bytes) : LOW);
	r = rsa_ifma()(key, in, LEN, made, &len);
	__asm__ volatile(EACH_LOW(KEEP) EACH_HIGH(KEEP) : : "r"(registers) : "memory");
	ck_assert_int_eq(r, 0);
	ck_assert_mem_eq(made, want, LEN);
	for (int i = 0; i < 16; i++)
		ck_assert_mem_eq(registers + 64 * i + 16, clear, sizeof clear);
	check_power_is_not_in(registers, made, &key->p);
	check_power_is_not_in(registers, made, &key->q);
}
END_TEST
#endif

/* What a process signs with, by what it has negotiated; both sides do. */
static const struct {
	enum policy_version version;
	const char *scheme;
} handshake_case[] = {
	{ POLICY_TLS12, "rsa_pkcs1_sha256" },
	{ POLICY_TLS12, "rsa_pkcs1_sha512" },
	{ POLICY_TLS12, "rsa_pss_rsae_sha256" },
	{ POLICY_TLS13, "rsa_pss_rsae_sha256" },
	{ POLICY_TLS13, "rsa_pss_rsae_sha512" },
};
#define HANDSHAKES (sizeof handshake_case / sizeof *handshake_case)

static struct pair *shake_hands(int which)
{
	static struct pair_settings client, server;
	struct pair *pair;

	pair_settings_init(&client, "rsa-client");
	pair_settings_init(&server, "rsa-server");
	server.tls.client_auth = POLICY_CLIENT_REQUIRED;
	client.tls.max_version = handshake_case[which].version;
	pair_list_add(&client, &client.tls.signature_algorithms, handshake_case[which].scheme);
	pair_list_add(&server, &server.tls.signature_algorithms, handshake_case[which].scheme);
	pair = pair_new(&client, &server, "server.test");
	pair_settings_clear(&client);
	pair_settings_clear(&server);
	return pair;
}

static void check_handshake(struct pair *pair)
{
	pair_run(pair);
	ck_assert_int_eq(pair->client_result, 0);
	ck_assert_int_eq(pair->server_result, 0);
	pair_check_data(pair);
	pair_free(pair);
}

START_TEST(the_fastest_is_taken)
{
	ck_assert(rsa_chosen() == NULL);
	pair_free(shake_hands(0));
	ck_assert(rsa_chosen() == rsa_ifma());
}
END_TEST

START_TEST(handshakes_are_signed)
{
	struct pair *pair = shake_hands(_i);

	rsa_choose(count);
	check_handshake(pair);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

START_TEST(handshakes_are_signed_by_wolfcrypt)
{
	struct pair *pair = shake_hands(_i);

	rsa_choose(wolfcrypt);
	check_handshake(pair);
}
END_TEST

START_TEST(handshakes_do_not_fail_with_it)
{
	struct pair *pair = shake_hands(_i);

	rsa_choose(refuse);
	check_handshake(pair);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

/* Built without it, or for a processor without it: wolfCrypt alone. */
static void add_ifma_tests(TCase *tcase)
{
	if (rsa_ifma() == NULL)
		return;
	tcase_add_loop_test(tcase, both_say_the_same, 0, KEYS_2048);
	tcase_add_loop_test(tcase, a_short_input_is_a_small_number, 0, 7);
	tcase_add_loop_test(tcase, ends_of_the_range_are_wolfcrypts, 0, KEYS_2048);
	tcase_add_loop_test(tcase, a_wrong_result_does_not_leave, 0, 5);
	tcase_add_loop_test(tcase, wolfcrypt_does_what_is_refused, 0, KEYS);
	tcase_add_test(tcase, other_keys_and_lengths_are_refused);
	tcase_add_test(tcase, no_part_of_a_key_stays_on_the_stack);
#ifdef __x86_64__
	tcase_add_test(tcase, registers_make_no_difference_and_are_left_clear);
#endif
	tcase_add_loop_test(tcase, handshakes_are_signed, 0, HANDSHAKES);
	tcase_add_loop_test(tcase, handshakes_do_not_fail_with_it, 0, HANDSHAKES);
}

int main(void)
{
	Suite *suite = suite_create("rsa");
	TCase *tcase = tcase_create("rsa");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_unchecked_fixture(tcase, make_keys, NULL);
	add_ifma_tests(tcase);
	tcase_add_test(tcase, the_fastest_is_taken);
	tcase_add_loop_test(tcase, handshakes_are_signed_by_wolfcrypt, 0, HANDSHAKES);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
