/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several epoll sets, sets in sets, copies of descriptors in them, and waits on them. */
#include "epoll_set.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- Several sets, sets in sets, copies */

static void two_sets(void)
{
	int fd = begun(), one = new_set(), two = new_set();

	NEED(control(one, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT) == 0);
	NEED(control(two, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	say_events("one", wait_one(one, fd, -1));
	say_now("two", two, fd);
	ask_peer("ready");
	tell_peer("send 10");
	say_events("two", wait_one(two, fd, -1));
	say_now("one", one, fd);
	say_result("del", control(one, EPOLL_CTL_DEL, fd, 0));
	say_now("one", one, fd);
	say_now("two", two, fd);
	receive_all(fd, 10, 10);
	say_now("two", two, fd);
}

static void set_in_a_set(void)
{
	int fd = connected(), inner = new_set(), outer = new_set();

	NEED(control(inner, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	NEED(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN) == 0);
	tell_peer_later("send 10");
	say_events("outer", wait_one(outer, inner, -1));
	hear_peer();
	say_now("inner", inner, fd);
	receive_all(fd, 10, 10);
	say_now("inner", inner, fd);
	say_now("outer", outer, inner);
}

/* Also while the connection is on its way. */
static void set_in_a_set_early(void)
{
	int fd = begun(), inner = new_set(), outer = new_set();
	unsigned got;

	NEED(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN) == 0);
	NEED(control(inner, EPOLL_CTL_ADD, fd, EPOLLOUT) == 0);
	do
		wait_one(outer, inner, -1);
	while ((got = wait_one(inner, fd, 0)) == 0);
	say_events("inner", got);
	ask_peer("ready");
	say_result("mod", control(inner, EPOLL_CTL_MOD, fd, EPOLLIN));
	tell_peer_later("send 10");
	say_events("outer", wait_one(outer, inner, -1));
	hear_peer();
	say_now("inner", inner, fd);
}

static void set_polled(void)
{
	int fd = connected(), set = new_set();
	fd_set in;

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	tell_peer_later("send 10");
	say_events("poll", (unsigned)await(set, POLLIN));
	hear_peer();
	say_now("data", set, fd);
	FD_ZERO(&in);
	FD_SET(set, &in);
	say_result("select", select(set + 1, &in, NULL, NULL, NULL));
	receive_all(fd, 10, 10);
	say_result("poll", poll(&(struct pollfd){ .fd = set, .events = POLLIN }, 1, 0));
}

/* The set is polled while the connection is on its way. */
static void set_polled_early(void)
{
	int fd = begun(), set = new_set();
	unsigned got;

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT) == 0);
	do
		await(set, POLLIN);
	while ((got = wait_one(set, fd, 0)) == 0);
	say_events("writable", got);
	say_result("write", write(fd, outgoing(5), 5));
	tell_peer("recv 5");
}

/* epoll(7), question 6: the entry lives as long as the file, not the number. */
static void copy_outlives(void)
{
	int fd = connected(), set = new_set(), copy;

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	copy = dup(fd);
	say_result("close", close(fd));
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
	receive_all(copy, 10, 10);
	say_now("drained", set, fd);
	say_result("del", control(set, EPOLL_CTL_DEL, fd, 0));
	say_result("add", control(set, EPOLL_CTL_ADD, copy, EPOLLIN));
	tell_peer("send 10");
	NEED(epoll_wait(set, (struct epoll_event[4]){ { 0 } }, 4, -1) == 2);
	receive_all(copy, 10, 10);
	say_result("close", close(copy));
	say_now("closed", set, fd);
	tell_peer("until_end");
}

static void copy_outlives_early(void)
{
	int fd = begun(), set = new_set(), copy;

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	copy = dup(fd);
	say_result("close", close(fd));
	ask_peer("ready");
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
	receive_all(copy, 10, 10);
	say_now("drained", set, fd);
}

