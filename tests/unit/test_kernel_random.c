/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random numbers that were asked for ahead of their use. */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <wolfssl/wolfcrypt/settings.h>

#define DRAW_LEN 32

static bool is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* Out of what one call to the kernel gave: no number twice, and none stays there. */
START_TEST(numbers_ahead_are_given_once)
{
	struct kernel_random_store store, inner;
	uint8_t got[12][DRAW_LEN], large[KERNEL_RANDOM_AHEAD + 1];

	kernel_random_begin(&store);
	for (size_t i = 0; i < 12; i++) {
		if (i == 6)
			kernel_random_begin(&inner);
		ck_assert_int_eq(kernel_random(got[i], DRAW_LEN), 0);
		ck_assert(is_zero(store.bytes, store.from));
		if (i == 8)
			kernel_random_end(&inner);
	}
	ck_assert(is_zero((const uint8_t *)&inner, sizeof inner));
	ck_assert_int_eq(kernel_random(large, sizeof large), 0);
	ck_assert(!is_zero(large + DRAW_LEN, sizeof large - DRAW_LEN));
	ck_assert(!is_zero(store.bytes, sizeof store.bytes));
	kernel_random_end(&store);
	ck_assert(is_zero((const uint8_t *)&store, sizeof store));
	for (size_t i = 0; i < 12; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_mem_ne(got[i], got[j], DRAW_LEN);
	ck_assert_int_eq(kernel_random(got[0], DRAW_LEN), 0);
	ck_assert_mem_ne(got[0], got[1], DRAW_LEN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel_random");
	TCase *tcase = tcase_create("kernel_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, numbers_ahead_are_given_once);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
