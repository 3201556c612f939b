/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client begins with, under `accept = both`. */
#include "conn/permissive.h"
#include <check.h>
#include <stdlib.h>

static const struct {
	const char *head;
	size_t len;
	enum beginning want;
} beginning_case[] = {
	{ "\x16\x03\x01\x02\x00", 5, BEGINS_TLS },
	{ "\x16\x03\x03", 3, BEGINS_TLS },
	{ "\x16\x03\x00", 3, BEGINS_TLS },
	{ "\x16\x03\x04\xff\xff", 5, BEGINS_TLS },
	/* not enough */
	{ "\x16", 1, BEGINS_OPEN },
	{ "\x16\x03", 2, BEGINS_OPEN },
	/* that byte, and something else behind it */
	{ "\x16\x02", 2, BEGINS_CLEAR },
	{ "\x16\x03\x05", 3, BEGINS_CLEAR },
	{ "\x16hello", 5, BEGINS_CLEAR },
	/* other records of TLS begin no connection */
	{ "\x17\x03\x03\x00\x05", 5, BEGINS_CLEAR },
	{ "\x15\x03\x01\x00\x02", 5, BEGINS_CLEAR },
	/* SSL 2.0's hello, and what only looks like one */
	{ "\x80\x2e\x01\x00\x02", 5, BEGINS_OLD },
	{ "\x80\x2e\x01\x03\x01", 5, BEGINS_OLD },
	{ "\x80\x2e\x01\x03", 4, BEGINS_CLEAR },
	{ "\x80\x2e\x01\x03\x07", 5, BEGINS_CLEAR },
	{ "\x80\x00\x00\x05\x00", 5, BEGINS_CLEAR },
	{ "\x00\x2e\x01\x03\x01", 5, BEGINS_CLEAR },
	/* protocols */
	{ "GET /", 5, BEGINS_CLEAR },
	{ "*", 1, BEGINS_CLEAR },
	{ "\0", 1, BEGINS_CLEAR },
	{ "\xff\xff\xff\xff\xff", 5, BEGINS_CLEAR },
};

START_TEST(beginning_is_recognised)
{
	ck_assert_int_eq(
		beginning_of((const uint8_t *)beginning_case[_i].head, beginning_case[_i].len),
		beginning_case[_i].want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("permissive");
	TCase *tcase = tcase_create("permissive");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, beginning_is_recognised, 0,
		sizeof beginning_case / sizeof beginning_case[0]);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
