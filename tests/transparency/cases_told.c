/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is told of a connection: how much is queued, and what its options mean. */
#include "harness.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint8_t room[100000];

/* --- FIONREAD, SIOCOUTQ */

/* 54 */
static void counts(void)
{
	int fd = connected(), have = -1;

	say("queued %d", queued(fd, 0));
	tell_peer("send 1");
	say("queued %d", queued(fd, 1));
	ask_peer("padding 300");
	tell_peer("send 500");
	tell_peer("send 20000");
	say("queued %d", queued(fd, 20501));
	receive_all(fd, 10, 10);
	say("queued %d", queued(fd, 20491));
	tell_peer("partial 100");
	say("queued %d", queued(fd, 20491));
	receive_all(fd, 20491, 5000);
	say("queued %d", queued(fd, 0));
	tell_peer("rest");
	say("queued %d", queued(fd, 100));
	tell_peer("half_close");
	await(fd, POLLRDHUP);
	say("queued %d", queued(fd, 100));
	receive_all(fd, 100, 100);
	ready_for(fd, POLLIN);
	say("queued %d", queued(fd, 0));
	say_result("SIOCINQ", ioctl(fd, FIONREAD, &have));
}

/* 54: a program that reads as many as it was told, and then waits for an event, has to get all */
static void counts_of_many(void)
{
	int fd = connected(), have = 400000, got = 0;

	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &have, sizeof(have)) == 0);
	for (int i = 0; i < 6; i++)
		ask_peer("send 20000");
	have = queued(fd, 120000);
	while (got < 120000) {
		ssize_t n;

		need(have >= 120000 - got, "as many as are there");
		n = recv(fd, room, 50000, 0);
		NEED(n > 0);
		got += (int)n;
		NEED(ioctl(fd, FIONREAD, &have) == 0);
	}
	say("received %d, queued %d", got, have);
}

/* SIOCOUTQ */
static void unacknowledged(void)
{
	int fd = connected(), left = -1, most = 0;

	say_result("SIOCOUTQ", ioctl(fd, TIOCOUTQ, &left));
	say("left %d", left);
	for (int i = 0; i < 20; i++) {
		NEED(send_all(fd, 100));
		NEED(ioctl(fd, TIOCOUTQ, &left) == 0);
		most = left > most ? left : most;
		need(left <= (i + 1) * 100, "no more than was sent");
	}
	tell_peer("recv 2000");
	while (ioctl(fd, TIOCOUTQ, &left) == 0 && left > 0)
		poll(NULL, 0, 1);
	say("left %d", left);
}

/* --- Options */

/* 118 */
static void urgent(void)
{
	int fd = connected(), mark = -1, on = 1;

	say_result("SIOCATMARK", ioctl(fd, SIOCATMARK, &mark));
	say("mark %d", mark);
	say_result("sockatmark", sockatmark(fd));
	say_result("SO_OOBINLINE", setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	say_result("recv urgent", recv(fd, room, 1, MSG_OOB));
	say_result("send urgent", send(fd, "x", 1, MSG_OOB));
	send_all(fd, 10);
}

/* 119 */
static void zero_copies(void)
{
	int fd = connected(), on = 1;

	say_result("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	say_result("recv of errors", recv(fd, room, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
}

/* 119 */
static void zero_copies_unasked(void)
{
	int fd = connected();

	say_result("send", send(fd, outgoing(5000), 5000, MSG_ZEROCOPY));
	tell_peer("recv 5000");
	say_result("recv of errors", recv(fd, room, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
}

/* 122 */
static void queue_told(void)
{
	int fd = connected(), on = 1;

	say_result("TCP_INQ", setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)));
}

/* 123 */
static void peek_offset(void)
{
	int fd = connected(), at = 0;
	socklen_t len = sizeof(at);

	say_result("SO_PEEK_OFF", setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)));
	say_result("SO_PEEK_OFF", getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, &len));
	tell_peer("send 10");
	ready_for(fd, POLLIN);
	receive_all(fd, 10, 3);
}

/* 119 */
static void zero_copies_before(void)
{
	struct sockaddr_in at = peer_listens();
	int fd = client_socket(), on = 1;

	say_result("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	if (say_result("send", send(fd, outgoing(10), 10, MSG_ZEROCOPY)) < 0) {
		not_sent(10);
		say_result("send", send(fd, outgoing(10), 10, 0));
	}
	tell_peer("recv 10");
}

/* 123 */
static void peek_offset_before(void)
{
	struct sockaddr_in at = peer_listens();
	int fd = client_socket(), offset = 5;

	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset));
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	tell_peer("send 1000");
	receive_all(fd, 1000, 30);
}

