/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stack that handshakes run on: what its caller must not notice. */
#include "deep.h"
#include <check.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 64
#define DEEP_ENOUGH (128 * 1024)
#define THREAD_STACK (128 * 1024)

struct visit {
	uintptr_t frame;
	unsigned runs;
	sigset_t mask;
	int frames;
};

static void look(void *arg)
{
	struct visit *visit = arg;
	void *frame[FRAMES];

	visit->frame = (uintptr_t)__builtin_frame_address(0);
	visit->runs++;
	sigprocmask(SIG_BLOCK, NULL, &visit->mask);
	visit->frames = backtrace(frame, FRAMES);
}

static void nest(void *arg)
{
	deep_run(look, arg);
}

static void go_deep(void *arg)
{
	volatile uint8_t memory[DEEP_ENOUGH];

	for (size_t i = 0; i < sizeof memory; i += 4096)
		memory[i] = 1;
	*(unsigned *)arg = memory[0];
}

static void *go_deep_in_thread(void *arg)
{
	deep_run(go_deep, arg);
	return arg;
}

static bool masks_equal(const sigset_t *one, const sigset_t *other)
{
	for (int number = 1; number < NSIG; number++)
		if (sigismember(one, number) != sigismember(other, number))
			return false;
	return true;
}

START_TEST(mask_is_as_it_was)
{
	struct visit visit = { 0 };
	sigset_t set, before, after;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigprocmask(SIG_BLOCK, NULL, &before);
	deep_run(look, &visit);
	sigprocmask(SIG_BLOCK, NULL, &after);
	ck_assert_uint_eq(visit.runs, 1);
	ck_assert_uint_eq(visit.frame % 16, 0); /* as the ABIs have it */
	ck_assert(masks_equal(&before, &visit.mask));
	ck_assert(masks_equal(&before, &after));
}
END_TEST

START_TEST(nested_runs_share_the_stack)
{
	struct visit outer = { 0 }, inner = { 0 };

	deep_run(look, &outer);
	deep_run(nest, &inner);
	ck_assert_uint_eq(inner.runs, 1);
	ck_assert_uint_lt(
		outer.frame > inner.frame ? outer.frame - inner.frame : inner.frame - outer.frame,
		256 * 1024);
}
END_TEST

/* A debugger, a profiler and an unwinder find their way through to main(). */
START_TEST(stack_can_be_walked)
{
	struct visit visit = { 0 };
	void *frame[FRAMES];
	int here = backtrace(frame, FRAMES);

	deep_run(look, &visit);
	ck_assert_int_gt(visit.frames, here);
}
END_TEST

/* Where a thread of the program has hardly any. */
START_TEST(thread_may_have_little_stack)
{
	pthread_attr_t attr;
	pthread_t thread;
	unsigned done = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	ck_assert_int_eq(pthread_create(&thread, &attr, go_deep_in_thread, &done), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	ck_assert_uint_eq(done, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deep");
	TCase *tcase = tcase_create("deep");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, mask_is_as_it_was);
	tcase_add_test(tcase, nested_runs_share_the_stack);
	tcase_add_test(tcase, stack_can_be_walked);
	tcase_add_test(tcase, thread_may_have_little_stack);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
