/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ends: the peer's, this side's, and both at once. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AFTER_EOF                                                                                  \
	"peer: send 10: ok\npeer: fin: ok\n"                                                       \
	"received 10, then ECONNRESET\n"

static char room[100000];

/* Without close_notify: the one end that is not the same. */
static void bare_fin(void)
{
	int fd = connected();

	tell_peer("send 10");
	tell_peer("fin");
	receive_to_end(fd);
	say_result("read", read(fd, room, 1));
}

static void reset_after_data(void)
{
	int fd = connected();

	tell_peer("send 100");
	tell_peer("abort");
	await(fd, POLLERR | POLLHUP);
	receive_all(fd, 100, 60);
	for (int i = 0; i < 3; i++)
		say_result("read", read(fd, room, 10));
}

static void reset_while_reading(void)
{
	int fd = connected();

	tell_peer_later("abort");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, room, 10));
	hear_peer();
	say_result("read", read(fd, room, 10));
	say_result("send", send(fd, room, 10, MSG_NOSIGNAL));
}

/* In the middle of a record. */
static void reset_in_record(void)
{
	int fd = connected();

	tell_peer("send 50");
	tell_peer("partial 100");
	tell_peer("abort");
	await(fd, POLLERR | POLLHUP);
	receive_all(fd, 50, 50);
	say_result("read", read(fd, room, 10));
}

static void close_flushes(void)
{
	int fd = connected();

	tell_peer("ticket");
	tell_peer("key_update request");
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(100000), 100000));
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void close_at_once(void)
{
	int fd = connected();

	say_result("close", close(fd));
	say_result("close", close(fd));
	tell_peer("until_end");
}

/* Unread data of the peer's: then it is a reset, as TCP has it. */
static void close_with_unread(void)
{
	int fd = connected();

	tell_peer("send 1000");
	await(fd, POLLIN);
	receive_all(fd, 10, 10);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void linger_zero(void)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct linger back = { 0, 0 };
	socklen_t len = sizeof(back);
	int fd = connected();

	NEED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	NEED(getsockopt(fd, SOL_SOCKET, SO_LINGER, &back, &len) == 0);
	say("linger %d %d", back.l_onoff, back.l_linger);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void linger_bounded(void)
{
	const struct linger some = { .l_onoff = 1, .l_linger = 5 };
	int fd = connected();

	NEED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &some, sizeof(some)) == 0);
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(50000), 50000));
	tell_peer_now("until_end");
	say_result("close", close(fd));
	say("%s", await_peer());
}

static void half_close(void)
{
	int fd = connected();

	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(1000), 1000));
	say_result("shutdown", shutdown(fd, SHUT_WR));
	tell_peer("until_end");
	tell_peer("send 20000");
	receive_all(fd, 20000, 3000);
	tell_peer("half_close");
	receive_to_end(fd);
	say_result("shutdown", shutdown(fd, SHUT_WR));
	say_result("close", close(fd));
}

static void peer_half_closed(void)
{
	int fd = connected();

	tell_peer("half_close");
	receive_to_end(fd);
	for (int i = 0; i < 3; i++) {
		ready_for(fd, POLLOUT);
		say_result("write", write(fd, outgoing(20000), 20000));
		tell_peer("recv 20000");
	}
	say_result("shutdown", shutdown(fd, SHUT_WR));
	tell_peer("until_end");
}

/* The side for reading: nothing to wait for any more, but what is there still comes. */
static void shut_reading(void)
{
	int fd = connected();

	tell_peer("send 50");
	await(fd, POLLIN);
	say_result("shutdown", shutdown(fd, SHUT_RD));
	receive_all(fd, 50, 50);
	say_result("read", read(fd, room, 10));
	say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT | POLLRDHUP));
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	say_result("shutdown", shutdown(fd, SHUT_WR));
	tell_peer("until_end");
	say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT | POLLRDHUP));
}

static void shut_both(void)
{
	int fd = connected();

	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(100), 100));
	say_result("shutdown", shutdown(fd, SHUT_RDWR));
	tell_peer("until_end");
	say_result("read", read(fd, room, 10));
	say_result("send", send(fd, room, 10, MSG_NOSIGNAL));
	say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT | POLLRDHUP));
	say_result("shutdown", shutdown(fd, SHUT_RDWR));
	say_result("shutdown", shutdown(fd, 77));
	say_result("close", close(fd));
}

/* Both say goodbye before either has heard. */
static void at_the_same_time(void)
{
	int fd = connected();

	tell_peer("send 10");
	tell_peer("half_close");
	say_result("shutdown", shutdown(fd, SHUT_WR));
	receive_to_end(fd);
	tell_peer("until_end");
	say_result("shutdown", shutdown(fd, SHUT_RDWR));
	say_result("close", close(fd));
}

static void closed_by_both(void)
{
	int fd = connected();

	tell_peer("send 10");
	receive_all(fd, 10, 10);
	tell_peer("close");
	receive_to_end(fd);
	say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT | POLLRDHUP));
	say_result("shutdown", shutdown(fd, SHUT_WR));
	say_result("close", close(fd));
}

/* The same number again is another socket. */
static void number_reused(void)
{
	int fd = connected(), other;

	close(fd);
	tell_peer("until_end");
	other = socket(AF_INET, SOCK_DGRAM, 0);
	say("same number: %d", other == fd);
	say_result("read", recv(other, room, 1, MSG_DONTWAIT));
	close(other);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0, 0 }) == 0);
	forget_peer_bytes();
	other = connected();
	tell_peer("send 10");
	receive_all(other, 10, 10);
	close(other);
	tell_peer("until_end");
}

/* The program ends without closing. */
static void left_to_exit(void)
{
	int fd = connected();

	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(30000), 30000));
	tell_peer_now("until_end");
}

const struct test_case cases[] = {
	DIFFERS(12, bare_fin, EVERYWHERE, AFTER_EOF "read: 0\ndone\n",
		"an end without close_notify is a truncation"),
	CASE(13, reset_after_data, EVERYWHERE),
	CASE(13, reset_while_reading, EVERYWHERE),
	CASE(13, reset_in_record, EVERYWHERE),
	CASE(22, close_flushes, EVERYWHERE),
	CASE(22, close_at_once, EVERYWHERE),
	CASE(22, left_to_exit, EVERYWHERE),
	CASE(24, number_reused, EVERYWHERE),
	CASE(57, half_close, EVERYWHERE),
	CASE(57, peer_half_closed, EVERYWHERE),
	CASE(58, shut_reading, EVERYWHERE),
	CASE(58, shut_both, EVERYWHERE),
	CASE(60, linger_zero, EVERYWHERE),
	CASE(60, linger_bounded, EVERYWHERE),
	CASE(117, close_with_unread, EVERYWHERE),
	CASE(117, at_the_same_time, EVERYWHERE),
	CASE(117, closed_by_both, EVERYWHERE),
	END_OF_CASES,
};
