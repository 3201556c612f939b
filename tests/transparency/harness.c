/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONTROL_FD 900 /* and the next, for a second peer: see test_cases.py */
#define PEERS 2
#define LINE_MOST 1024
#define HANG_S 10

struct peer {
	char got[LINE_MOST * 4];
	size_t have;
	char answer[LINE_MOST];
	char later[LINE_MOST];
	uint64_t sent, received;
};

bool is_client, is_nonblocking;
static struct peer peers[PEERS], *peer = &peers[0];
static const struct test_case *running;

/* --- The transcript */

static void write_out(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			_exit(3);
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

void say(const char *format, ...)
{
	char line[LINE_MOST * 2];
	int saved = errno, len;
	va_list args;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[len++] = '\n';
	write_out(STDOUT_FILENO, line, (size_t)len);
	errno = saved;
}

long say_result(const char *call, long result)
{
	if (result < 0)
		say("%s: %s", call, strerrorname_np(errno));
	else
		say("%s: %ld", call, result);
	return result;
}

ssize_t say_received(const char *call, const void *buf, ssize_t n)
{
	size_t good = n > 0 ? pattern_match(buf, (size_t)n, peer->received) : 0;

	if (n > 0 && good != (size_t)n)
		say("%s: %zd, of which byte %zu is not what the peer has sent", call, n, good);
	else
		say_result(call, n);
	peer->received += good;
	return n;
}

void say_events(const char *what, unsigned events)
{
	static const struct {
		unsigned bit;
		const char *name;
	} bits[] = { { POLLIN, "IN" }, { POLLOUT, "OUT" }, { POLLPRI, "PRI" },
		{ POLLRDHUP, "RDHUP" }, { POLLHUP, "HUP" }, { POLLERR, "ERR" },
		{ POLLNVAL, "NVAL" }, { POLLRDNORM, "RDNORM" }, { POLLWRNORM, "WRNORM" },
		{ POLLRDBAND, "RDBAND" }, { POLLWRBAND, "WRBAND" } };
	char line[256] = "";

	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++)
		if ((events & bits[i].bit) != 0) {
			strcat(line, line[0] != '\0' ? "|" : "");
			strcat(line, bits[i].name);
		}
	say("%s: %s", what, line[0] != '\0' ? line : "nothing");
}

void need(bool good, const char *what)
{
	if (good)
		return;
	dprintf(STDERR_FILENO, "case %d %s: not true: %s (errno %s)\n", running->number,
		running->name, what, strerrorname_np(errno));
	_exit(4);
}

/* --- The peer */

static int control_fd(void)
{
	return CONTROL_FD + (int)(peer - peers);
}

void use_peer(int number)
{
	peer = &peers[number];
}

/* Waits by poll(), as any program would that serves several descriptors. */
static const char *next_answer(void)
{
	char *end;
	size_t len;

	while ((end = memchr(peer->got, '\n', peer->have)) == NULL) {
		ssize_t n;

		await(control_fd(), POLLIN);
		n = read(control_fd(), peer->got + peer->have, sizeof(peer->got) - peer->have);
		need(n > 0, "the peer is there");
		peer->have += (size_t)n;
	}
	len = (size_t)(end - peer->got);
	NEED(len < sizeof(peer->answer));
	memcpy(peer->answer, peer->got, len);
	peer->answer[len] = '\0';
	peer->have -= len + 1;
	memmove(peer->got, end + 1, peer->have);
	need(strncmp(peer->answer, "error", 5) != 0, peer->answer);
	return peer->answer;
}

static void command(char *line, const char *prefix, const char *format, va_list args)
{
	int len = snprintf(line, LINE_MOST, "%s", prefix);

	len += vsnprintf(line + len, LINE_MOST - (size_t)len - 1, format, args);
	line[len] = '\n';
	write_out(control_fd(), line, (size_t)len + 1);
	line[len] = '\0';
}

void tell_peer(const char *format, ...)
{
	char line[LINE_MOST];
	int saved = errno;
	va_list args;

	va_start(args, format);
	command(line, "", format, args);
	va_end(args);
	say("peer: %s: %s", line, next_answer());
	errno = saved;
}

const char *ask_peer(const char *format, ...)
{
	char line[LINE_MOST];
	va_list args;

	va_start(args, format);
	command(line, "", format, args);
	va_end(args);
	return next_answer();
}

void tell_peer_later(const char *format, ...)
{
	char prefix[64];
	va_list args;

	snprintf(prefix, sizeof(prefix), "asleep %d ", (int)gettid());
	va_start(args, format);
	command(peer->later, prefix, format, args);
	va_end(args);
}

void hear_peer(void)
{
	const char *sent = strchr(peer->later + strlen("asleep "), ' ') + 1;
	int saved = errno;

	say("peer: %s: %s", sent, next_answer());
	errno = saved;
}

void tell_peer_now(const char *format, ...)
{
	char line[LINE_MOST];
	va_list args;

	va_start(args, format);
	command(line, "", format, args);
	va_end(args);
}

const char *await_peer(void)
{
	return next_answer();
}

void forget_peer_bytes(void)
{
	peer->sent = peer->received = 0;
}

/* --- Connections */

void make_nonblocking(int fd, bool on)
{
	NEED(fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0) == 0);
}

int client_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | (is_nonblocking ? SOCK_NONBLOCK : 0), 0);

	NEED(fd >= 0);
	return fd;
}

