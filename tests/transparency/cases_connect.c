/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients on their way: errors, repeats, addresses, and peers that take their time. */
#include "harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static char room[100000];

static int error_of(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	NEED(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && len == sizeof(error));
	return error;
}

static int join(int fd, const struct sockaddr_in *at)
{
	return connect(fd, (const struct sockaddr *)at, sizeof(*at));
}

/* A port at which nobody listens. */
static struct sockaddr_in dead_port(void)
{
	uint16_t port;
	int fd = listening_socket(&port);

	close(fd);
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
}

/* A port whose queue is full: SYNs are dropped, and connect() goes on and on. */
static struct sockaddr_in black_hole(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(ask_peer("black_hole"))) };
}

static void refused(void)
{
	struct sockaddr_in at = dead_port();
	int fd = client_socket();

	say_result("connect", join(fd, &at));
	if (is_nonblocking) {
		say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT | POLLRDHUP));
		say("SO_ERROR %s", strerrorname_np(error_of(fd)));
		say("SO_ERROR %d", error_of(fd));
	}
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	say_result("read", read(fd, room, 1));
	/* The same socket may try again. */
	at = peer_listens();
	if (say_result("connect", join(fd, &at)) < 0 && errno == ECONNABORTED)
		say_result("connect", join(fd, &at));
	if (is_nonblocking)
		say("SO_ERROR %d", finish_connect(fd));
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void refused_by_connect(void)
{
	struct sockaddr_in at = dead_port();
	int fd = client_socket();

	say_result("connect", join(fd, &at));
	await(fd, POLLOUT);
	say_result("connect", join(fd, &at));
	at = peer_listens();
	say_result("connect", join(fd, &at));
	say("SO_ERROR %d", finish_connect(fd));
	say_result("connect", join(fd, &at));
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static void not_connected(void)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int fd = client_socket();

	say_result("read", read(fd, room, 1));
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	say_result("shutdown", shutdown(fd, SHUT_WR));
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&name, &len));
	say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT));
	say("SO_ERROR %d", error_of(fd));
	say_result("accept", accept(fd, NULL, NULL));
	say_result("connect", connect(fd, NULL, 0));
	say_result("connect", connect(fd, (struct sockaddr *)&name, 1));
	say_result("close", close(fd));
	close(connected());
}

