/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers: what accept() gives, and peers that are slow, silent or strange. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char room[100000];

static int take(int listener)
{
	return accept4(listener, NULL, NULL, is_nonblocking ? SOCK_NONBLOCK : 0);
}

/* A connection whose peer is number `number`. */
static void connects(int number, int listener)
{
	use_peer(number);
	peer_connects(listener);
	use_peer(0);
}

/* A silent peer holds up nobody. */
static void silent_peer(void)
{
	int listener = listening_socket(NULL), silent, fd;

	use_peer(1);
	ask_peer("mute");
	connects(1, listener);
	silent = take(listener);
	say_result("accepted", silent >= 0 ? 0 : -1);
	connects(0, listener);
	fd = take(listener);
	tell_peer_later("send 100");
	ready_for(fd, POLLIN);
	say_received("read", room, read(fd, room, 200));
	hear_peer();
	say_result("write", write(fd, outgoing(100), 100));
	tell_peer("recv 100");
	say_result("poll", poll(&(struct pollfd){ .fd = silent, .events = POLLIN }, 1, 0));
	say_result("recv", recv(silent, room, 1, MSG_DONTWAIT));
	say_result("close", close(silent));
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* The same with its first bytes sent, and no more of them for now: slow loris. */
static void slow_peers(void)
{
	int listener = listening_socket(NULL), slow, fd;

	use_peer(1);
	ask_peer("segment 1");
	ask_peer("mute");
	connects(1, listener);
	slow = take(listener);
	NEED(slow >= 0);
	for (int i = 0; i < 3; i++) {
		connects(0, listener);
		fd = take(listener);
		tell_peer("send 100");
		ready_for(fd, POLLIN);
		say_received("read", room, read(fd, room, 200));
		say_result("close", close(fd));
		tell_peer("until_end");
		forget_peer_bytes();
	}
	use_peer(1);
	ask_peer("mute off");
	tell_peer("send 100");
	receive_all(slow, 100, 100);
}

static void flags_of(const char *what, int fd)
{
	say("%s: nonblocking %d, close-on-exec %d", what, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0,
		fcntl(fd, F_GETFD));
	close(fd);
}

static void flags(void)
{
	int listener = listening_socket(NULL);

	for (int round = 0; round < 2; round++) {
		make_nonblocking(listener, round == 1);
		NEED(fcntl(listener, F_SETFD, round) == 0);
		peer_connects(listener);
		await(listener, POLLIN);
		flags_of("accept", accept(listener, NULL, NULL));
		peer_connects(listener);
		await(listener, POLLIN);
		flags_of("accept4", accept4(listener, NULL, NULL, 0));
		peer_connects(listener);
		await(listener, POLLIN);
		flags_of("nonblocking", accept4(listener, NULL, NULL, SOCK_NONBLOCK));
		peer_connects(listener);
		await(listener, POLLIN);
		flags_of("close-on-exec", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
		peer_connects(listener);
		await(listener, POLLIN);
		flags_of("both", accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	}
	say_result("accept4", accept4(listener, NULL, NULL, 1));
	close(connected());
}

static void addresses(void)
{
	struct sockaddr_in from, name, here;
	struct sockaddr_storage large;
	socklen_t len = sizeof(from), name_len = sizeof(name), short_len = 4,
		  large_len = sizeof(large);
	uint16_t port;
	int listener = listening_socket(&port), fd;

	peer_connects(listener);
	fd = accept(listener, (struct sockaddr *)&from, &len);
	NEED(getpeername(fd, (struct sockaddr *)&name, &name_len) == 0);
	say("length %u, the same: %d, family %d, address %d", len,
		memcmp(&from, &name, sizeof(from)) == 0, from.sin_family,
		from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	name_len = sizeof(here);
	NEED(getsockname(fd, (struct sockaddr *)&here, &name_len) == 0);
	say("own port: %d", here.sin_port == htons(port));
	close(fd);
	peer_connects(listener);
	memset(&from, 0, sizeof(from));
	fd = accept(listener, (struct sockaddr *)&from, &short_len);
	say("length %u, port %d", short_len, from.sin_port != 0);
	say("rest untouched: %d", from.sin_addr.s_addr == 0);
	close(fd);
	peer_connects(listener);
	fd = accept(listener, (struct sockaddr *)&large, &large_len);
	say("length %u", large_len);
	close(fd);
	peer_connects(listener);
	say_result("accept", accept(listener, (struct sockaddr *)&large, NULL));
	large_len = (socklen_t)-1;
	peer_connects(listener);
	say_result("accept", accept(listener, (struct sockaddr *)&large, &large_len));
	forget_peer_bytes();
	close(connected());
}

static void errors(void)
{
	int listener = listening_socket(NULL), fd, udp = socket(AF_INET, SOCK_DGRAM, 0);

	make_nonblocking(listener, true);
	say_result("accept", accept(listener, NULL, NULL));
	say_result("accept", accept4(listener, NULL, NULL, SOCK_NONBLOCK));
	say_result("accept", accept(999, NULL, NULL));
	say_result("accept", accept(udp, NULL, NULL));
	say_result("accept", accept(0, NULL, NULL));
	say_result("listen", listen(udp, 1));
	say_result("listen", listen(999, 1));
	peer_connects(listener);
	await(listener, POLLIN);
	fd = accept(listener, NULL, NULL);
	say_result("accept on a connection", accept(fd, NULL, NULL));
	say_result("listen on a connection", listen(fd, 1));
	make_nonblocking(fd, is_nonblocking);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	say_result("listen again", listen(listener, 5));
	say_result("recv", recv(listener, room, 1, 0));
	say_result("send", send(listener, room, 1, MSG_NOSIGNAL));
	close(udp);
}

/* The peer comes and goes before it is accepted. */
static void gone_before(void)
{
	int listener = listening_socket(NULL), fd;

	peer_connects(listener);
	ask_peer("abort");
	fd = take(listener);
	NEED(fd >= 0);
	await(fd, POLLIN);
	say_result("read", read(fd, room, 10));
	say_result("read", read(fd, room, 10));
	close(fd);
	close(connected());
}

/* What the listener was told holds for the connection. */
static void inherited_options(void)
{
	static const struct {
		const char *name;
		int level, option, value;
	} rows[] = {
		{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77 },
		{ "SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 1 },
		{ "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3 },
		{ "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 70000 },
		{ "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 12345 },
	};
	const struct timeval timeout = { 0, 30000 };
	struct timeval back = { 0, 0 };
	socklen_t len = sizeof(back);
	int listener = listening_socket(NULL), fd;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		NEED(setsockopt(listener, rows[i].level, rows[i].option, &rows[i].value,
			     sizeof(int)) == 0);
	NEED(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
	peer_connects(listener);
	fd = take(listener);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int value = -1;
		socklen_t value_len = sizeof(value);

		NEED(getsockopt(fd, rows[i].level, rows[i].option, &value, &value_len) == 0);
		say("%s %d", rows[i].name, value);
	}
	NEED(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0);
	say("SO_RCVTIMEO %ld", (long)back.tv_usec);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("read", read(fd, room, 10));
}

/* SO_LINGER, too: the end is a reset. */
static void inherited_linger(void)
{
	const struct linger now = { .l_onoff = 1 };
	int listener = listening_socket(NULL), fd;

	NEED(setsockopt(listener, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	peer_connects(listener);
	fd = take(listener);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void timeout_in_handshake(void)
{
	const struct timeval timeout = { 0, 30000 };
	int listener = listening_socket(NULL), fd;

	NEED(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
	say_result("accept", accept(listener, NULL, NULL));
	ask_peer("mute");
	peer_connects(listener);
	fd = take(listener);
	say_result("read", read(fd, room, 10));
	say_result("read", read(fd, room, 10));
	ask_peer("mute off");
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static void deferred(void)
{
	const int seconds = 5, queue = 5;
	int listener = listening_socket(NULL), fd;

	say_result("TCP_DEFER_ACCEPT",
		setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)));
	say_result("TCP_FASTOPEN",
		setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)));
	peer_connects(listener);
	tell_peer_now("send 10");
	await(listener, POLLIN);
	fd = take(listener);
	NEED(fd >= 0);
	receive_all(fd, 10, 10);
	say("%s", await_peer());
}

static void no_descriptors(void)
{
	struct rlimit limit, full;
	int listener = listening_socket(NULL), fd, fds[64], count = 0;

	close(connected());
	forget_peer_bytes();
	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	full = limit;
	peer_connects(listener);
	while (count < 63 && (fds[count] = dup(0)) >= 0 && fds[count] < 40)
		count++;
	full.rlim_cur = (rlim_t)(fds[count - 1] + 1);
	if (fds[count] >= 0)
		close(fds[count]);
	NEED(setrlimit(RLIMIT_NOFILE, &full) == 0);
	for (int i = 0; i < 3; i++)
		say_result("accept", accept(listener, NULL, NULL));
	close(fds[0]);
	fd = take(listener);
	say("lowest: %d", fd == fds[0]);
	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int listener = listening_socket(NULL), fd;

	sigaction(SIGUSR1, &action, NULL);
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	say_result("accept", accept(listener, NULL, NULL));
	await_peer();
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	use_peer(1);
	{
		struct sockaddr_in at;
		socklen_t len = sizeof(at);

		NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
		tell_peer_later("asleep %d connect %d", (int)gettid(), ntohs(at.sin_port));
	}
	fd = accept(listener, NULL, NULL);
	say_result("accept", fd >= 0 ? 0 : -1);
	await_peer();
	make_nonblocking(fd, is_nonblocking);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	use_peer(0);
	await_peer();
}

/* --- Forked servers */

/* accept, fork, the child serves; the parent closes its copy at once. */
static void fork_for_each(void)
{
	int listener = listening_socket(NULL), status;

	for (int i = 0; i < 3; i++) {
		int fd;
		pid_t child;

		peer_connects(listener);
		fd = take(listener);
		child = fork();
		NEED(child >= 0);
		if (child == 0) {
			close(listener);
			tell_peer_later("send 100");
			ready_for(fd, POLLIN);
			say_received("child read", room, read(fd, room, 200));
			hear_peer();
			say_result("child write", write(fd, outgoing(50), 50));
			close(fd);
			_exit(0);
		}
		say_result("close", close(fd));
		NEED(waitpid(child, &status, 0) == child && status == 0);
		outgoing(50);
		tell_peer("until_end");
		forget_peer_bytes();
	}
}

/* Children that were there before; each accepts. */
static void prefork(void)
{
	int listener = listening_socket(NULL), status;

	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		NEED(child >= 0);
		if (child == 0) {
			int fd = take(listener);

			NEED(fd >= 0);
			ready_for(fd, POLLIN);
			NEED(read(fd, room, 200) > 0);
			NEED(write(fd, room, 100) == 100);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++) {
		peer_connects(listener);
		tell_peer("send 100");
		tell_peer("recv 100");
		forget_peer_bytes();
	}
	for (int i = 0; i < 3; i++)
		NEED(waitpid(-1, &status, 0) > 0 && status == 0);
	say("all ended");
}

/* One connection wakes a worker, also through sets of their own. */
static void prefork_epoll(void)
{
	int listener = listening_socket(NULL), status, done[2];
	char byte;

	make_nonblocking(listener, true);
	NEED(pipe(done) == 0);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0) {
			int set = epoll_create1(0), left = 1;
			struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE,
				.data.fd = listener };

			close(done[1]);
			NEED(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) == 0);
			event = (struct epoll_event){ .events = EPOLLIN, .data.fd = done[0] };
			NEED(epoll_ctl(set, EPOLL_CTL_ADD, done[0], &event) == 0);
			while (left) {
				int fd;

				NEED(epoll_wait(set, &event, 1, -1) == 1);
				if (event.data.fd == done[0]) {
					left = 0;
				} else if (event.data.fd == listener) {
					fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
					event = (struct epoll_event){ .events = EPOLLIN,
						.data.fd = fd };
					NEED(fd >= 0 ? epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) ==
								0
						     : errno == EAGAIN);
				} else {
					ssize_t n = read(event.data.fd, room, 200);

					if (n == 0)
						close(event.data.fd);
					NEED(n >= 0 || errno == EAGAIN);
					NEED(n <= 0 || write(event.data.fd, room, (size_t)n) == n);
				}
			}
			_exit(0);
		}
	}
	close(done[0]);
	for (int i = 0; i < 6; i++) {
		peer_connects(listener);
		tell_peer("send 100");
		tell_peer("recv 100");
		tell_peer("half_close");
		outgoing(100);
		tell_peer("until_end");
		forget_peer_bytes();
	}
	close(done[1]);
	(void)byte;
	for (int i = 0; i < 3; i++)
		NEED(waitpid(-1, &status, 0) > 0 && status == 0);
}

/* One loop for all: select() over the listener and every connection. */
static void one_loop(void)
{
	int listener = listening_socket(NULL), top = listener, served = 0, closed = 0;
	size_t bytes = 0;
	fd_set all, in;

	FD_ZERO(&all);
	FD_SET(listener, &all);
	use_peer(1);
	ask_peer("mute");
	peer_connects(listener);
	use_peer(0);
	peer_connects(listener);
	tell_peer_now("send 1000");
	tell_peer_now("half_close");
	while (closed < 1) {
		in = all;
		NEED(select(top + 1, &in, NULL, NULL, NULL) > 0);
		for (int fd = 0; fd <= top; fd++) {
			ssize_t n;

			if (!FD_ISSET(fd, &in))
				continue;
			if (fd == listener) {
				int made = take(listener);

				NEED(made >= 0);
				FD_SET(made, &all);
				top = made > top ? made : top;
				served++;
				continue;
			}
			n = read(fd, room, 300);
			if (n < 0 && errno == EAGAIN)
				continue;
			bytes += n > 0 ? (size_t)n : 0;
			if (n <= 0) {
				FD_CLR(fd, &all);
				close(fd);
				closed++;
			}
		}
	}
	say("served %d, bytes %zu", served, bytes);
	await_peer();
	await_peer();
}

/* --- What is no TLS. Plain, it is data; here it is one connection less. */
static void scanner(void)
{
	int listener = listening_socket(NULL), fd;

	use_peer(1);
	ask_peer("mute");
	peer_connects(listener);
	tell_peer("raw GET / HTTP/1.0");
	fd = take(listener);
	ready_for(fd, POLLIN);
	say_result("read", read(fd, room, 16));
	say_result("read again", recv(fd, room, 16, MSG_DONTWAIT));
	say_result("close", close(fd));
	use_peer(0);
	peer_connects(listener);
	fd = take(listener);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* A server that has no use for a client: that finds a stream which is at its end. */
static void closed_at_once(void)
{
	int listener = listening_socket(NULL), fd;

	peer_connects(listener);
	fd = take(listener);
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

#define SCANNED                                                                                    \
	"peer: raw GET / HTTP/1.0: ok\nread: EPROTO\nread again: 0\nclose: 0\n"                    \
	"peer: send 10: ok\nreceived 10\ndone\n"

const struct test_case cases[] = {
	CASE(9, silent_peer, SERVER | ANY_MODE),
	CASE(10, flags, SERVER | BLOCKING),
	CASE(10, errors, SERVER | ANY_MODE),
	CASE(25, addresses, SERVER | BLOCKING),
	CASE(28, interrupted, SERVER | ANY_MODE),
	CASE(32, fork_for_each, SERVER | ANY_MODE),
	CASE(45, prefork_epoll, SERVER | BLOCKING),
	CASE(55, timeout_in_handshake, SERVER | BLOCKING),
	CASE(85, inherited_options, SERVER | ANY_MODE),
	CASE(85, inherited_linger, SERVER | ANY_MODE),
	CASE(86, deferred, SERVER | ANY_MODE),
	CASE(92, prefork, SERVER | ANY_MODE),
	CASE(106, no_descriptors, SERVER | ANY_MODE),
	CASE(23, closed_at_once, SERVER | ANY_MODE),
	DIFFERS(112, scanner, SERVER | ANY_MODE, SCANNED, "what is no TLS is refused"),
	CASE(113, slow_peers, SERVER | ANY_MODE),
	CASE(113, one_loop, SERVER | ANY_MODE),
	CASE(117, gone_before, SERVER | ANY_MODE),
	END_OF_CASES,
};
