/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A thread for each connection, blocking calls, messages of 64 bytes:
 *   echo_threads serve PORT CONNECTIONS         sends each message back
 *   echo_threads ask PORT CONNECTIONS MESSAGES  sends so many on each, and waits for each to return
 * Prints how often memory was asked for in all trips but the first few, whoever asked: these are
 * the process's functions for it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE 64
#define FIRST 10
#define CONNECTIONS_MOST 64

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static _Thread_local unsigned long asked;
static unsigned long messages, in_trips[CONNECTIONS_MOST];
static bool serves;
static int sockets[CONNECTIONS_MOST];

void *malloc(size_t size)
{
	asked++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	asked++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	asked++;
	return __libc_realloc(old, size);
}

static bool receive_message(int fd, char *message)
{
	ssize_t n = recv(fd, message, MESSAGE, MSG_WAITALL);

	if (n != 0 && n != MESSAGE)
		err(1, "recv");
	return n > 0;
}

static void send_message(int fd, const char *message)
{
	if (send(fd, message, MESSAGE, 0) != MESSAGE)
		err(1, "send");
}

static bool trip(int fd, unsigned long number)
{
	char message[MESSAGE] = { 0 };

	if (!serves && number == messages)
		return false;
	if (!serves)
		send_message(fd, message);
	if (!receive_message(fd, message))
		return false;
	if (serves)
		send_message(fd, message);
	return true;
}

static void *run(void *arg)
{
	int *fd = arg;
	unsigned long begin = 0;

	for (unsigned long number = 0; trip(*fd, number); number++) {
		if (number + 1 == FIRST)
			begin = asked;
		in_trips[fd - sockets] = asked - begin;
	}
	close(*fd);
	return NULL;
}

static void open_all(const struct sockaddr_in *address, int count)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (serves &&
		(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
			bind(listener, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
			listen(listener, count) < 0))
		err(1, "listen");
	for (int i = 0; i < count; i++) {
		sockets[i] =
			serves ? accept(listener, NULL, NULL) : socket(AF_INET, SOCK_STREAM, 0);
		if (sockets[i] < 0 ||
			(!serves && connect(sockets[i], (const struct sockaddr *)address,
					    sizeof(*address)) < 0))
			err(1, "connect");
	}
	close(listener);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	pthread_t thread[CONNECTIONS_MOST];
	unsigned long all = 0;
	int count = argc > 3 ? atoi(argv[3]) : 0;

	if (count < 1 || count > CONNECTIONS_MOST)
		errx(2, "usage: echo_threads serve|ask PORT CONNECTIONS [MESSAGES]");
	serves = strcmp(argv[1], "serve") == 0;
	address.sin_port = htons((uint16_t)atoi(argv[2]));
	messages = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	open_all(&address, count);
	for (int i = 0; i < count; i++)
		if (pthread_create(&thread[i], NULL, run, &sockets[i]) != 0)
			errx(1, "pthread_create");
	for (int i = 0; i < count; i++) {
		pthread_join(thread[i], NULL);
		all += in_trips[i];
	}
	printf("asked for memory %lu times\n", all);
	return EXIT_SUCCESS;
}