/* While TCP itself is not there yet. */
static void no_answer(void)
{
	const struct timeval timeout = { 0, 30000 };
	struct sockaddr_in at = black_hole(), name;
	socklen_t len = sizeof(name);
	int fd = client_socket();

	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
	say_result("connect", join(fd, &at));
	say_result("connect", join(fd, &at));
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&name, &len));
	say_result("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT }, 1, 5));
	say("SO_ERROR %d", error_of(fd));
	say_result("recv", recv(fd, room, 1, MSG_DONTWAIT));
	say_result("send", send(fd, room, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	say_result("close", close(fd));
	close(connected());
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

/* A signal during connect(): EINTR, and the connection comes about all the same. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sockaddr_in at = black_hole();
	int fd = client_socket();

	sigaction(SIGUSR1, &action, NULL);
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	say_result("connect", join(fd, &at));
	say("signals %d", (int)signals);
	await_peer();
	make_nonblocking(fd, true);
	say_result("connect", join(fd, &at));
	close(fd);
	close(connected());
}

/* Calls that succeed leave errno alone, also when they are the first of their kind. */
static void errno_untouched(void)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	int fd, listener, other;

	errno = 77;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	say("socket %d", errno);
	at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	NEED(bind(listener, (struct sockaddr *)&at, len) == 0);
	NEED(listen(listener, 1) == 0);
	say("listen %d", errno);
	peer_connects(listener);
	errno = 77;
	other = accept(listener, NULL, NULL);
	NEED(other >= 0);
	say("accept %d", errno);
	tell_peer("send 10");
	errno = 77;
	NEED(read(other, room, 10) == 10);
	say("read %d", errno);
	NEED(close(other) == 0);
	say("close %d", errno);
	use_peer(1);
	at = peer_listens();
	errno = 77;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	NEED(join(fd, &at) == 0);
	say("connect %d", errno);
	NEED(write(fd, "x", 1) == 1);
	say("write %d", errno);
	NEED(dup(fd) >= 0);
	say("dup %d", errno);
	NEED(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	say("fcntl %d", errno);
	say("SO_ERROR %d", error_of(fd));
	say("getsockopt %d", errno);
}

/* connect() again and again. */
static void repeated(void)
{
	struct sockaddr_in at = peer_listens(), name = { 0 };
	socklen_t len = sizeof(name);
	int fd = client_socket();

	say_result("connect", join(fd, &at));
	if (is_nonblocking) {
		await(fd, POLLOUT);
		say_result("connect", join(fd, &at));
	}
	say_result("connect", join(fd, &at));
	say_result("connect", join(fd, &at));
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&name, &len));
	say("right: %d", len == sizeof(name) && name.sin_port == at.sin_port &&
				 name.sin_addr.s_addr == at.sin_addr.s_addr);
	NEED(getsockname(fd, (struct sockaddr *)&name, &len) == 0);
	say("right: %d", name.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && name.sin_port != 0);
	say_result("listen", listen(fd, 1));
	say_result("bind", bind(fd, (struct sockaddr *)&at, sizeof(at)));
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* Writable means that a write is taken, whenever the peer is done. */
static void writable_when_done(void)
{
	struct sockaddr_in at;
	int fd = client_socket();

	ask_peer("mute");
	at = peer_listens();
	say_result("connect", join(fd, &at));
	tell_peer_later("mute off");
	say_events("poll", (unsigned)await(fd, POLLIN | POLLOUT));
	await_peer();
	say("SO_ERROR %d", error_of(fd));
	say("SO_ERROR %d", error_of(fd));
	say_result("write", write(fd, outgoing(100), 100));
	tell_peer("recv 100");
}

/* The peer is there and says nothing; it is not what a plain peer would do, so it has its own
 * transcript: nothing is ready, and EINPROGRESS goes on as if TCP were not there yet. */
static void silent_peer(void)
{
	struct sockaddr_in at, name;
	socklen_t len = sizeof(name);
	int fd = client_socket();

	ask_peer("mute");
	at = peer_listens();
	say_result("connect", join(fd, &at));
	say_result("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 5));
	say_result("connect", join(fd, &at));
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&name, &len));
	say("SO_ERROR %d", error_of(fd));
	say_result("send", send(fd, outgoing(5), 5, MSG_NOSIGNAL));
	say_result("read", read(fd, room, 5));
	tell_peer("mute off");
	say_events("poll", (unsigned)await(fd, POLLOUT));
	say_result("connect", join(fd, &at));
	say_result("connect", join(fd, &at));
}

/* Several at once; the first that is there is taken, the others are closed on their way. */
static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	NEED(dir != NULL);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void happy_eyeballs(void)
{
	int before, slow, fast;
	struct sockaddr_in at;

	close(connected());
	forget_peer_bytes();
	before = open_descriptors();

	for (int i = 0; i < 3; i++) {
		struct pollfd fds[2];

		use_peer(1);
		ask_peer("mute");
		at = peer_listens();
		slow = client_socket();
		NEED(join(slow, &at) < 0 && errno == EINPROGRESS);
		use_peer(0);
		forget_peer_bytes();
		at = peer_listens();
		fast = client_socket();
		NEED(join(fast, &at) < 0 && errno == EINPROGRESS);
		fds[0] = (struct pollfd){ .fd = fast, .events = POLLOUT };
		fds[1] = (struct pollfd){ .fd = slow, .events = 0 };
		NEED(poll(fds, 2, -1) == 1);
		say_events("first", (unsigned)fds[0].revents);
		say("SO_ERROR %d", error_of(fast));
		say_result("close", close(slow));
		tell_peer("send 20");
		receive_all(fast, 20, 20);
		say_result("close", close(fast));
		tell_peer("until_end");
	}
	say("descriptors left: %d", open_descriptors() - before);
}

/* --- Who speaks first, and who never does */

static void server_first(void)
{
	int fd = connected_unused();

	tell_peer_later("send 30");
	ready_for(fd, POLLIN);
	say_received("read", room, read(fd, room, 100));
	hear_peer();
	tell_peer("close");
	receive_to_end(fd);
}

/* Closed at once: a TLS 1.3 server's tickets may come after that, and TCP answers them with a
 * reset. All that was sent, and close_notify, has arrived before it. */
static void say_arrived(const char *all, const char *answer)
{
	say("%s", strncmp(answer, all, strlen(all)) == 0 &&
				  (strstr(answer, "then the end") != NULL ||
					  strstr(answer, "then a reset") != NULL)
			  ? all
			  : answer);
}

static void only_writes(void)
{
	int fd = connected_unused();

	say_result("write", write(fd, outgoing(5000), 5000));
	say_result("close", close(fd));
	say_arrived("5000 bytes", ask_peer("until_end"));
}

static void only_connects(void)
{
	int fd = connected_unused();

	say_result("close", close(fd));
	say_arrived("0 bytes", ask_peer("until_end"));
}

/* --- Addresses */

static void six(void)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback }, name;
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET6, SOCK_STREAM | (is_nonblocking ? SOCK_NONBLOCK : 0), 0);

	at.sin6_port = htons((uint16_t)atoi(ask_peer("listen 6")));
	say_result("connect", connect(fd, (struct sockaddr *)&at, sizeof(at)));
	if (is_nonblocking)
		say("SO_ERROR %d", finish_connect(fd));
	NEED(getpeername(fd, (struct sockaddr *)&name, &len) == 0 && len == sizeof(name));
	say("right: %d", memcmp(&name, &at, sizeof(name)) == 0);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static void mapped_four(void)
{
	struct sockaddr_in four = peer_listens();
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = four.sin_port }, name;
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET6, SOCK_STREAM | (is_nonblocking ? SOCK_NONBLOCK : 0), 0);

	NEED(inet_pton(AF_INET6, "::ffff:127.0.0.1", &at.sin6_addr) == 1);
	say_result("connect", connect(fd, (struct sockaddr *)&at, sizeof(at)));
	if (is_nonblocking)
		say("SO_ERROR %d", finish_connect(fd));
	NEED(getpeername(fd, (struct sockaddr *)&name, &len) == 0);
	say("right: %d", memcmp(&name, &at, sizeof(name)) == 0);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

