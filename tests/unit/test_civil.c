/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The calendar, beside libc's. */
#include "civil.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#define DAYS 800000 /* either way from 1970: some 2,190 years */

START_TEST(as_libc_has_it)
{
	for (int64_t day = -DAYS; day <= DAYS; day += 23) {
		int64_t in_day = (day * 7919 % CIVIL_DAY_S + CIVIL_DAY_S) % CIVIL_DAY_S;
		time_t when = day * CIVIL_DAY_S + in_day;
		struct civil at = civil_of(when);
		struct tm want;

		gmtime_r(&when, &want);
		ck_assert_msg(at.year == want.tm_year + 1900 && at.month == want.tm_mon + 1 &&
				      at.day == want.tm_mday && at.hour == want.tm_hour &&
				      at.minute == want.tm_min && at.second == want.tm_sec &&
				      civil_days(at.year, at.month, at.day) == day,
			"day %ld", (long)day);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("civil");
	TCase *tcase = tcase_create("civil");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, as_libc_has_it);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
