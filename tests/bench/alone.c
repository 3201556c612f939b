/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * alone COUNT: connections within this process, in the clear: nanoseconds of CPU time for a round
 * trip on one, after its first bytes, and for a connection with one request. What the library adds
 * where policy leaves them alone is the difference to a run without it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
static struct sockaddr_in address = { .sin_family = AF_INET };
static int listener;

static void go_both_ways(int from, int to)
{
	char buf[sizeof request];

	if (send(from, request, sizeof request - 1, 0) < 0 || recv(to, buf, sizeof buf, 0) < 0 ||
		send(to, request, sizeof request - 1, 0) < 0 || recv(from, buf, sizeof buf, 0) < 0)
		err(1, "send or recv");
}

static void connect_two(int ends[2])
{
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (ends[0] < 0 || connect(ends[0], (struct sockaddr *)&address, sizeof address) < 0)
		err(1, "connect");
	ends[1] = accept(listener, NULL, NULL);
	if (ends[1] < 0)
		err(1, "accept");
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void one_connection(void)
{
	int ends[2];

	connect_two(ends);
	go_both_ways(ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	long count = argc == 2 ? atol(argv[1]) : 0;
	socklen_t len = sizeof address;
	int ends[2];
	double begin;

	if (count <= 0)
		errx(2, "usage: alone COUNT");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
		listen(listener, 16) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		err(1, "listen");
	connect_two(ends);
	go_both_ways(ends[0], ends[1]);
	begin = now_ns();
	for (long i = 0; i < count; i++)
		go_both_ways(ends[0], ends[1]);
	printf("round-trip %.0f\n", (now_ns() - begin) / (double)count);
	begin = now_ns();
	for (long i = 0; i < count / 10; i++)
		one_connection();
	printf("connection %.0f\n", (now_ns() - begin) / (double)(count / 10));
	return 0;
}