static void copies_in_a_set(void)
{
	int fd = connected(), set = new_set(), copy = dup(fd);
	struct epoll_event events[4];

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	say_result("add", control(set, EPOLL_CTL_ADD, copy, EPOLLIN | EPOLLOUT));
	tell_peer("send 10");
	await(fd, POLLIN);
	say_result("wait", epoll_wait(set, events, 4, -1));
	say_result("del", control(set, EPOLL_CTL_DEL, fd, 0));
	say_result("wait", epoll_wait(set, events, 4, -1));
	say_events("copy", events[0].events);
	say("its data: %d", events[0].data.u64 == MARK + (unsigned)copy);
	say_result("close", close(fd));
	say_result("wait", epoll_wait(set, events, 4, -1));
}

static void closed_in_a_set(void)
{
	int fd = connected(), set = new_set();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT) == 0);
	say_result("close", close(fd));
	say_now("closed", set, fd);
	tell_peer("until_end");
	forget_peer_bytes();
	fd = connected();
	say_now("another", set, fd);
	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLOUT));
	say_now("another", set, fd);
}

static void closed_early(void)
{
	int fd = begun(), set = new_set();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	say_result("close", close(fd));
	say_now("closed", set, fd);
	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLIN));
	fd = connected();
	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLOUT));
	say_now("another", set, fd);
}

/* --- Masks, times, numbers of system calls */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void masks(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct epoll_event events[2];
	sigset_t blocked, none;
	int fd = begun(), set = new_set();

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	for (int i = 0; i < 2; i++) {
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		raise(SIGUSR1);
		say_result("epoll_wait", epoll_wait(set, events, 2, 3));
		say_result("epoll_pwait", epoll_pwait(set, events, 2, -1, &none));
		raise(SIGUSR1);
		say_result("epoll_pwait2", epoll_pwait2(set, events, 2, NULL, &none));
		sigprocmask(SIG_UNBLOCK, &blocked, NULL);
		tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		say_result("epoll_wait", epoll_wait(set, events, 2, -1));
		await_peer();
		say("signals: %d", (int)signals);
		ask_peer("ready");
	}
}

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void times(void)
{
	const struct timespec time = { 0, 12345678 }, wrong = { 0, 1000000000 };
	struct epoll_event events[2];
	int fd = connected(), set = new_set();
	long long start = now_us();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	ask_peer("ticket");
	say_result("epoll_wait", epoll_wait(set, events, 2, 20));
	say("%s", now_us() - start >= 20000 ? "not early" : "early");
	start = now_us();
	ask_peer("ticket");
	say_result("epoll_pwait2", epoll_pwait2(set, events, 2, &time, NULL));
	say("%s", now_us() - start >= 12345 ? "not early" : "early");
	say_result("epoll_pwait2", epoll_pwait2(set, events, 2, &wrong, NULL));
	tell_peer("send 5");
	say_result("epoll_pwait2", epoll_pwait2(set, events, 2, NULL, NULL));
	say_result("by number", syscall(SYS_epoll_pwait, set, events, 2, -1, NULL, 8));
}

/* A child uses the set that it has inherited. */
static void inherited(void)
{
	int fd = connected(), set = new_set(), status;
	pid_t child;

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	child = fork();
	NEED(child >= 0);
	if (child == 0) {
		tell_peer("send 10");
		say_events("child", wait_one(set, fd, -1));
		receive_all(fd, 10, 10);
		say_now("child", set, fd);
		_exit(0);
	}
	NEED(waitpid(child, &status, 0) == child && status == 0);
	say_now("parent", set, fd);
	tell_peer("send 10");
	say_events("parent", wait_one(set, fd, -1));
}

const struct test_case cases[] = {
	CASE(41, inherited, EVERYWHERE),
	CASE(46, two_sets, EVERYWHERE),
	CASE(46, set_in_a_set, EVERYWHERE),
	CASE(46, set_in_a_set_early, EVERYWHERE),
	CASE(46, set_polled, EVERYWHERE),
	CASE(46, set_polled_early, EVERYWHERE),
	CASE(47, copy_outlives, EVERYWHERE),
	CASE(47, copy_outlives_early, EVERYWHERE),
	CASE(47, copies_in_a_set, EVERYWHERE),
	CASE(47, closed_in_a_set, EVERYWHERE),
	CASE(47, closed_early, EVERYWHERE),
	CASE(79, masks, EVERYWHERE),
	CASE(80, times, EVERYWHERE),
	END_OF_CASES,
};