int listening_socket(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	NEED(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 16) == 0);
	NEED(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	if (port != NULL)
		*port = ntohs(at.sin_port);
	return fd;
}

struct sockaddr_in peer_listens(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(ask_peer("listen"))) };
}

void peer_connects(int listener)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	ask_peer("connect %d", ntohs(at.sin_port));
}

int finish_connect(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	await(fd, POLLOUT);
	NEED(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	return error;
}

int connected_unused(void)
{
	int fd, listener;

	if (is_client) {
		struct sockaddr_in at = peer_listens();
		int r;

		fd = client_socket();
		r = connect(fd, (struct sockaddr *)&at, sizeof(at));
		need(is_nonblocking ? r < 0 && errno == EINPROGRESS : r == 0, "connect");
		if (is_nonblocking)
			NEED(finish_connect(fd) == 0);
		return fd;
	}
	listener = listening_socket(NULL);
	peer_connects(listener);
	fd = accept4(listener, NULL, NULL, is_nonblocking ? SOCK_NONBLOCK : 0);
	NEED(fd >= 0 && close(listener) == 0);
	return fd;
}

int connected(void)
{
	int fd = connected_unused();

	ask_peer("ready");
	return fd;
}

/* --- Waits */

short await(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int r;

	do
		r = poll(&pfd, 1, -1);
	while (r < 0 && errno == EINTR);
	NEED(r == 1);
	return pfd.revents;
}

void ready_for(int fd, short events)
{
	if (is_nonblocking)
		await(fd, events);
}

/* --- The stream */

uint8_t *outgoing(size_t len)
{
	static uint8_t *buf;
	static size_t room;

	if (len > room) {
		free(buf);
		buf = malloc(len);
		NEED(buf != NULL);
		room = len;
	}
	pattern_fill(buf, len, peer->sent);
	peer->sent += len;
	return buf;
}

void not_sent(size_t len)
{
	peer->sent -= len;
}

bool send_all(int fd, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t part = len - done < 262144 ? len - done : 262144;
		ssize_t n = write(fd, outgoing(part), part);

		if (n < (ssize_t)part)
			not_sent(n < 0 ? part : part - (size_t)n);
		if (n < 0 && (errno != EAGAIN || !is_nonblocking))
			return false;
		if (n < 0)
			await(fd, POLLOUT);
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static size_t receive(int fd, size_t len, size_t part, ssize_t *last)
{
	uint8_t *buf = malloc(part);
	size_t done = 0;

	NEED(buf != NULL);
	*last = 1;
	while (done < len) {
		ready_for(fd, POLLIN);
		*last = read(fd, buf, len - done < part ? len - done : part);
		if (*last < 0 && errno == EAGAIN && is_nonblocking)
			continue;
		if (*last <= 0)
			break;
		if (pattern_match(buf, (size_t)*last, peer->received) != (size_t)*last)
			say("a wrong byte after byte %lu", (unsigned long)peer->received);
		peer->received += (size_t)*last;
		done += (size_t)*last;
	}
	free(buf);
	return done;
}

void receive_all(int fd, size_t len, size_t part)
{
	ssize_t last;
	size_t done = receive(fd, len, part, &last);

	if (done == len)
		say("received %zu", done);
	else
		say("received %zu, then %s", done, last == 0 ? "0" : strerrorname_np(errno));
}

void receive_to_end(int fd)
{
	ssize_t last;
	size_t done = receive(fd, SIZE_MAX, 65536, &last);

	say("received %zu, then %s", done, last == 0 ? "0" : strerrorname_np(errno));
}

short poll_now(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	NEED(poll(&pfd, 1, 0) >= 0);
	return pfd.revents;
}

int queued(int fd, int least)
{
	int have = -1;

	for (;;) {
		NEED(ioctl(fd, FIONREAD, &have) == 0);
		if (have >= least)
			return have;
		poll(NULL, 0, 1);
	}
}

void say_seen(const char *call, const void *buf, ssize_t n, uint64_t from)
{
	size_t good = n > 0 ? pattern_match(buf, (size_t)n, from) : 0;

	if (n > 0 && good != (size_t)n)
		say("%s: %zd, of which byte %zu is wrong", call, n, good);
	else
		say_result(call, n);
}

/* --- */

static void print_escaped(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		if (*text == '\n')
			printf("\\n");
		else
			putchar(*text);
}

static int print_list(void)
{
	for (const struct test_case *at = cases; at->name != NULL; at++) {
		printf("%d\t%s\t%s%s\t%s%s\t", at->number, at->name,
			(at->where & CLIENT) != 0 ? "client " : "",
			(at->where & SERVER) != 0 ? "server" : "",
			(at->where & BLOCKING) != 0 ? "blocking " : "",
			(at->where & NONBLOCKING) != 0 ? "nonblocking" : "");
		print_escaped(at->covered);
		printf("\t%s\n", at->because != NULL ? at->because : "");
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return print_list();
	if (argc != 4)
		return 2;
	is_client = strcmp(argv[2], "client") == 0;
	is_nonblocking = strcmp(argv[3], "nonblocking") == 0;
	for (running = cases; running->name != NULL; running++)
		if (strcmp(running->name, argv[1]) == 0)
			break;
	if (running->name == NULL)
		return 2;
	alarm(HANG_S);
	running->run();
	say("done");
	return 0;
}
