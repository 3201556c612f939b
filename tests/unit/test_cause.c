/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every cause says what it is and what to do, by a name that scripts can look for. */
#include "audit/cause.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(cause_says_what_to_do)
{
	enum cause cause = (enum cause)_i;
	const char *name = cause_name(cause);

	ck_assert_ptr_nonnull(name);
	ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
	ck_assert_uint_lt(strlen(name), 32); /* what the audit's field takes */
	ck_assert_int_eq(cause_named(name), cause);
	ck_assert_uint_gt(strlen(cause_meaning(cause)), 10);
	ck_assert_uint_gt(strlen(cause_advice(cause)), 10);
	ck_assert_str_ne(cause_meaning(cause), cause_advice(cause));
}
END_TEST

START_TEST(what_is_no_cause_has_no_name)
{
	ck_assert_ptr_null(cause_name(CAUSE_NONE));
	ck_assert_ptr_null(cause_name(CAUSE_COUNT));
	ck_assert_str_eq(cause_advice(CAUSE_NONE), "");
	ck_assert_int_eq(cause_named(""), CAUSE_NONE);
	ck_assert_int_eq(cause_named("nam"), CAUSE_NONE);
	ck_assert_int_eq(cause_named("name,chain"), CAUSE_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cause");
	TCase *tcase = tcase_create("cause");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, cause_says_what_to_do, CAUSE_NONE + 1, CAUSE_COUNT);
	tcase_add_test(tcase, what_is_no_cause_has_no_name);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
