/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What our way of building and using wolfCrypt must not break: random numbers, and its assembly. */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/settings.h>

#define CHILDREN 3
#define DRAW_LEN 32

static uint8_t (*drawn)[DRAW_LEN]; /* one for each child, then the parent's */
static WC_RNG rng;

static void draw(int who)
{
	ck_assert_int_eq(wc_RNG_GenerateBlock(&rng, drawn[who], DRAW_LEN), 0);
}

static pid_t fork_bare(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* The generator has been used before, and neither libc nor anybody else hears of the second way. */
static pid_t (*const fork_by[])(void) = { fork, fork_bare };

START_TEST(children_draw_other_numbers)
{
	int status;

	drawn = mmap(NULL, (CHILDREN + 1) * DRAW_LEN, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(drawn, MAP_FAILED);
	ck_assert_int_eq(wc_InitRng(&rng), 0);
	draw(CHILDREN);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork_by[_i]();

		if (pid == 0) {
			draw(i);
			_exit(EXIT_SUCCESS);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	draw(CHILDREN);
	for (int i = 0; i <= CHILDREN; i++)
		for (int j = 0; j < i; j++)
			ck_assert_mem_ne(drawn[i], drawn[j], DRAW_LEN);
	wc_FreeRng(&rng);
}
END_TEST

/* More than the kernel gives at once where a signal may come between. */
START_TEST(long_draws_are_whole)
{
	static uint8_t one[4096];
	unsigned zeros = 0;

	ck_assert_int_eq(wc_InitRng(&rng), 0);
	ck_assert_int_eq(wc_RNG_GenerateBlock(&rng, one, sizeof one), 0);
	for (size_t i = 0; i < sizeof one; i++)
		zeros += one[i] == 0;
	/* 16 are to be expected; a part that was left out would add its length. */
	ck_assert_uint_lt(zeros, 128);
	wc_FreeRng(&rng);
}
END_TEST

#define KEYS 64

/* As a program's own vector code may leave the registers. (With AVX the compiler would clear them.)
 */
#ifdef __x86_64__
static void fill(void)
{
	static const uint8_t bytes[32] = { [16] = 0x5a, [24] = 0xa5 };

	__asm__ volatile("vmovdqu %0, %%ymm0\n\t"
			 "vmovdqa %%ymm0, %%ymm1\n\t"
			 "vmovdqa %%ymm0, %%ymm2\n\t"
			 "vmovdqa %%ymm0, %%ymm3\n\t"
			 "vmovdqa %%ymm0, %%ymm4\n\t"
			 "vmovdqa %%ymm0, %%ymm5\n\t"
			 "vmovdqa %%ymm0, %%ymm6\n\t"
			 "vmovdqa %%ymm0, %%ymm7\n\t"
			 "vmovdqa %%ymm0, %%ymm8\n\t"
			 "vmovdqa %%ymm0, %%ymm9\n\t"
			 "vmovdqa %%ymm0, %%ymm10\n\t"
			 "vmovdqa %%ymm0, %%ymm11\n\t"
			 "vmovdqa %%ymm0, %%ymm12\n\t"
			 "vmovdqa %%ymm0, %%ymm13\n\t"
			 "vmovdqa %%ymm0, %%ymm14\n\t"
			 "vmovdqa %%ymm0, %%ymm15"
			 :
			 : "m"(bytes)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void fill_registers(void)
{
	if (__builtin_cpu_supports("avx"))
		fill();
}
#else
static void fill_registers(void)
{
}
#endif

START_TEST(registers_make_no_difference)
{
	uint8_t key[CURVE25519_KEYSIZE], made[CURVE25519_KEYSIZE], want[CURVE25519_KEYSIZE];
	uint8_t base[CURVE25519_KEYSIZE] = { 9 };

	ck_assert_int_eq(wc_InitRng(&rng), 0);
	for (int i = 0; i < KEYS; i++) {
		ck_assert_int_eq(wc_curve25519_make_priv(&rng, sizeof key, key), 0);
		/* The general multiplication, which has other code, against that of the base. */
		ck_assert_int_eq(wc_curve25519_generic(
					 sizeof want, want, sizeof key, key, sizeof base, base),
			0);
		fill_registers();
		ck_assert_int_eq(wc_curve25519_make_pub(sizeof made, made, sizeof key, key), 0);
		ck_assert_mem_eq(made, want, sizeof made);
	}
	wc_FreeRng(&rng);
}
END_TEST

/* RFC 7748 5.2, the second vector, whose coordinate has its top bit set. */
START_TEST(top_bit_is_ignored)
{
	static const uint8_t scalar[CURVE25519_KEYSIZE] = { 0x4b, 0x66, 0xe9, 0xd4, 0xd1, 0xb4,
		0x67, 0x3c, 0x5a, 0xd2, 0x26, 0x91, 0x95, 0x7d, 0x6a, 0xf5, 0xc1, 0x1b, 0x64, 0x21,
		0xe0, 0xea, 0x01, 0xd4, 0x2c, 0xa4, 0x16, 0x9e, 0x79, 0x18, 0xba, 0x0d };
	static const uint8_t point[CURVE25519_KEYSIZE] = { 0xe5, 0x21, 0x0f, 0x12, 0x78, 0x68, 0x11,
		0xd3, 0xf4, 0xb7, 0x95, 0x9d, 0x05, 0x38, 0xae, 0x2c, 0x31, 0xdb, 0xe7, 0x10, 0x6f,
		0xc0, 0x3c, 0x3e, 0xfc, 0x4c, 0xd5, 0x49, 0xc7, 0x15, 0xa4, 0x93 };
	static const uint8_t want[CURVE25519_KEYSIZE] = { 0x95, 0xcb, 0xde, 0x94, 0x76, 0xe8, 0x90,
		0x7d, 0x7a, 0xad, 0xe4, 0x5c, 0xb4, 0xb8, 0x73, 0xf8, 0x8b, 0x59, 0x5a, 0x68, 0x79,
		0x9f, 0xa1, 0x52, 0xe6, 0xf8, 0xf7, 0x64, 0x7a, 0xac, 0x79, 0x57 };
	uint8_t shared[CURVE25519_KEYSIZE];
	word32 len = sizeof shared;
	curve25519_key own, theirs;

	ck_assert_int_eq(wc_curve25519_init(&own), 0);
	ck_assert_int_eq(wc_curve25519_init(&theirs), 0);
	ck_assert_int_eq(
		wc_curve25519_import_private_ex(scalar, sizeof scalar, &own, EC25519_LITTLE_ENDIAN),
		0);
	ck_assert_int_eq(wc_curve25519_check_public(point, sizeof point, EC25519_LITTLE_ENDIAN), 0);
	ck_assert_int_eq(
		wc_curve25519_import_public_ex(point, sizeof point, &theirs, EC25519_LITTLE_ENDIAN),
		0);
	ck_assert_int_eq(
		wc_curve25519_shared_secret_ex(&own, &theirs, shared, &len, EC25519_LITTLE_ENDIAN),
		0);
	ck_assert_mem_eq(shared, want, sizeof want);
	wc_curve25519_free(&own);
	wc_curve25519_free(&theirs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wolfcrypt");
	TCase *tcase = tcase_create("wolfcrypt");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
		tcase, children_draw_other_numbers, 0, sizeof fork_by / sizeof fork_by[0]);
	tcase_add_test(tcase, long_draws_are_whole);
	tcase_add_test(tcase, registers_make_no_difference);
	tcase_add_test(tcase, top_bit_is_ignored);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
