/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fork, signals, and what a process does to itself while it has connections. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char room[200000];

static void joined(pid_t child)
{
	int status;

	NEED(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		say("the child ended with %x", (unsigned)status);
}

/* --- fork */

static void goes_on_without(pid_t child, int fd)
{
	joined(child);
	tell_peer("send 100");
	receive_all(fd, 100, 100);
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(50), 50));
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void child_uses_it(void)
{
	int fd = connected();
	pid_t child = fork();

	if (child == 0) {
		tell_peer_later("send 100");
		receive_all(fd, 100, 100);
		hear_peer();
		ready_for(fd, POLLOUT);
		say_result("write", write(fd, outgoing(50), 50));
		tell_peer("recv 50");
		_exit(0);
	}
	close(fd);
	joined(child);
	tell_peer("until_end");
}

static void parent_closes_last(void)
{
	int fd = connected();
	pid_t child = fork();

	if (child == 0) {
		say_result("child close", close(fd));
		exit(0);
	}
	goes_on_without(child, fd);
}

/* The child ends by _exit, exit or a signal without having touched it. */
static void child_ends(void)
{
	int fd = connected();

	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0) {
			if (i == 0)
				_exit(0);
			if (i == 1)
				exit(0);
			raise(SIGKILL);
		}
		NEED(waitpid(child, NULL, 0) == child);
		tell_peer("send 10");
		receive_all(fd, 10, 10);
		ready_for(fd, POLLOUT);
		say_result("write", write(fd, outgoing(10), 10));
		tell_peer("recv 10");
	}
}

/* In turn, both write and both read; each call is a whole. */
static void in_turn(void)
{
	int fd = connected(), to_child[2], to_parent[2];
	char token = 'x';
	pid_t child;

	NEED(pipe(to_child) == 0 && pipe(to_parent) == 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 5; i++) {
			NEED(read(to_child[0], &token, 1) == 1);
			outgoing(1000);
			receive_all(fd, 1000, 300);
			NEED(write(fd, outgoing(700), 700) == 700);
			NEED(write(to_parent[1], &token, 1) == 1);
		}
		_exit(0);
	}
	for (int i = 0; i < 5; i++) {
		ask_peer("send 1000");
		NEED(write(fd, outgoing(1000), 1000) == 1000);
		NEED(write(to_child[1], &token, 1) == 1);
		NEED(read(to_parent[0], &token, 1) == 1);
		outgoing(700);
		tell_peer("recv 1700");
	}
	joined(child);
}

/* Both write at once: nothing is lost or torn, each write's bytes stay together. */
static void both_write(void)
{
	enum { PART = 5000, PARTS = 40 };
	int fd = connected();
	pid_t child = fork();
	char *part = child == 0 ? memset(room, 'c', PART) : memset(room, 'p', PART);

	if (child == 0) {
		for (int i = 0; i < PARTS; i++)
			NEED(write(fd, part, PART) == PART);
		_exit(0);
	}
	tell_peer_now("runs %d", 2 * PARTS * PART);
	for (int i = 0; i < PARTS; i++)
		NEED(write(fd, part, PART) == PART);
	say("%s", await_peer());
	joined(child);
}

/* One reads, the other writes. */
static void one_each(void)
{
	int fd = connected();
	pid_t child = fork();

	if (child == 0) {
		NEED(send_all(fd, 1000000));
		_exit(0);
	}
	tell_peer_now("both 1000000 1000000");
	receive_all(fd, 1000000, 50000);
	await_peer();
	joined(child);
	outgoing(1000000);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* Forked on the way, before the handshake. */
static void before_handshake(void)
{
	int fd = connected_unused();
	pid_t child = fork();

	if (child == 0) {
		tell_peer_later("send 100");
		receive_all(fd, 100, 100);
		hear_peer();
		_exit(0);
	}
	say_result("close", close(fd));
	joined(child);
	tell_peer("until_end");
}

/* The parent goes on with it; the child only closes. */
static void before_handshake_parent(void)
{
	int fd = connected_unused();
	pid_t child = fork();

	if (child == 0) {
		close(fd);
		_exit(0);
	}
	goes_on_without(child, fd);
}

/* A child of a child; those in between are gone. */
static void grandchild(void)
{
	int fd = connected(), done[2];
	char byte;
	pid_t child;

	NEED(pipe(done) == 0);
	child = fork();
	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		tell_peer("send 100");
		receive_all(fd, 100, 100);
		say_result("write", write(fd, outgoing(20), 20));
		say_result("close", close(fd));
		tell_peer("until_end");
		_exit(0);
	}
	close(done[1]);
	close(fd);
	joined(child);
	NEED(read(done[0], &byte, 1) == 0);
}

