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
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