static void bound_first(void)
{
	struct sockaddr_in at,
		from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int one = 1;
	socklen_t len = sizeof(from);
	int fd = client_socket();

	NEED(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	NEED(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
	NEED(getsockname(fd, (struct sockaddr *)&from, &len) == 0);
	at = peer_listens();
	say_result("connect", join(fd, &at));
	if (is_nonblocking)
		say("SO_ERROR %d", finish_connect(fd));
	NEED(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	say("same: %d", at.sin_port == from.sin_port);
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

/* connect() to AF_UNSPEC dissolves it, and the socket connects anew. */
static void dissolved(void)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in at;
	int fd = connected();

	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("connect", connect(fd, &none, sizeof(none)));
	tell_peer("until_end");
	say_result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	forget_peer_bytes();
	at = peer_listens();
	say_result("connect", join(fd, &at));
	if (is_nonblocking)
		say("SO_ERROR %d", finish_connect(fd));
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
}

/* One thread talks to itself. */
static void to_itself(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint16_t port;
	int listener = listening_socket(&port), fd = client_socket(), other;

	at.sin_port = htons(port);
	say_result("connect", join(fd, &at));
	other = accept4(listener, NULL, NULL, is_nonblocking ? SOCK_NONBLOCK : 0);
	NEED(other >= 0);
	if (is_nonblocking)
		say("SO_ERROR %d", finish_connect(fd));
	for (int i = 0; i < 3; i++) {
		say_result("write", write(fd, "hello", 5));
		ready_for(other, POLLIN);
		say_result("read", read(other, room, 10));
		say_result("write", write(other, "world", 5));
		ready_for(fd, POLLIN);
		say_result("read", read(fd, room, 10));
	}
	say_result("shutdown", shutdown(fd, SHUT_WR));
	ready_for(other, POLLIN);
	say_result("read", read(other, room, 10));
	say_result("close", close(other));
	ready_for(fd, POLLIN);
	say_result("read", read(fd, room, 10));
}

/* --- Not ours: as without the library. */
static void other_sockets(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "/no/such/socket" };
	socklen_t len = sizeof(at);
	int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0), pair[2];
	int local = socket(AF_UNIX, SOCK_STREAM, 0), pipe_fds[2];

	NEED(bind(one, (struct sockaddr *)&at, len) == 0);
	NEED(getsockname(one, (struct sockaddr *)&at, &len) == 0);
	say_result("connect", join(two, &at));
	say_result("send", send(two, "hello", 5, 0));
	say_result("recv", recv(one, room, 10, 0));
	say_result("recv", recv(one, room, 10, MSG_DONTWAIT));
	say_result("connect", connect(local, (struct sockaddr *)&path, sizeof(path)));
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipe_fds) == 0);
	say_result("write", write(pair[0], "hello", 5));
	say_result("read", read(pair[1], room, 10));
	say_result("write", write(pipe_fds[1], "hello", 5));
	say_result("read", read(pipe_fds[0], room, 10));
	say_result("recv", recv(pipe_fds[0], room, 10, 0));
	say_result("connect", join(pipe_fds[0], &at));
	say_result("connect", join(999, &at));
	say_result("read", read(999, room, 1));
	say_result("close", close(999));
	close(connected());
}

