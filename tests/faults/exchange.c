/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program of the plainest kind, for faults to be put into: a client that sends bytes
 * and wants them back, or a server that sends back what it gets from one client. It takes what
 * calls give as any program has to: what is no error goes on, and an error ends it.
 *
 *   exchange client PORT LENGTH [nonblocking]
 *   exchange server [nonblocking]        its port is its first line
 *
 * Exit status 0: everything went and came; 1: a call failed, which the last line names; 3: wrong
 * bytes came.
 */
#include "../transparency/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART 30000
#define HANG_S 20

static bool nonblocking;
static uint8_t buffer[65536];

/* Whoever reads this is to get it: the fault is for the connection. */
static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (int done = 0, tries = 0; tries < 3 && done < len; tries++) {
		ssize_t n = write(STDOUT_FILENO, line + done, (size_t)(len - done));

		done += n > 0 ? (int)n : 0;
	}
}

static void __attribute__((noreturn)) fail(const char *call)
{
	say("%s: %s\n", call, strerrorname_np(errno));
	_exit(1);
}

static long check(long result, const char *call)
{
	if (result < 0)
		fail(call);
	return result;
}

/* A signal may come at any time, and its handler make a child that goes at once. */
static void handle(int number)
{
	int saved = errno;

	if (number == SIGUSR2 && fork() == 0)
		_exit(0);
	errno = saved;
}

static void await(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	while (poll(&pfd, 1, -1) < 0)
		if (errno != EINTR && errno != EAGAIN)
			fail("poll");
}

/* Whether to try again. */
static bool again(int fd, short events)
{
	if (errno == EAGAIN)
		await(fd, events);
	return errno == EAGAIN || errno == EINTR;
}

static void send_all(int fd, size_t len, uint64_t place)
{
	for (size_t done = 0; done < len;) {
		ssize_t n;

		pattern_fill(buffer, len - done, place + done);
		n = send(fd, buffer, len - done, 0);
		if (n < 0 && !again(fd, POLLOUT))
			fail("send");
		done += n > 0 ? (size_t)n : 0;
	}
}

/* 0: the end. */
static size_t receive(int fd, uint64_t place)
{
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), 0)) < 0)
		if (!again(fd, POLLIN))
			fail("recv");
	if (pattern_match(buffer, (size_t)n, place) == (size_t)n)
		return (size_t)n;
	say("wrong bytes after %lu\n", (unsigned long)place);
	exit(3);
}

static void make_nonblocking(int fd)
{
	if (nonblocking)
		check(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
}

static void finish_connect(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	await(fd, POLLOUT);
	check(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), "getsockopt");
	errno = error;
	if (error != 0)
		fail("connect");
}

static void be_client(uint16_t port, size_t len)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	uint64_t sent = 0, received = 0;
	size_t n;

	make_nonblocking(fd);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			fail("connect");
		finish_connect(fd);
	}
	while (sent < len) {
		size_t part = len - sent < PART ? (size_t)(len - sent) : PART;

		send_all(fd, part, sent);
		sent += part;
	}
	check(shutdown(fd, SHUT_WR), "shutdown");
	while ((n = receive(fd, received)) > 0)
		received += n;
	if (received != len) {
		say("the end after %lu\n", (unsigned long)received);
		exit(1);
	}
	check(close(fd), "close");
}

static void be_server(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t at_len = sizeof(at);
	int listener = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket"), fd;
	uint64_t received = 0;
	size_t n;

	check(bind(listener, (struct sockaddr *)&at, at_len), "bind");
	check(listen(listener, 1), "listen");
	check(getsockname(listener, (struct sockaddr *)&at, &at_len), "getsockname");
	say("%d\n", ntohs(at.sin_port));
	while ((fd = accept(listener, NULL, NULL)) < 0)
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			fail("accept");
	make_nonblocking(fd);
	while ((n = receive(fd, received)) > 0) {
		send_all(fd, n, received);
		received += n;
	}
	check(close(fd), "close");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handle };

	if (argc < 2)
		return 2;
	alarm(HANG_S);
	nonblocking = strcmp(argv[argc - 1], "nonblocking") == 0;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(argv[1], "client") == 0 && argc >= 4)
		be_client((uint16_t)atoi(argv[2]), strtoul(argv[3], NULL, 0));
	else if (strcmp(argv[1], "server") == 0)
		be_server();
	else
		return 2;
	say("done\n");
	return 0;
}