/* daemon(): the listener and what it accepted live on. */
static void becomes_a_daemon(void)
{
	int listener = listening_socket(NULL), fd, done[2];
	char byte;
	pid_t child;

	peer_connects(listener);
	fd = accept(listener, NULL, NULL);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	NEED(pipe(done) == 0);
	child = fork();
	if (child == 0) {
		close(done[0]);
		NEED(daemon(1, 1) == 0);
		tell_peer("send 10");
		receive_all(fd, 10, 10);
		say_result("write", write(fd, outgoing(20), 20));
		tell_peer("recv 20");
		close(fd);
		tell_peer("until_end");
		forget_peer_bytes();
		peer_connects(listener);
		fd = accept(listener, NULL, NULL);
		tell_peer("send 30");
		receive_all(fd, 30, 30);
		_exit(0);
	}
	close(done[1]);
	close(fd);
	close(listener);
	joined(child);
	NEED(read(done[0], &byte, 1) == 0);
}

/* --- Signals */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void handle(int flags)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
}

static void read_interrupted(void)
{
	int fd = connected();

	handle(0);
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	say_result("read", read(fd, room, 10));
	await_peer();
	say("signals %d", (int)signals);
	tell_peer("send 10");
	say_received("read", room, read(fd, room, 100));
	tell_peer("send 10");
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	say_received("recv", room, recv(fd, room, 100, MSG_WAITALL));
	await_peer();
	tell_peer("partial 100");
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	say_result("read", read(fd, room, 100));
	await_peer();
	tell_peer("rest");
	say_received("read", room, read(fd, room, 100));
}

static void read_restarted(void)
{
	int fd = connected();

	handle(SA_RESTART);
	for (int i = 0; i < 2; i++) {
		/* The signal, and the data once it sleeps again. */
		tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		tell_peer_later("send 10");
		say_received("read", room, read(fd, room, 100));
		await_peer();
		await_peer();
	}
	say("signals %d", (int)signals);
}

static void write_interrupted(void)
{
	int fd = connected();
	size_t total = 0, len = 0;
	ssize_t n;

	handle(0);
	do {
		len = sizeof(room);
		if (total == 0)
			tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		n = write(fd, outgoing(len), len);
		not_sent(n < 0 ? len : len - (size_t)n);
		total += n > 0 ? (size_t)n : 0;
	} while (n == (ssize_t)len);
	/* In the middle of a write or at its beginning; then the count, or EINTR. */
	say("%s", n >= 0 || errno == EINTR ? "interrupted" : strerrorname_np(errno));
	await_peer();
	tell_peer_now("recv %zu", total + 100000);
	NEED(send_all(fd, 100000));
	NEED(shutdown(fd, SHUT_WR) == 0);
	say("whole: %d", (size_t)atol(await_peer()) == total + 100000);
}

