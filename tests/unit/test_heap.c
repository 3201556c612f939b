/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The library's own memory: blocks that do not overlap, are zero, and go back to the kernel. */
#include "heap.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 3000
#define ROUNDS 40000
#define THREADS 6

static const size_t sizes[] = { 0, 1, 16, 17, 127, 128, 129, 160, 161, 1000, 4095, 4096, 4097, 5000,
	16384, 16385, 100000, 1 << 19, 63 * 16384, 63 * 16384 + 1, 1 << 20, 5000000 };

struct held {
	uint8_t *block;
	size_t len;
	uint8_t mark;
};

static bool is_filled(const uint8_t *block, size_t len, uint8_t with)
{
	for (size_t i = 0; i < len; i++)
		if (block[i] != with)
			return false;
	return true;
}

static void hold(struct held *held, size_t len, uint8_t mark)
{
	*held = (struct held){ heap_take(len), len, mark };
	ck_assert_ptr_nonnull(held->block);
	ck_assert_uint_eq((uintptr_t)held->block % 16, 0);
	ck_assert_uint_ge(heap_len(held->block), len);
	ck_assert(is_filled(held->block, heap_len(held->block), 0));
	memset(held->block, mark, heap_len(held->block));
}

static void drop(struct held *held)
{
	if (held->block == NULL)
		return;
	ck_assert(is_filled(held->block, heap_len(held->block), held->mark));
	heap_give(held->block);
	held->block = NULL;
}

/* Of the mappings of the heap, in kB; none of them is in a core dump. */
static unsigned long mapped(const char *what)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long sum = 0, kb, from, to;
	bool ours = false;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file) != NULL) {
		char flags[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, flags) == 3)
			ours = heap_has((void *)from);
		if (ours && strncmp(line, what, strlen(what)) == 0 &&
			sscanf(line + strlen(what), ": %lu kB", &kb) == 1)
			sum += kb;
		if (ours && strncmp(line, "VmFlags:", 8) == 0)
			ck_assert_msg(strstr(line, " dd") != NULL, "%s", line);
	}
	fclose(file);
	return sum;
}

START_TEST(each_size)
{
	struct held held = { 0 };

	for (int i = 0; i < 3; i++) {
		hold(&held, sizes[_i], 0xa5);
		ck_assert(heap_has(held.block));
		drop(&held);
	}
}
END_TEST

START_TEST(what_is_not_its_own)
{
	void *other = calloc(1, 100);
	char here;

	ck_assert(!heap_has(other) && !heap_has(&here) && !heap_has(NULL));
	free(other);
}
END_TEST

static size_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%zu", &pages), 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

START_TEST(more_than_there_is)
{
	struct rlimit before, limit;
	int small = 0;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = address_space() + (256 << 20);
	errno = 0;
	ck_assert_ptr_null(heap_take(SIZE_MAX));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(heap_take(SIZE_MAX / 2 - 1));
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	errno = 0;
	for (int i = 0; i < 300; i++)
		if (heap_take(1 << 20) == NULL)
			break;
	ck_assert_int_eq(errno, ENOMEM);
	while (small < 100000 && heap_take(4000) != NULL)
		small++;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
	ck_assert_int_lt(small, 100000);
	ck_assert_ptr_nonnull(heap_take(4000));
}
END_TEST

static void *work(void *arg)
{
	static const size_t most[] = { 64, 600, 5000, 70000 };
	struct held *held = calloc(MANY, sizeof *held);
	uint64_t state = (uintptr_t)arg;

	ck_assert_ptr_nonnull(held);
	for (int i = 0; i < ROUNDS; i++) {
		struct held *at;

		state = state * 6364136223846793005u + 1442695040888963407u;
		at = &held[(state >> 33) % MANY];
		drop(at);
		if ((state >> 20 & 3) != 0)
			hold(at, (state >> 40) % most[state >> 23 & (i % 16 == 0 ? 3 : 1)],
				(uint8_t)(state >> 50 | 1));
	}
	for (int i = 0; i < MANY; i++)
		drop(&held[i]);
	free(held);
	return NULL;
}

START_TEST(threads)
{
	pthread_t thread[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, work, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}
END_TEST

static void *give_all(void *arg)
{
	struct held *held = arg;

	for (int i = 0; i < MANY; i++)
		drop(&held[i]);
	return NULL;
}

/* Another thread frees it; of 100 MB next to nothing is left. */
START_TEST(memory_goes_back)
{
	static struct held held[MANY];
	unsigned long most;
	pthread_t thread;

	for (int i = 0; i < MANY; i++)
		hold(&held[i], (size_t)(i % 70) * 1000, 1);
	most = mapped("Rss");
	ck_assert_uint_gt(most, 90000);
	ck_assert_int_eq(pthread_create(&thread, NULL, give_all, held), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_lt(mapped("Rss"), 4000);
	ck_assert_uint_lt(mapped("Size"), 12000);
}
END_TEST

/* While other threads are in the heap. */
START_TEST(a_child_goes_on)
{
	pthread_t thread[3];

	for (uintptr_t i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, work, (void *)(i + 1)), 0);
	for (int i = 0; i < 30; i++) {
		int status;
		pid_t child;

		heap_lock_for_fork(true);
		child = fork();
		heap_lock_for_fork(false);
		if (child == 0) {
			for (size_t len = 1; len < 100000; len = len * 3 / 2 + 1)
				heap_give(heap_take(len));
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tcase = tcase_create("heap");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, each_size, 0, sizeof sizes / sizeof *sizes);
	tcase_add_test(tcase, what_is_not_its_own);
	tcase_add_test(tcase, more_than_there_is);
	tcase_add_test(tcase, threads);
	tcase_add_test(tcase, memory_goes_back);
	tcase_add_test(tcase, a_child_goes_on);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