/* No descriptor is to spare. */
static void no_descriptors(void)
{
	struct rlimit limit;
	int fd = connected();

	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 1; /* with 0, poll() refuses */
	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	say_result("socket", socket(AF_INET, SOCK_STREAM, 0));
	say_result("write", write(fd, outgoing(100000), 100000));
	tell_peer("recv 100000");
	tell_peer("send 100000");
	receive_all(fd, 100000, 100000);
	tell_peer("half_close");
	receive_to_end(fd);
	say_result("close", close(fd));
	tell_peer("until_end");
}

const struct test_case cases[] = {
	CASE(3, other_sockets, CLIENT | ANY_MODE),
	CASE(4, refused, CLIENT | ANY_MODE),
	CASE(4, refused_by_connect, CLIENT | NONBLOCKING),
	CASE(4, not_connected, CLIENT | ANY_MODE),
	CASE(7, writable_when_done, CLIENT | NONBLOCKING),
	DIFFERS(7, silent_peer, CLIENT | NONBLOCKING,
		"connect: EINPROGRESS\npoll: 0\nconnect: EALREADY\ngetpeername: ENOTCONN\n"
		"SO_ERROR 0\nsend: EAGAIN\nread: EAGAIN\npeer: mute off: ok\npoll: OUT\n"
		"connect: 0\nconnect: EISCONN\ndone\n",
		"a connection without its handshake is one that has not come about yet"),
	CASE(8, repeated, CLIENT | ANY_MODE),
	CASE(27, errno_untouched, CLIENT | BLOCKING),
	CASE(28, interrupted, CLIENT | BLOCKING),
	CASE(32, to_itself, CLIENT | ANY_MODE),
	CASE(55, no_answer, CLIENT | ANY_MODE),
	CASE(82, happy_eyeballs, CLIENT | NONBLOCKING),
	CASE(105, no_descriptors, EVERYWHERE),
	CASE(114, server_first, EVERYWHERE),
	CASE(116, only_writes, EVERYWHERE),
	CASE(116, only_connects, CLIENT | ANY_MODE),
	CASE(124, six, CLIENT | ANY_MODE),
	CASE(124, mapped_four, CLIENT | ANY_MODE),
	CASE(125, bound_first, CLIENT | ANY_MODE),
	CASE(125, dissolved, CLIENT | ANY_MODE),
	END_OF_CASES,
};