/* With a timer that goes off all the time, everything still comes through. */
static void under_a_timer(void)
{
	const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int fd;

	sigaction(SIGALRM, &action, NULL);
	alarm(0);
	fd = connected();
	setitimer(ITIMER_REAL, &often, NULL);
	tell_peer_now("both 1000000 1000000");
	for (size_t sent = 0, received = 0; sent < 1000000 || received < 1000000;) {
		ssize_t n;

		if (sent < 1000000) {
			NEED(send_all(fd, 50000));
			sent += 50000;
		}
		n = recv(fd, room, 50000, 0);
		NEED(n > 0 || (n < 0 && errno == EAGAIN));
		received += n > 0 ? (size_t)n : 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	say("all of it");
	await_peer();
	say("signals: %d", signals > 0);
}

/* SIGSTOP and SIGCONT are no errors. */
static void stopped(void)
{
	int fd = connected(), status;
	pid_t child = fork();

	if (child == 0) {
		receive_all(fd, 200, 200);
		_exit(0);
	}
	ask_peer("send 100");
	NEED(kill(child, SIGSTOP) == 0);
	NEED(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	ask_peer("send 100");
	NEED(kill(child, SIGCONT) == 0);
	joined(child);
}

/* --- What a process gives up */

static void other_user(void)
{
	int listener = listening_socket(NULL), fd;

	say_result("setgid", setgid(65534));
	say_result("setuid", setuid(65534));
	for (int i = 0; i < 2; i++) {
		peer_connects(listener);
		fd = accept(listener, NULL, NULL);
		tell_peer("send 10");
		receive_all(fd, 10, 10);
		close(fd);
		forget_peer_bytes();
	}
	fd = connected();
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static void other_root(void)
{
	char path[] = "/tmp/seamtls-case-XXXXXX";
	int listener = listening_socket(NULL), fd;

	NEED(mkdtemp(path) != NULL);
	say_result("chroot", chroot(path));
	say_result("chdir", chdir("/"));
	peer_connects(listener);
	fd = accept(listener, NULL, NULL);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	close(fd);
	forget_peer_bytes();
	fd = connected();
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* No memory for another page: a call fails or works, and nothing goes wrong. */
static void no_memory(void)
{
	struct rlimit limit, none;
	int fd = connected();

	tell_peer("send 10");
	receive_all(fd, 10, 10);
	outgoing(1000);
	not_sent(1000);
	NEED(getrlimit(RLIMIT_AS, &limit) == 0);
	none = limit;
	none.rlim_cur = 4096;
	NEED(setrlimit(RLIMIT_AS, &none) == 0);
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(1000), 1000));
	tell_peer("recv 1000");
	tell_peer("send 50000");
	for (size_t done = 0; done < 50000;) {
		ssize_t n;

		ready_for(fd, POLLIN);
		n = read(fd, room, sizeof(room));
		NEED(n > 0 || (n < 0 && errno == EAGAIN));
		NEED(n < 0 || pattern_match((uint8_t *)room, (size_t)n, 10 + done) == (size_t)n);
		done += n > 0 ? (size_t)n : 0;
	}
	NEED(setrlimit(RLIMIT_AS, &limit) == 0);
	say("went on");
}

const struct test_case cases[] = {
	CASE(28, read_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, read_restarted, ANY_ROLE | BLOCKING),
	CASE(28, write_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, under_a_timer, ANY_ROLE | BLOCKING),
	CASE(29, child_uses_it, EVERYWHERE),
	CASE(29, parent_closes_last, EVERYWHERE),
	CASE(29, child_ends, EVERYWHERE),
	CASE(29, grandchild, EVERYWHERE),
	CASE(30, in_turn, EVERYWHERE),
	CASE(30, both_write, ANY_ROLE | BLOCKING),
	CASE(31, one_each, EVERYWHERE),
	CASE(32, before_handshake, EVERYWHERE),
	CASE(32, before_handshake_parent, EVERYWHERE),
	CASE(74, becomes_a_daemon, SERVER | BLOCKING),
	CASE(102, other_user, SERVER | BLOCKING),
	CASE(103, other_root, SERVER | BLOCKING),
	CASE(107, no_memory, EVERYWHERE),
	CASE(139, stopped, ANY_ROLE | BLOCKING),
	END_OF_CASES,
};
