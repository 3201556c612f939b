/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that change, however fast. */
#include "policy/watch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 200

static char path[] = "/tmp/seamtls-watch-XXXXXX";
static struct watch watch;

static void put(const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void begin(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void end(void)
{
	watch_clear(&watch);
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
}

START_TEST(what_stays_has_not_changed)
{
	put("old");
	watch_add(&watch, path);
	for (int i = 0; i < 3; i++)
		ck_assert(!watch_changed(&watch));
}
END_TEST

START_TEST(another_size_is_a_change)
{
	put("old");
	watch_add(&watch, path);
	put("longer");
	ck_assert(watch_changed(&watch));
}
END_TEST

START_TEST(what_comes_or_goes_is_a_change)
{
	unlink(path);
	watch_add(&watch, path);
	ck_assert(!watch_changed(&watch));
	put("new");
	ck_assert(watch_changed(&watch));
	watch_clear(&watch);
	watch_add(&watch, path);
	unlink(path);
	ck_assert(watch_changed(&watch));
}
END_TEST

/* Written again before the clock of the file system has moved on, so that stat() tells nothing new.
 * (From Linux 6.13 on it has always moved on.) */
START_TEST(bytes_tell_when_the_clock_does_not)
{
	struct stat before, after;
	int tries = 0;

	do {
		watch_clear(&watch);
		put("old");
		stat(path, &before);
		watch_add(&watch, path);
		put("new");
		stat(path, &after);
		tries++;
	} while (tries < TRIES &&
		 memcmp(&before.st_ctim, &after.st_ctim, sizeof after.st_ctim) != 0);
	ck_assert(watch_changed(&watch));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tcase = tcase_create("watch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, what_stays_has_not_changed);
	tcase_add_test(tcase, another_size_is_a_change);
	tcase_add_test(tcase, what_comes_or_goes_is_a_change);
	tcase_add_test(tcase, bytes_tell_when_the_clock_does_not);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