static void use_low_water(int fd)
{
	int mark = -1;
	socklen_t len = sizeof(mark);

	say_result("SO_RCVLOWAT", getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &len));
	say("mark %d", mark);
	tell_peer("send 50");
	queued(fd, 50);
	say_events("poll", (unsigned)poll_now(fd, POLLIN));
	tell_peer("send 60");
	say_events("poll", (unsigned)await(fd, POLLIN));
	say_received("recv", room, recv(fd, room, 1000, 0));
	tell_peer("send 30");
	queued(fd, 30);
	say_events("poll", (unsigned)poll_now(fd, POLLIN));
	say_received("recv", room, recv(fd, room, 1000, MSG_DONTWAIT));
	say_result("recv", recv(fd, room, 1000, MSG_DONTWAIT));
	tell_peer("partial 200");
	queued(fd, 0);
	tell_peer("rest");
	say_events("poll", (unsigned)await(fd, POLLIN));
	receive_all(fd, 200, 200);
	tell_peer("send 5");
	tell_peer("half_close");
	say_events("poll", (unsigned)await(fd, POLLIN));
	receive_to_end(fd);
}

/* 120 */
static void low_water(void)
{
	int fd = connected(), mark = 100;

	say_result("SO_RCVLOWAT", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)));
	use_low_water(fd);
}

/* 85 */
static void low_water_before(void)
{
	int fd, mark = 100, listener;
	struct sockaddr_in at;

	if (is_client) {
		at = peer_listens();
		fd = client_socket();
		NEED(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0);
		NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ||
			finish_connect(fd) == 0);
	} else {
		listener = listening_socket(NULL);
		NEED(setsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0);
		peer_connects(listener);
		fd = accept4(listener, NULL, NULL, is_nonblocking ? SOCK_NONBLOCK : 0);
	}
	ask_peer("ready");
	use_low_water(fd);
}

/* 121 */
static void tiny_buffers(void)
{
	int fd, size = 1;

	ask_peer("buffers 1 1");
	fd = connected();
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	tell_peer_later("send 50000");
	receive_all(fd, 50000, 20000);
	hear_peer();
	tell_peer_later("recv 50000");
	NEED(send_all(fd, 50000));
	hear_peer();
	tell_peer("close");
	receive_to_end(fd);
}

/* 119 */
static void kernel_tls(void)
{
	int fd = connected(), any = 0;

	say_result("TCP_ULP", setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3));
	say_result("SOL_TLS", setsockopt(fd, 282, 1, &any, sizeof(any)));
}

const struct test_case cases[] = {
	CASE(54, counts, EVERYWHERE),
	CASE(54, counts_of_many, EVERYWHERE),
	CASE(54, unacknowledged, EVERYWHERE),
	DIFFERS(118, urgent, EVERYWHERE,
		"SIOCATMARK: 0\nmark 0\nsockatmark: 0\nSO_OOBINLINE: 0\n"
		"recv urgent: EINVAL\nsend urgent: EOPNOTSUPP\ndone\n",
		"TLS has no urgent data"),
	DIFFERS(119, zero_copies, EVERYWHERE,
		"SO_ZEROCOPY: EOPNOTSUPP\nrecv of errors: EAGAIN\ndone\n",
		"what is sent is sealed first: programs fall back"),
	CASE(119, zero_copies_unasked, EVERYWHERE),
	DIFFERS(119, zero_copies_before, CLIENT | BLOCKING,
		"SO_ZEROCOPY: 0\nsend: ENOBUFS\nsend: 10\npeer: recv 10: 10 bytes\ndone\n",
		"no completion would come: programs send without"),
	DIFFERS(122, queue_told, EVERYWHERE, "TCP_INQ: ENOPROTOOPT\ndone\n",
		"the kernel counts sealed bytes: programs do without"),
	DIFFERS(123, peek_offset, EVERYWHERE,
		"SO_PEEK_OFF: EOPNOTSUPP\nSO_PEEK_OFF: EOPNOTSUPP\n"
		"peer: send 10: ok\nreceived 10\ndone\n",
		"as before Linux 6.9"),
	CASE(123, peek_offset_before, CLIENT | BLOCKING),
	CASE(120, low_water, EVERYWHERE),
	CASE(120, low_water_before, EVERYWHERE),
	CASE(121, tiny_buffers, EVERYWHERE),
	DIFFERS(119, kernel_tls, EVERYWHERE, "TCP_ULP: ENOPROTOOPT\nSOL_TLS: ENOPROTOOPT\ndone\n",
		"TLS in TLS: programs do their own in the process"),
	END_OF_CASES,
};
