/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signals: what they end and what goes on, handlers that use the connection, and those that never
 * return. */
#include "harness.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define RESTARTS SIGUSR1
#define INTERRUPTS SIGUSR2
#define BIG (8 << 20)
#define STORM_US 150

static volatile sig_atomic_t handled;
static volatile int handler_fd = -1;
static volatile ssize_t handler_result;
static volatile int handler_errno;
static sigjmp_buf out;

static void note(int number)
{
	(void)number;
	handled++;
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	NEED(sigaction(number, &action, NULL) == 0);
}

/* With handlers of both kinds, as most programs have. */
static void handle_both(void (*handler)(int))
{
	handle(RESTARTS, handler, SA_RESTART);
	handle(INTERRUPTS, handler, 0);
}

static void signal_when_asleep(int number)
{
	tell_peer_later("signal %d %d", number, (int)getpid());
}

/* As many commands were given for later. */
static void peer_has_done(int commands)
{
	while (commands-- > 0)
		NEED(strcmp(await_peer(), "ok") == 0);
}

static const char *name_of(int number)
{
	return number == RESTARTS ? "restarts" : "interrupts";
}

/* 28 */

static void read_interrupted(void)
{
	int fd = connected();
	char buf[100];

	handle_both(note);
	signal_when_asleep(INTERRUPTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	tell_peer("send 10");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	say("handled %d", (int)handled);
}

/* The first signal has it restarted, the second ends it. */
static void read_restarted(void)
{
	int fd = connected();
	char buf[100];

	handle_both(note);
	signal_when_asleep(RESTARTS);
	signal_when_asleep(INTERRUPTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(2);
	say("handled %d", (int)handled);
}

static void read_restarted_to_data(void)
{
	int fd = connected();
	char buf[100];

	handle(RESTARTS, note, SA_RESTART);
	signal_when_asleep(RESTARTS);
	tell_peer_later("send 10");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(2);
	say("handled %d", (int)handled);
}

static void waitall_interrupted(void)
{
	static const int numbers[] = { RESTARTS, INTERRUPTS };
	int fd = connected();
	char buf[100];

	handle_both(note);
	for (int i = 0; i < 2; i++) {
		tell_peer("send 30");
		signal_when_asleep(numbers[i]);
		say_received(name_of(numbers[i]), buf, recv(fd, buf, sizeof(buf), MSG_WAITALL));
		peer_has_done(1);
	}
	say("handled %d", (int)handled);
}

static void timed_read_interrupted(void)
{
	static const int numbers[] = { RESTARTS, INTERRUPTS };
	struct timeval timeout = { .tv_sec = 20 };
	int fd = connected();
	char buf[100];

	handle_both(note);
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
	for (int i = 0; i < 2; i++) {
		signal_when_asleep(numbers[i]);
		say_received(name_of(numbers[i]), buf, read(fd, buf, sizeof(buf)));
		peer_has_done(1);
	}
	tell_peer("send 7");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
}

/* In the middle of a record: nothing is handed out yet. */
static void read_interrupted_in_record(void)
{
	int fd = connected();
	char buf[1000];
	ssize_t n;

	handle_both(note);
	ask_peer("partial 500 7");
	signal_when_asleep(INTERRUPTS);
	n = read(fd, buf, sizeof(buf));
	/* Over plain TCP the part is there to read. */
	if (n < 0)
		NEED(errno == EINTR);
	peer_has_done(1);
	tell_peer("rest");
	while (n < 500) {
		ssize_t more =
			read(fd, buf + (n > 0 ? n : 0), sizeof(buf) - (size_t)(n > 0 ? n : 0));

		NEED(more > 0);
		n = (n > 0 ? n : 0) + more;
	}
	say_received("in all", buf, n);
}

/* The server's handshake is in its first read. */
static void unused_read_interrupted(void)
{
	int fd;
	char buf[100];

	ask_peer("mute on");
	fd = connected_unused();
	handle_both(note);
	signal_when_asleep(INTERRUPTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	ask_peer("mute off");
	tell_peer_later("send 10");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	say("handled %d", (int)handled);
}

static void unused_read_restarted(void)
{
	int fd;
	char buf[100];

	ask_peer("mute on");
	fd = connected_unused();
	handle_both(note);
	signal_when_asleep(RESTARTS);
	signal_when_asleep(INTERRUPTS);
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(2);
	say("handled %d", (int)handled);
	ask_peer("mute off");
	tell_peer_later("send 10");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
}

static size_t fill_once(int fd)
{
	size_t done = 0;
	ssize_t n;

	while ((n = send(fd, outgoing(65536), 65536, MSG_DONTWAIT)) == 65536)
		done += 65536;
	not_sent(n > 0 ? 65536 - (size_t)n : 65536);
	return done + (n > 0 ? (size_t)n : 0);
}

/* Until there is no room any more, although the kernel makes some when it feels like it. */
static size_t fill(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	size_t done = 0;

	do
		done += fill_once(fd);
	while (poll(&pfd, 1, 300) == 1);
	return done;
}

/* Nothing is taken yet: EINTR, or on. */
static void write_interrupted(void)
{
	int fd = connected();
	size_t done = fill(fd);
	char command[40];
	ssize_t n;

	handle_both(note);
	signal_when_asleep(INTERRUPTS);
	n = write(fd, outgoing(100000), 100000);
	/* The kernel may have found room for some more. */
	NEED(n > 0 || errno == EINTR);
	not_sent(n > 0 ? 100000 - (size_t)n : 100000);
	done += n > 0 ? (size_t)n : 0;
	peer_has_done(1);
	snprintf(command, sizeof(command), "recv %zu", done);
	NEED(strstr(ask_peer("%s", command), "then") == NULL);
	say_result("write", write(fd, outgoing(1000), 1000));
	tell_peer("recv 1000");
	say("handled %d", (int)handled);
}

/* Some is taken: the count, whatever the handler. */
static void long_write_ended(void)
{
	static const int numbers[] = { RESTARTS, INTERRUPTS };
	int fd = connected();

	handle_both(note);
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		signal_when_asleep(numbers[i]);
		n = write(fd, outgoing(BIG), BIG);
		say("%s: %s", name_of(numbers[i]), n <= 0 ? "none" : n == BIG ? "all" : "some");
		NEED(n > 0);
		not_sent(BIG - (size_t)n);
		peer_has_done(1);
		NEED(strstr(ask_peer("recv %zd", n), "then") == NULL);
	}
	say("handled %d", (int)handled);
}

static void connect_interrupted(void)
{
	/* A full queue of connections: the SYN is not answered. */
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	NEED(listener >= 0 && bind(listener, (struct sockaddr *)&at, len) == 0);
	NEED(listen(listener, 0) == 0 && getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	ask_peer("connect %d", ntohs(at.sin_port));
	fd = client_socket();
	handle_both(note);
	signal_when_asleep(INTERRUPTS);
	say_result("connect", connect(fd, (struct sockaddr *)&at, len));
	peer_has_done(1);
	signal_when_asleep(INTERRUPTS);
	say_result("connect again", connect(fd, (struct sockaddr *)&at, len));
	peer_has_done(1);
	say("handled %d", (int)handled);
	say_result("close", close(fd));
	/* Something has to be protected in every run. */
	close(listener);
	connected();
}

static void accept_interrupted(void)
{
	uint16_t port;
	int listener = listening_socket(&port), fd;
	char buf[10];

	handle_both(note);
	signal_when_asleep(INTERRUPTS);
	say_result("accept", accept(listener, NULL, NULL));
	peer_has_done(1);
	signal_when_asleep(RESTARTS);
	tell_peer_later("connect %d", port);
	fd = accept(listener, NULL, NULL);
	NEED(fd >= 0);
	peer_has_done(2);
	tell_peer_later("send 5");
	say_received("read", buf, read(fd, buf, sizeof(buf)));
	peer_has_done(1);
	say("handled %d", (int)handled);
}

static void waits_interrupted(void)
{
	int fd = connected(), set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	fd_set in;

	handle_both(note);
	NEED(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	for (int number = 0; number < 2; number++) {
		int which = number == 0 ? RESTARTS : INTERRUPTS;

		signal_when_asleep(which);
		say_result("poll", poll(&pfd, 1, -1));
		peer_has_done(1);
		signal_when_asleep(which);
		say_result("epoll_wait", epoll_wait(set, &event, 1, -1));
		peer_has_done(1);
		FD_ZERO(&in);
		FD_SET(fd, &in);
		signal_when_asleep(which);
		say_result("select", select(fd + 1, &in, NULL, NULL, NULL));
		peer_has_done(1);
	}
	say("handled %d", (int)handled);
}

/* The mask is changed for the wait alone, and without a gap. */
static void masks_in_waits(void)
{
	int fd = connected(), set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	sigset_t none, one, now;

	handle_both(note);
	sigemptyset(&none);
	sigemptyset(&one);
	sigaddset(&one, INTERRUPTS);
	NEED(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
	NEED(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	raise(INTERRUPTS);
	say("handled %d", (int)handled);
	say_result("ppoll", ppoll(&pfd, 1, NULL, &none));
	raise(INTERRUPTS);
	say_result("epoll_pwait", epoll_pwait(set, &event, 1, -1, &none));
	say("handled %d", (int)handled);
	NEED(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	say("still blocked: %d, others: %d", sigismember(&now, INTERRUPTS),
		sigismember(&now, RESTARTS));
}

/* A call leaves the mask as it found it, blocked signals blocked. */
static void mask_is_kept(void)
{
	sigset_t one, now;
	int fd;

	handle_both(note);
	sigemptyset(&one);
	sigaddset(&one, RESTARTS);
	NEED(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
	raise(RESTARTS);
	fd = connected();
	tell_peer("send 5");
	receive_all(fd, 5, 5);
	say_result("write", write(fd, outgoing(5), 5));
	NEED(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	for (int number = 1; number < 32; number++)
		if (sigismember(&now, number) == 1)
			say("blocked: %d", number);
	say("handled %d", (int)handled);
	say_result("close", close(fd));
}

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
	CASE(28, read_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, read_restarted, ANY_ROLE | BLOCKING),
	CASE(28, read_restarted_to_data, ANY_ROLE | BLOCKING),
	CASE(28, waitall_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, timed_read_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, read_interrupted_in_record, ANY_ROLE | BLOCKING),
	CASE(28, unused_read_interrupted, SERVER | BLOCKING),
	CASE(28, unused_read_restarted, SERVER | BLOCKING),
	CASE(28, write_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, long_write_ended, ANY_ROLE | BLOCKING),
	CASE(28, connect_interrupted, CLIENT | BLOCKING),
	CASE(28, accept_interrupted, SERVER | BLOCKING),
	CASE(28, waits_interrupted, ANY_ROLE | BLOCKING),
	CASE(28, masks_in_waits, ANY_ROLE | BLOCKING),
	CASE(28, mask_is_kept, EVERYWHERE),
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
