/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of the program's memory: that it is asked for once, and never taken to be there
 * when it was not. */
#include "conn/memory.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 64
#define BUFFERS 10000
#define BUFFER_LEN 16384
#define STRIDE (BUFFER_LEN + 4096 + 64)

static size_t page;
static char *memory;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	memory = mmap(
		NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
}

static void teardown(void)
{
	munmap(memory, PAGES * page);
}

/* The page _i is not there: nor is any range with it. */
START_TEST(hole_is_found)
{
	size_t hole = (size_t)_i;

	ck_assert_int_eq(mprotect(memory + hole * page, page, PROT_NONE), 0);
	for (size_t first = 0; first < PAGES; first++)
		for (size_t last = first; last < PAGES; last++)
			ck_assert_int_eq(memory_is_there(memory + first * page + 1,
						 (last - first + 1) * page - 1, false),
				hole < first || hole > last);
}
END_TEST

START_TEST(read_only_is_not_written)
{
	size_t from = (size_t)_i;

	ck_assert_int_eq(mprotect(memory, PAGES * page, PROT_READ), 0);
	ck_assert(memory_is_there(memory, PAGES * page, false));
	ck_assert(!memory_is_there(memory + from * page, 2 * page, true));
	ck_assert_int_eq(mprotect(memory, PAGES * page, PROT_READ | PROT_WRITE), 0);
	ck_assert(memory_is_there(memory + from * page, 2 * page, true));
	ck_assert(memory_is_there(memory, PAGES * page, false));
}
END_TEST

START_TEST(nonsense_is_not_there)
{
	ck_assert(memory_is_there(NULL, 0, true));
	ck_assert(!memory_is_there(NULL, 1, false));
	ck_assert(!memory_is_there((void *)100, 1, false));
	ck_assert(!memory_is_there(memory, SIZE_MAX, false));
	ck_assert(!memory_is_there((void *)UINTPTR_MAX, 1, false));
	ck_assert(!memory_is_there((void *)(UINTPTR_MAX / 2), 4096, false));
}
END_TEST

/* As a server with that many connections has them: from the second time on the kernel is not asked,
 * which would tell of the truth. */
START_TEST(buffers_are_remembered)
{
	const size_t len = (size_t)BUFFERS * STRIDE;
	char *buffers = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(buffers, MAP_FAILED);
	for (size_t i = 0; i < BUFFERS; i++)
		ck_assert(memory_is_there(buffers + i * STRIDE, BUFFER_LEN, true));
	ck_assert_int_eq(mprotect(buffers, len, PROT_NONE), 0);
	for (size_t i = 0; i < BUFFERS; i++)
		ck_assert(memory_is_there(buffers + i * STRIDE, BUFFER_LEN, true));
	munmap(buffers, len);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("program_memory");
	TCase *tcase = tcase_create("program_memory");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, hole_is_found, 0, PAGES);
	tcase_add_loop_test(tcase, read_only_is_not_written, 0, PAGES - 1);
	tcase_add_test(tcase, nonsense_is_not_there);
	tcase_add_test(tcase, buffers_are_remembered);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
