/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many writers, and disks that are full. */
#include "audit_dir.h"
#include "guard.h"
#include "handlers.h"
#include "libc.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>

static void *write_hundred(void *first)
{
	for (uint64_t i = 0; i < 100; i++)
		ck_assert_int_eq(write_conn(*(uint64_t *)first + i), 0);
	return NULL;
}

static uint64_t process_first;

static void write_in_threads(void)
{
	pthread_t threads[4];
	uint64_t first[4];

	for (size_t i = 0; i < 4; i++) {
		first[i] = process_first + 100 * i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_hundred, &first[i]), 0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void open_again_and_write(void)
{
	close(own_descriptor());
	write_in_threads();
}

START_TEST(threads_and_children_share_a_file)
{
	pid_t child[6];

	open_writer();
	for (size_t i = 0; i < 6; i++) {
		process_first = 1 + 400 * i;
		child[i] = start(i % 2 == 0 ? write_in_threads : open_again_and_write);
	}
	process_first = 1 + 400 * 6;
	write_in_threads();
	for (size_t i = 0; i < 6; i++)
		finish(child[i]);
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen_once(1, 2800), 2800);
	ck_assert_uint_eq(damaged + lost_records, 0);
}
END_TEST

static void *open_and_write(void *conn)
{
	char why[256];

	ck_assert_int_eq(audit_writer_open(dir, why, sizeof why), 0);
	ck_assert_int_eq(write_conn(*(uint64_t *)conn), 0);
	return NULL;
}

START_TEST(threads_that_open_at_once_have_one_file)
{
	pthread_t threads[8];
	uint64_t conn[8];

	for (size_t i = 0; i < 8; i++) {
		conn[i] = i + 1;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_write, &conn[i]), 0);
	}
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen_once(1, 8), 8);
}
END_TEST

/* In the guard: the handler comes when the thread has left it. */
static int write_guarded(uint64_t conn)
{
	int r;

	guard_enter();
	r = write_conn(conn);
	guard_leave();
	return r;
}

static volatile sig_atomic_t interrupted;

static void on_alarm(int signal)
{
	(void)signal;
	if (interrupted < 500)
		write_guarded(10001 + (uint64_t)interrupted++);
}

START_TEST(a_signal_handler_may_write)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	const struct sigaction count = { .sa_handler = on_alarm },
			       ignore = { .sa_handler = SIG_IGN };
	uint64_t conn = 0;

	libc_init();
	handlers_own();
	open_writer();
	ck_assert_int_eq(handlers_set(SIGALRM, &count, NULL), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	while (conn < 9000 && interrupted < 200)
		ck_assert_int_eq(write_guarded(++conn), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_int_eq(handlers_set(SIGALRM, &ignore, NULL), 0);
	read_dir(dir);
	ck_assert_uint_gt((unsigned)interrupted, 0);
	ck_assert_uint_eq(seen_once(1, (unsigned)conn), conn);
	ck_assert_uint_eq(seen_once(10001, (unsigned)interrupted), (unsigned)interrupted);
	ck_assert_uint_eq(damaged, 0);
}
END_TEST

/* Writes until `count` failed in a row; how many went. */
static unsigned fill_up(unsigned count)
{
	unsigned written = 0;

	while (written < SEEN_MAX - 100 && write_conn(written + 1) == 0)
		written++;
	for (unsigned i = 1; i < count; i++)
		ck_assert_int_lt(write_conn(SEEN_MAX - 50), 0);
	return written;
}

static void limit_files(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* SIGXFSZ is not ignored: a guest must not get its host killed either. */
START_TEST(a_file_size_limit_loses_events_and_says_so)
{
	sigset_t pending;
	unsigned written;

	open_writer();
	limit_files(20000);
	written = fill_up(5);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(write_conn(SEEN_MAX - 1), 0);
	ck_assert_int_eq(audit_writer_flush(), 0);
	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert(!sigismember(&pending, SIGXFSZ));
	read_dir(dir);
	ck_assert_uint_gt(written, 10);
	ck_assert_uint_eq(seen_once(1, written), written);
	ck_assert_uint_eq(seen[SEEN_MAX - 50], 0);
	ck_assert_uint_eq(seen[SEEN_MAX - 1], 1);
	ck_assert_uint_eq(lost_records, 1);
	ck_assert_uint_eq(lost_events, 5);
	ck_assert_uint_eq(damaged, 0);
}
END_TEST

static void lose_two(void)
{
	ck_assert_int_lt(write_conn(1), 0);
	ck_assert_int_lt(write_conn(2), 0);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(audit_writer_flush(), 0);
	ck_assert_int_eq(audit_writer_flush(), 0);
}

START_TEST(parent_and_child_tell_their_own_losses)
{
	pid_t child;

	open_writer();
	limit_files(20000);
	fill_up(3);
	child = start(lose_two);
	finish(child);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(audit_writer_flush(), 0);
	read_dir(dir);
	ck_assert_uint_eq(lost_records, 2);
	ck_assert_uint_eq(lost_events, 3 + 2);
}
END_TEST

/* A real full disk: it tears records, too. */
START_TEST(a_full_disk_loses_events_and_says_so)
{
	char ballast[128];
	unsigned written;

	if (!is_root() || mkdir(dir, 0755) < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", dir, "tmpfs", 0, "size=64k") < 0)
		return;
	snprintf(ballast, sizeof ballast, "%s/ballast", dir);
	ck_assert_int_eq(command("head -c 20000 /dev/zero >", ballast), 0);
	open_writer();
	written = fill_up(7);
	ck_assert_int_eq(unlink(ballast), 0);
	ck_assert_int_eq(write_conn(SEEN_MAX - 1), 0);
	read_dir(dir);
	umount2(dir, MNT_DETACH);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen_once(1, written), written);
	ck_assert_uint_eq(seen[SEEN_MAX - 1], 1);
	ck_assert_uint_eq(lost_records, 1);
	ck_assert_uint_eq(lost_events, 7);
	ck_assert_uint_le(damaged, 1);
}
END_TEST

static void write_until_killed(void)
{
	for (uint64_t i = 1;; i++)
		write_conn(i < SEEN_MAX ? i : SEEN_MAX);
}

START_TEST(a_killed_writer_leaves_whole_records)
{
	pid_t child;
	int status;

	open_writer();
	child = start(write_until_killed);
	do {
		sched_yield();
		read_dir(dir);
	} while (seen[100 * (_i + 1)] == 0);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	read_dir(dir);
	ck_assert_uint_eq(damaged, 0);
	ck_assert_uint_ge(seen_once(1, SEEN_MAX - 1), 100 * (unsigned)(_i + 1));
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, threads_and_children_share_a_file);
	tcase_add_loop_test(tests, threads_that_open_at_once_have_one_file, 0, 5);
	tcase_add_test(tests, a_signal_handler_may_write);
	tcase_add_test(tests, a_file_size_limit_loses_events_and_says_so);
	tcase_add_test(tests, parent_and_child_tell_their_own_losses);
	tcase_add_test(tests, a_full_disk_loses_events_and_says_so);
	tcase_add_loop_test(tests, a_killed_writer_leaves_whole_records, 0, 4);
}

int main(void)
{
	return run_suite("audit_writer", add_tests);
}
