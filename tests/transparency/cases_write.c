/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sending: sizes, parts, full paths, and a peer that is gone. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static char room[100000];
static volatile sig_atomic_t pipes;

static void on_pipe(int number)
{
	(void)number;
	pipes++;
}

static void sizes(void)
{
	static const size_t sizes[] = { 0, 1, 2, 100, 4096, 16383, 16384, 16385, 65536, 100000 };
	int fd = connected();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ready_for(fd, POLLOUT);
		say_result("write", write(fd, outgoing(sizes[i]), sizes[i]));
		tell_peer("recv %zu", sizes[i]);
	}
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void megabytes(void)
{
	int fd = connected();

	tell_peer_later("recv 3000000");
	say("sent: %d", send_all(fd, 3000000));
	hear_peer();
}

static void both_ways(void)
{
	size_t out = 2000000, in = 2000000, sent = 0, received = 0;
	int fd = connected();

	make_nonblocking(fd, true);
	tell_peer_later("both %zu %zu", in, out);
	while (sent < out || received < in) {
		struct pollfd pfd = { .fd = fd,
			.events = (short)((sent < out ? POLLOUT : 0) | POLLIN) };
		ssize_t n;

		NEED(poll(&pfd, 1, -1) == 1);
		if ((pfd.revents & POLLIN) != 0) {
			n = read(fd, room, sizeof(room));
			NEED(n > 0 || (n < 0 && errno == EAGAIN));
			NEED(n < 0 ||
				pattern_match((uint8_t *)room, (size_t)n, received) == (size_t)n);
			received += n > 0 ? (size_t)n : 0;
		}
		if ((pfd.revents & POLLOUT) != 0) {
			n = write(fd, outgoing(50000), 50000);
			NEED(n > 0 || (n < 0 && errno == EAGAIN));
			not_sent(n < 0 ? 50000 : 50000 - (size_t)n);
			sent += n > 0 ? (size_t)n : 0;
		}
		if (sent >= out)
			out = sent;
	}
	shutdown(fd, SHUT_WR);
	hear_peer();
}

/* What was counted. A program that gives up in the middle of a write may have sent a byte more. */
static void say_arrived(size_t total, const char *answer)
{
	char expected[64], one_more[64];

	snprintf(expected, sizeof(expected), "%zu bytes, then the end", total);
	snprintf(one_more, sizeof(one_more), "%zu bytes, then the end", total + 1);
	say("%s", strcmp(answer, expected) == 0 || strcmp(answer, one_more) == 0
			  ? "all of it arrived"
			  : answer);
}

/* Writes until nothing goes any more. How much went. */
static size_t fill_path(int fd, size_t part)
{
	size_t total = 0;
	ssize_t n;

	while ((n = send(fd, outgoing(part), part, MSG_DONTWAIT)) > 0) {
		not_sent(part - (size_t)n);
		total += (size_t)n;
	}
	not_sent(part);
	say_result("send", n);
	NEED(total > 20000);
	return total;
}

static void full_path(void)
{
	static const size_t parts[] = { 1000, 16384, 100000, 300000 };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		int fd = connected();
		size_t total = fill_path(fd, parts[i]);

		tell_peer_now("until_end");
		NEED(send_all(fd, 1000000) && shutdown(fd, SHUT_WR) == 0);
		say_arrived(total + 1000000, await_peer());
		close(fd);
		forget_peer_bytes();
	}
}

/* Everything that was counted before the close arrives, though the path was full. */
static void full_then_closed(void)
{
	int fd = connected();
	size_t total = fill_path(fd, 50000);

	say_result("close", close(fd));
	say_arrived(total, ask_peer("until_end"));
}

static void full_then_shut(void)
{
	int fd = connected();
	size_t total = fill_path(fd, 50000);

	say_result("shutdown", shutdown(fd, SHUT_WR));
	say_arrived(total, ask_peer("until_end"));
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static void send_timeout(void)
{
	const struct timeval timeout = { 0, 50000 };
	size_t total = 0;
	int fd = connected();
	ssize_t n;

	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
	while ((n = write(fd, outgoing(200000), 200000)) > 0) {
		not_sent(200000 - (size_t)n);
		total += (size_t)n;
	}
	not_sent(200000);
	say_result("write", n);
	NEED(shutdown(fd, SHUT_WR) == 0);
	say_arrived(total, ask_peer("until_end"));
}

static void gathered(void)
{
	struct iovec iov[IOV_MAX];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = IOV_MAX };
	size_t total = 0, at = 0;
	uint8_t *bytes;
	int fd = connected();

	for (int i = 0; i < IOV_MAX; i++)
		total += (size_t)(i % 7) * 11;
	bytes = outgoing(total);
	for (int i = 0; i < IOV_MAX; i++) {
		iov[i] = (struct iovec){ bytes + at, (size_t)(i % 7) * 11 };
		at += iov[i].iov_len;
	}
	ready_for(fd, POLLOUT);
	say_result("writev", writev(fd, iov, IOV_MAX));
	tell_peer("recv %zu", total);
	bytes = outgoing(total);
	for (int i = 0, done = 0; i < IOV_MAX; i++) {
		iov[i].iov_base = bytes + done;
		done += (int)iov[i].iov_len;
	}
	say_result("sendmsg", sendmsg(fd, &msg, 0));
	tell_peer("recv %zu", total);
	iov[0] = (struct iovec){ NULL, 0 };
	say_result("writev", writev(fd, iov, 1));
	say_result("writev", writev(fd, iov, 0));
	msg.msg_iovlen = 0;
	say_result("sendmsg", sendmsg(fd, &msg, 0));
	say_result("pwrite", pwrite(fd, "x", 1, 0));
	say_result("pwritev", pwritev(fd, iov, 1, 0));
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void many_messages(void)
{
	struct mmsghdr msg[3];
	struct iovec iov[3];
	uint8_t *bytes = outgoing(60);
	int fd = connected();

	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ bytes + 20 * i, 20 };
		msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	ready_for(fd, POLLOUT);
	say_result("sendmmsg", sendmmsg(fd, msg, 3, 0));
	say("lengths %u %u %u", msg[0].msg_len, msg[1].msg_len, msg[2].msg_len);
	iov[0].iov_base = outgoing(20);
	say_result("pwritev2", pwritev2(fd, iov, 1, -1, 0));
	tell_peer("recv 80");
	/* An address is ignored, as TCP does. */
	say_result(
		"sendto", sendto(fd, outgoing(5), 5, 0,
				  (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET },
				  sizeof(struct sockaddr_in)));
	tell_peer("recv 5");
}

