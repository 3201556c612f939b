/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options that are set before there is a connection, and ways to open one early. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) == 0 ? value : -errno;
}

static void set(int fd, int level, int name, int value)
{
	NEED(setsockopt(fd, level, name, &value, sizeof(value)) == 0);
}

static int connect_again(int fd)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	NEED(getpeername(fd, (struct sockaddr *)&peer, &len) == 0);
	return connect(fd, (struct sockaddr *)&peer, len);
}

static int accepted(int listener)
{
	int fd;

	await(listener, POLLIN);
	fd = accept4(listener, NULL, NULL, is_nonblocking ? SOCK_NONBLOCK : 0);
	NEED(fd >= 0);
	return fd;
}

/* A line there and a line back. */
static void greet(int fd)
{
	char text[16] = "";

	NEED(write(fd, "hello", 5) == 5);
	tell_peer("read_text 5");
	tell_peer("text welcome");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, sizeof(text)));
	say("'%s'", text);
}

/* 85 */
static void inherited(void)
{
	const struct timeval time = { .tv_sec = 7 };
	const struct linger linger = { .l_onoff = 1, .l_linger = 5 };
	struct timeval got = { 0 };
	struct linger how = { 0 };
	socklen_t len = sizeof(got);
	int listener = listening_socket(NULL), fd;

	set(listener, IPPROTO_TCP, TCP_NODELAY, 1);
	set(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(listener, IPPROTO_TCP, TCP_KEEPIDLE, 77);
	set(listener, SOL_SOCKET, SO_RCVLOWAT, 3);
	NEED(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0);
	NEED(setsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	peer_connects(listener);
	fd = accepted(listener);
	say_result("connect", connect_again(fd));
	say("nodelay %d, keepalive %d, after %d", get(fd, IPPROTO_TCP, TCP_NODELAY),
		get(fd, SOL_SOCKET, SO_KEEPALIVE), get(fd, IPPROTO_TCP, TCP_KEEPIDLE));
	say("low water %d", get(fd, SOL_SOCKET, SO_RCVLOWAT));
	NEED(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &len) == 0);
	say("time %ld", (long)got.tv_sec);
	len = sizeof(how);
	NEED(getsockopt(fd, SOL_SOCKET, SO_LINGER, &how, &len) == 0);
	say("linger %d %d", how.l_onoff, how.l_linger);
	ask_peer("ready");
	greet(fd);
}

/* 85: a reset, since the listener has SO_LINGER of 0 s */
static void inherited_reset(void)
{
	const struct linger linger = { .l_onoff = 1 };
	int listener = listening_socket(NULL), fd;

	NEED(setsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	peer_connects(listener);
	fd = accepted(listener);
	ask_peer("ready");
	greet(fd);
	say_result("close", close(fd));
	tell_peer("until_end");
}

/* 86 */
static void deferred_accept(void)
{
	int listener = listening_socket(NULL), fd;
	char text[16] = "";

	set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
	peer_connects(listener);
	tell_peer_later("text hello");
	fd = accepted(listener);
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, sizeof(text)));
	say("'%s'", text);
	hear_peer();
	greet(fd);
}

/* 86 */
static void fast_open_listener(void)
{
	int listener = listening_socket(NULL), fd;

	set(listener, IPPROTO_TCP, TCP_FASTOPEN, 16);
	peer_connects(listener);
	fd = accepted(listener);
	ask_peer("ready");
	greet(fd);
}

/* 87 */
static void fast_open(void)
{
	struct sockaddr_in at = peer_listens();
	int fd = client_socket();
	char text[16] = "";
	ssize_t n = sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&at, sizeof(at));

	if (n < 0 && errno == EINPROGRESS && is_nonblocking) {
		NEED(finish_connect(fd) == 0);
		n = write(fd, "hello", 5);
	}
	say_result("sent", n);
	tell_peer("read_text 5");
	tell_peer("text welcome");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, sizeof(text)));
	say_result(
		"again", sendto(fd, "more", 4, MSG_FASTOPEN, (struct sockaddr *)&at, sizeof(at)));
}

/* 87 */
static void fast_open_message(void)
{
	struct sockaddr_in at = peer_listens();
	struct iovec parts[] = { { "he", 2 }, { "llo", 3 } };
	struct msghdr msg = {
		.msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = parts, .msg_iovlen = 2
	};
	int fd = client_socket();
	ssize_t n = sendmsg(fd, &msg, MSG_FASTOPEN);

	if (n < 0 && errno == EINPROGRESS && is_nonblocking) {
		NEED(finish_connect(fd) == 0);
		n = writev(fd, parts, 2);
	}
	say_result("sent", n);
	tell_peer("read_text 5");
}

/* 87 */
static void fast_open_connect(void)
{
	struct sockaddr_in at = peer_listens();
	int fd = client_socket();
	ssize_t n;

	set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EINPROGRESS);
	await(fd, POLLOUT);
	n = write(fd, "hello", 5);
	if (n < 0 && errno == EINPROGRESS) {
		NEED(finish_connect(fd) == 0);
		n = write(fd, "hello", 5);
	}
	say_result("sent", n);
	tell_peer("read_text 5");
}

/* 87: nobody listens there */
static void fast_open_refused(void)
{
	uint16_t port;
	int nobody = listening_socket(&port), fd = client_socket();
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	ssize_t n;

	NEED(close(nobody) == 0);
	n = sendto(fd, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&at, sizeof(at));
	if (n < 0 && errno == EINPROGRESS && is_nonblocking) {
		errno = finish_connect(fd);
		n = -1;
	}
	say_result("error", n);
	fd = connected();
	NEED(send_all(fd, 1));
	tell_peer("recv 1");
}

/* 26 */
static void left_alone(void)
{
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, 0x40000) };
	const struct sock_fprog program = { .len = 1, .filter = all };
	int fd = connected();

	say_result("SO_ATTACH_FILTER",
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	say_result("SO_DETACH_FILTER", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, all, 4));
	say("type %d, protocol %d, domain %d", get(fd, SOL_SOCKET, SO_TYPE),
		get(fd, SOL_SOCKET, SO_PROTOCOL), get(fd, SOL_SOCKET, SO_DOMAIN));
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_IP, IP_TOS, 0x10);
	say("nodelay %d, tos %d", get(fd, IPPROTO_TCP, TCP_NODELAY), get(fd, IPPROTO_IP, IP_TOS));
	say("no such option: %d", get(fd, SOL_SOCKET, 9999));
	greet(fd);
}

const struct test_case cases[] = {
	CASE(85, inherited, SERVER | ANY_MODE),
	CASE(85, inherited_reset, SERVER | ANY_MODE),
	CASE(86, deferred_accept, SERVER | ANY_MODE),
	CASE(86, fast_open_listener, SERVER | ANY_MODE),
	CASE(87, fast_open, CLIENT | ANY_MODE),
	CASE(87, fast_open_message, CLIENT | ANY_MODE),
	CASE(87, fast_open_connect, CLIENT | ANY_MODE),
	CASE(87, fast_open_refused, CLIENT | ANY_MODE),
	CASE(26, left_alone, EVERYWHERE),
	END_OF_CASES,
};
