/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program that leaves no trace of its own of what it sends and receives: a client
 * that sends what is on its standard input and receives as much, or a server that sends it back;
 * then it wipes its buffer, says so, and waits. Before that it goes on as it is told to:
 *
 *   idle      waits in the middle of the connection
 *   part      takes one byte of what comes next
 *   receive   is in a call that receives as it waits
 *   close     closes the connection
 *
 *   holder server THEN | holder client THEN PORT        the server's port is its first line
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char word[4096];

static void check(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static int be_client(uint16_t port, size_t *len)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t n = read(STDIN_FILENO, word, sizeof(word));

	check(n > 0, "read");
	check(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "connect");
	check(send(fd, word, (size_t)n, 0) == n, "send");
	*len = (size_t)n;
	check(recv(fd, word, *len, MSG_WAITALL) == n, "recv");
	return fd;
}

static int be_server(size_t *len)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t at_len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	ssize_t n;

	check(bind(listener, (struct sockaddr *)&at, at_len) == 0 && listen(listener, 1) == 0,
		"listen");
	check(getsockname(listener, (struct sockaddr *)&at, &at_len) == 0, "getsockname");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	fd = accept(listener, NULL, NULL);
	check(fd >= 0, "accept");
	n = recv(fd, word, sizeof(word), 0);
	check(n > 0 && send(fd, word, (size_t)n, 0) == n, "send");
	*len = (size_t)n;
	return fd;
}

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t len = 0;
	const char *then;
	int fd;

	if (argc < 3)
		return 2;
	then = argv[2];
	fd = argc == 4 ? be_client((uint16_t)atoi(argv[3]), &len) : be_server(&len);
	explicit_bzero(word, len);
	say("exchanged");
	if (strcmp(then, "part") == 0)
		check(recv(fd, word, 1, 0) == 1, "recv");
	if (strcmp(then, "close") == 0)
		check(close(fd) == 0, "close");
	explicit_bzero(word, 1);
	say("holding");
	if (strcmp(then, "receive") == 0)
		recv(fd, word, sizeof(word), 0);
	for (;;)
		pause();
}
