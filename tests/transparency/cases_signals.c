/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signals: what they end and what goes on. */
#include "signals.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>

#define BIG (8 << 20)

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
	END_OF_CASES,
};
