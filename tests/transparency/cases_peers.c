/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Peers that go about TLS in unusual ways: of all of it a program sees nothing. Plain, most of what
 * they are told to do means nothing, and the transcript is that of a usual peer.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char room[200000];

static void exchange(int fd, size_t len)
{
	tell_peer_later("send %zu", len);
	receive_all(fd, len, 10000);
	hear_peer();
	tell_peer_now("recv %zu", len);
	say("sent: %d", send_all(fd, len));
	say("%s", await_peer());
}

/* One TCP byte at a time, from the first of the handshake on. */
static void byte_by_byte(void)
{
	int fd;

	ask_peer("segment 1");
	fd = connected();
	exchange(fd, 3000);
	tell_peer("half_close");
	receive_to_end(fd);
	say_result("close", close(fd));
	tell_peer("until_end");
}

/* The same, each byte only when the program waits for it. */
static void byte_by_byte_awaited(void)
{
	int fd = connected();

	ask_peer("segment 1");
	ask_peer("pace %d", (int)gettid());
	tell_peer_now("send 40");
	receive_all(fd, 40, 100);
	say("%s", await_peer());
}

static void handshake_awaited(void)
{
	int fd;

	ask_peer("segment 200");
	ask_peer("pace %d", (int)gettid());
	fd = connected();
	ask_peer("pace 0");
	exchange(fd, 10);
}

static void odd_segments(void)
{
	static const int segments[] = { 3, 5, 21, 100, 1460, 16389 };

	for (size_t i = 0; i < sizeof(segments) / sizeof(*segments); i++) {
		int fd;

		ask_peer("segment %d", segments[i]);
		fd = connected();
		exchange(fd, 20000);
		close(fd);
		forget_peer_bytes();
	}
}

static void small_records(void)
{
	int fd = connected();

	ask_peer("record 512");
	exchange(fd, 100000);
	tell_peer("send 100000");
	receive_all(fd, 100000, 1);
}

static void padded_records(void)
{
	static const int lengths[] = { 1, 100, 5000, 15000 };
	int fd = connected();

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		ask_peer("padding %d", lengths[i]);
		tell_peer_later("send 3000");
		receive_all(fd, 3000, 700);
		hear_peer();
	}
	tell_peer("half_close");
	receive_to_end(fd);
}

/* Before, between and behind data. */
static void control_records(void)
{
	static const char *const commands[] = { "ticket", "key_update", "key_update request",
		"ticket" };
	int fd = connected();

	for (int i = 0; i < 12; i++) {
		ask_peer("%s", commands[i % 4]);
		tell_peer("send 100");
		ask_peer("%s", commands[(i + 1) % 4]);
		tell_peer("send 100");
		receive_all(fd, 200, i % 2 == 0 ? 1000 : 70);
		ready_for(fd, POLLOUT);
		say_result("write", write(fd, outgoing(100), 100));
		tell_peer("recv 100");
	}
	ask_peer("ticket");
	ask_peer("key_update request");
	tell_peer("half_close");
	receive_to_end(fd);
	say_result("close", close(fd));
	tell_peer("until_end");
}

/* A blocking read waits on behind them. */
static void control_awaited(void)
{
	static const char *const commands[] = { "ticket", "key_update", "key_update request" };
	int fd = connected();

	for (int i = 0; i < 6; i++) {
		ask_peer("%s", commands[i % 3]);
		say_result("recv", recv(fd, room, 10, MSG_DONTWAIT));
		say_result("peek", recv(fd, room, 10, MSG_DONTWAIT | MSG_PEEK));
		tell_peer_later("send 10");
		receive_all(fd, 10, 10);
		hear_peer();
	}
}

/* KeyUpdates while both sides send. */
static void key_updates_in_traffic(void)
{
	int fd = connected();

	for (int i = 0; i < 10; i++) {
		ask_peer("key_update request");
		tell_peer_now("both 50000 50000");
		say("sent: %d", send_all(fd, 50000));
		receive_all(fd, 50000, 9000);
		say("%s", await_peer());
	}
}

