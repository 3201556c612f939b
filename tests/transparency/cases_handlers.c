/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signal handlers that use the connection, and those that never return. */
#include "signals.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define STORM_US 150

static volatile int handler_fd = -1;
static volatile ssize_t handler_result;
static volatile int handler_errno;
static sigjmp_buf out;

/* 96 */

static void write_here(int number)
{
	int saved = errno;

	(void)number;
	handler_result = write(handler_fd, outgoing(20), 20);
	handler_errno = errno;
	handled++;
	errno = saved;
}

static void handler_writes(void)
{
	int fd = handler_fd = connected();
	char buf[100];

	handle(RESTARTS, write_here, SA_RESTART);
	signal_when_asleep(RESTARTS);
	tell_peer_later("recv 20");
	tell_peer_later("send 30");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	say("the handler's write: %zd", handler_result);
	peer_has_done(1);
	say("%s", await_peer());
	peer_has_done(1);
	say_result("write", write(fd, outgoing(11), 11));
	tell_peer("recv 11");
}

static void read_here(int number)
{
	char buf[10];

	(void)number;
	handler_result = recv(handler_fd, buf, sizeof(buf), MSG_DONTWAIT);
	handler_errno = errno;
	handled++;
}

/* Nothing is there; and what the handler takes is not the interrupted read's. */
static void handler_reads(void)
{
	int fd = handler_fd = connected();
	char buf[100];

	handle(INTERRUPTS, read_here, 0);
	signal_when_asleep(INTERRUPTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	say("the handler's read: %zd %s", handler_result, strerrorname_np(handler_errno));
	tell_peer("send 30");
	raise(INTERRUPTS);
	say("the handler's read: %zd", handler_result);
	say("%zd", read(fd, buf, sizeof(buf)));
}

static void close_here(int number)
{
	(void)number;
	handler_result = close(handler_fd);
	handled++;
}

static void handler_closes(void)
{
	int fd = handler_fd = connected();
	char buf[100];

	handle(RESTARTS, close_here, SA_RESTART);
	signal_when_asleep(RESTARTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	say("the handler's close: %zd", handler_result);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void handler_shuts_down(int number)
{
	(void)number;
	handler_result = shutdown(handler_fd, SHUT_RDWR);
}

static void handler_ends_read(void)
{
	int fd = handler_fd = connected();
	char buf[100];

	handle(RESTARTS, handler_shuts_down, SA_RESTART);
	signal_when_asleep(RESTARTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	say("the handler's shutdown: %zd", handler_result);
	tell_peer("until_end");
}

/* Many writes and reads, and in between, at any point of them, a handler that writes too. What it
 * sends is its own kind of byte, since where in the stream it comes is chance. */

static volatile sig_atomic_t storm_left, storm_done;

static void storm_write(int number)
{
	static const char mark[1] = { 'H' };
	int saved = errno;

	(void)number;
	if (storm_left > 0) {
		storm_left--;
		if (write(handler_fd, mark, 1) == 1)
			storm_done++;
		else
			handler_errno = errno;
	}
	errno = saved;
}

static void storm(bool on)
{
	struct itimerval every = { { 0, on ? STORM_US : 0 }, { 0, on ? STORM_US : 0 } };

	NEED(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void storm_of_writes(void)
{
	enum { ROUNDS = 400, LEN = 500 };
	int fd = handler_fd = connected();
	char buf[LEN];
	size_t mine = 0;

	alarm(0);
	tell_peer_later("blocks 1");
	storm_left = 300;
	handle(SIGALRM, storm_write, SA_RESTART);
	storm(true);
	memset(buf, 'm', sizeof(buf));
	for (int i = 0; i < ROUNDS; i++) {
		size_t done = 0;

		while (done < LEN) {
			ssize_t n = write(fd, buf + done, LEN - done);

			NEED(n > 0);
			done += (size_t)n;
		}
		mine += done;
	}
	while (storm_left > 0)
		pause();
	storm(false);
	say("written: %zu, by the handler %d, %s", mine, (int)storm_done,
		strerrorname_np(handler_errno));
	NEED(shutdown(fd, SHUT_WR) == 0);
	say("%s", await_peer());
}

/* 97 */

static void leave(int number)
{
	siglongjmp(out, number);
}

static void jump_out_of_read(void)
{
	int fd = connected();
	char buf[100];

	handle_both(leave);
	for (int i = 0; i < 3; i++) {
		if (sigsetjmp(out, 1) == 0) {
			signal_when_asleep(i == 1 ? RESTARTS : INTERRUPTS);
			say_received("read", buf, read(fd, buf, sizeof(buf)));
		} else {
			say("out");
			peer_has_done(1);
		}
	}
	tell_peer("send 10");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void jump_out_of_handshake(void)
{
	int fd;
	char buf[100];

	ask_peer("mute on");
	fd = connected_unused();
	handle_both(leave);
	if (sigsetjmp(out, 1) == 0) {
		signal_when_asleep(INTERRUPTS);
		say_received("read", buf, read(fd, buf, sizeof(buf)));
	} else {
		say("out");
		peer_has_done(1);
	}
	ask_peer("mute off");
	tell_peer_later("send 10");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
}

static void jump_out_of_waits(void)
{
	int fd = connected(), set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char buf[100];

	handle_both(leave);
	NEED(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	if (sigsetjmp(out, 1) == 0) {
		signal_when_asleep(INTERRUPTS);
		say_result("poll", poll(&pfd, 1, -1));
	} else {
		peer_has_done(1);
	}
	if (sigsetjmp(out, 1) == 0) {
		signal_when_asleep(RESTARTS);
		say_result("epoll_wait", epoll_wait(set, &event, 1, -1));
	} else {
		peer_has_done(1);
	}
	tell_peer("send 10");
	say_result("poll", poll(&pfd, 1, -1));
	say_result("epoll_wait", epoll_wait(set, &event, 1, -1));
	say_received("read", buf, recv(fd, buf, sizeof(buf), 0));
}

static void jump_out_of_write(void)
{
	int fd = connected();
	size_t done = fill(fd);
	volatile size_t more = 0;
	char buf[10];

	handle_both(leave);
	if (sigsetjmp(out, 1) == 0) {
		signal_when_asleep(RESTARTS);
		say_result("write of nothing", write(fd, "", 0));
		/* The kernel may find room for some more. */
		for (;;) {
			NEED(write(fd, outgoing(1), 1) == 1);
			more++;
		}
	} else {
		say("out");
		not_sent(1);
		peer_has_done(1);
	}
	NEED(strstr(ask_peer("recv %zu", done + more), "then") == NULL);
	/* Whether the last byte went, who leaves in the middle cannot know. */
	say_result("write", write(fd, outgoing(1000), 1000));
	tell_peer("send 10");
	say_received("read", buf, recv(fd, buf, sizeof(buf), MSG_WAITALL));
	say_result("close", close(fd));
}

/* Out of whatever a read is in the middle of, again and again. */
static void storm_of_jumps(void)
{
	enum { JUMPS = 300 };
	volatile int jumps = 0;
	int fd = connected();
	char buf[100];

	handle(SIGALRM, leave, SA_RESTART);
	if (sigsetjmp(out, 1) != 0)
		jumps++;
	if (jumps < JUMPS) {
		struct itimerval once = { .it_value = { 0, 20 + jumps * 3 } };

		NEED(setitimer(ITIMER_REAL, &once, NULL) == 0);
		for (;;)
			(void)!recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	}
	say("%d jumps", jumps);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	say_result("close", close(fd));
	tell_peer("until_end");
}

/* 101 */

static void io_on_other_stack(int number)
{
	int fd = connected();

	(void)number;
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("close", close(fd));
}

static void alternate_stack(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	NEED(stack.ss_sp != NULL && sigaltstack(&stack, NULL) == 0);
	handle(INTERRUPTS, io_on_other_stack, SA_ONSTACK);
	raise(INTERRUPTS);
}

const struct test_case cases[] = {
	CASE(96, handler_writes, ANY_ROLE | BLOCKING),
	CASE(96, handler_reads, ANY_ROLE | BLOCKING),
	CASE(96, handler_closes, ANY_ROLE | BLOCKING),
	CASE(96, handler_ends_read, ANY_ROLE | BLOCKING),
	CASE(96, storm_of_writes, ANY_ROLE | BLOCKING),
	CASE(97, jump_out_of_read, ANY_ROLE | BLOCKING),
	CASE(97, jump_out_of_handshake, SERVER | BLOCKING),
	CASE(97, jump_out_of_waits, ANY_ROLE | BLOCKING),
	CASE(97, jump_out_of_write, ANY_ROLE | BLOCKING),
	CASE(97, storm_of_jumps, EVERYWHERE),
	CASE(101, alternate_stack, EVERYWHERE),
	END_OF_CASES,
};