static void more_to_come(void)
{
	int fd = connected();

	ready_for(fd, POLLOUT);
	say_result("send", send(fd, outgoing(100), 100, MSG_MORE));
	say_result("send", send(fd, outgoing(100), 100, MSG_MORE | MSG_NOSIGNAL));
	say_result("send", send(fd, outgoing(100), 100, 0));
	tell_peer("recv 300");
}

static void to_closed(int fd, int flags)
{
	say_result("send", send(fd, "x", 1, flags));
	say("SIGPIPE: %d", (int)pipes);
}

/* The peer has closed: one write goes, its answer is a reset, and then it is over. */
static void peer_closed(void)
{
	const struct sigaction action = { .sa_handler = on_pipe };
	int fd = connected();

	sigaction(SIGPIPE, &action, NULL);
	tell_peer("close");
	await(fd, POLLRDHUP);
	say_result("send", send(fd, "x", 1, 0));
	await(fd, POLLERR | POLLHUP);
	to_closed(fd, 0);
	to_closed(fd, MSG_NOSIGNAL);
	to_closed(fd, 0);
	say_result("write", write(fd, "x", 1));
	say("SIGPIPE: %d", (int)pipes);
	signal(SIGPIPE, SIG_IGN);
	to_closed(fd, 0);
	say_result("read", read(fd, room, 1));
	say_result("close", close(fd));
}

static void after_own_shutdown(void)
{
	const struct sigaction action = { .sa_handler = on_pipe };
	sigset_t set, pending;
	int fd = connected();

	sigaction(SIGPIPE, &action, NULL);
	say_result("shutdown", shutdown(fd, SHUT_WR));
	to_closed(fd, 0);
	to_closed(fd, MSG_NOSIGNAL);
	say_result("write", write(fd, "x", 1));
	say_result("write", write(fd, "x", 0));
	say("SIGPIPE: %d", (int)pipes);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	to_closed(fd, 0);
	sigpending(&pending);
	say("pending: %d", sigismember(&pending, SIGPIPE));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("SIGPIPE: %d", (int)pipes);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* A reset while this side writes. */
static void reset_then_write(void)
{
	int fd = connected();

	signal(SIGPIPE, SIG_IGN);
	tell_peer("abort");
	await(fd, POLLERR | POLLHUP);
	say_result("write", write(fd, "x", 1));
	say_result("write", write(fd, "x", 1));
	say_result("read", read(fd, room, 1));
}

static void reset_while_blocked(void)
{
	int fd = connected();
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	tell_peer_later("abort");
	while ((n = write(fd, room, sizeof(room))) == (ssize_t)sizeof(room))
		continue;
	if (n > 0)
		n = write(fd, room, 1);
	say_result("write", n);
	hear_peer();
	say_result("write", write(fd, "x", 1));
}

/* A slow reader: tiny buffers at its end. */
static void tiny_window(void)
{
	int fd;

	ask_peer("buffers 1 1");
	fd = connected();
	tell_peer_later("recv 100000");
	say("sent: %d", send_all(fd, 100000));
	hear_peer();
	tell_peer_later("send 100000");
	receive_all(fd, 100000, 70000);
	hear_peer();
}

static void tiny_own_buffers(void)
{
	int fd = connected(), one = 1;

	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)) == 0);
	tell_peer_later("recv 20000");
	say("sent: %d", send_all(fd, 20000));
	hear_peer();
	tell_peer_later("send 20000");
	receive_all(fd, 20000, 70000);
	hear_peer();
	tell_peer_later("send 20000");
	receive_all(fd, 20000, 1000);
	hear_peer();
}

const struct test_case cases[] = {
	CASE(1, sizes, EVERYWHERE),
	CASE(1, megabytes, EVERYWHERE),
	CASE(1, both_ways, ANY_ROLE | BLOCKING),
	CASE(14, peer_closed, EVERYWHERE),
	CASE(14, after_own_shutdown, EVERYWHERE),
	CASE(14, reset_then_write, EVERYWHERE),
	CASE(14, reset_while_blocked, ANY_ROLE | BLOCKING),
	CASE(16, full_path, EVERYWHERE),
	CASE(16, full_then_closed, EVERYWHERE),
	CASE(16, full_then_shut, EVERYWHERE),
	CASE(48, gathered, EVERYWHERE),
	CASE(55, send_timeout, ANY_ROLE | BLOCKING),
	CASE(62, more_to_come, EVERYWHERE),
	CASE(121, tiny_window, EVERYWHERE),
	CASE(121, tiny_own_buffers, EVERYWHERE),
	CASE(126, many_messages, EVERYWHERE),
	END_OF_CASES,
};