/* A flood of requests, to a program that does not read. */
static void key_update_flood(void)
{
	int fd = connected();

	for (int i = 0; i < 30; i++)
		ask_peer("key_update request");
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(100), 100));
	tell_peer("recv 100");
	tell_peer("send 100");
	receive_all(fd, 100, 100);
	say_result("write", write(fd, outgoing(100), 100));
	tell_peer("recv 100");
}

/* HelloRetryRequest: a group that is offered without a share, or asked for. */
static void hello_retry(void)
{
	static const char *const groups[] = { "P-384:P-256", "P-256", "X25519:P-256" };

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		int fd;

		ask_peer("groups %s", groups[i]);
		fd = connected();
		exchange(fd, 10);
		close(fd);
		forget_peer_bytes();
	}
}

/* Asked for in the middle of data: refused, and the data comes through. */
static void renegotiation(void)
{
	int fd = connected();

	tell_peer("send 100");
	ask_peer("renegotiate");
	receive_all(fd, 100, 100);
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(100), 100));
}

/* --- Idle connections cost nothing: the process sleeps. */

static long sleeps(void)
{
	struct rusage usage;

	NEED(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* Silent peers at every point, and a wait of a while. How often it woke is not to be many times. */
static void silence(void)
{
	int idle = connected(), fd, set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP };
	struct sockaddr_in at;
	long before;

	use_peer(1);
	ask_peer("mute");
	if (is_client) {
		at = peer_listens();
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EINPROGRESS);
		event.events = EPOLLIN;
	} else {
		fd = connected_unused();
	}
	use_peer(0);
	ask_peer("partial 1000");
	ask_peer("nothing");
	NEED(epoll_ctl(set, EPOLL_CTL_ADD, idle, &event) == 0);
	NEED(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	if (is_nonblocking)
		NEED(read(idle, room, 10) < 0 && errno == EAGAIN);
	before = sleeps();
	say_result("epoll_wait", epoll_wait(set, &event, 1, 300));
	say_result("poll", poll((struct pollfd[]){ { .fd = idle, .events = POLLIN },
					{ .fd = fd, .events = POLLIN } },
				   2, 300));
	say("%s", sleeps() - before < 60 ? "slept" : "did not sleep");
}

/* While a peer sends byte by byte, a loop turns at most so often. */
static void slow_record(void)
{
	int fd = connected(), set = epoll_create1(0), rounds = 0;
	struct epoll_event event = { .events = EPOLLIN };
	size_t received = 0;

	make_nonblocking(fd, true);
	NEED(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
	ask_peer("segment 1");
	ask_peer("pace %d", (int)gettid());
	tell_peer_now("send 50");
	while (received < 50) {
		ssize_t n;

		NEED(epoll_wait(set, &event, 1, -1) == 1);
		n = read(fd, room, 100);
		NEED(n > 0 || (n < 0 && errno == EAGAIN));
		received += n > 0 ? (size_t)n : 0;
		rounds++;
	}
	say("%s", rounds <= 150 ? "a round a byte" : "spinning");
	say("%s", await_peer());
}

const struct test_case cases[] = {
	CASE(20, silence, EVERYWHERE),
	CASE(20, slow_record, ANY_ROLE | NONBLOCKING),
	CASE(108, byte_by_byte, EVERYWHERE),
	CASE(108, byte_by_byte_awaited, EVERYWHERE),
	CASE(108, handshake_awaited, EVERYWHERE),
	CASE(108, odd_segments, EVERYWHERE),
	CASE(109, small_records, EVERYWHERE),
	CASE(109, padded_records, EVERYWHERE),
	CASE(109, control_records, EVERYWHERE),
	CASE(109, control_awaited, EVERYWHERE),
	CASE(109, key_updates_in_traffic, EVERYWHERE),
	CASE(109, key_update_flood, EVERYWHERE),
	CASE(110, hello_retry, EVERYWHERE),
	CASE(111, renegotiation, EVERYWHERE),
	END_OF_CASES,
};
