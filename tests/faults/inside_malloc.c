/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program whose signal comes in the middle of malloc(), with the lock of memory held, and whose
 * handler makes the first use of a connection: whoever allocates there waits for ever, which this
 * tells instead.
 *
 *   inside_malloc PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

static volatile sig_atomic_t locked, armed, talked;
static uint16_t port;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

static void __attribute__((noreturn)) end(const char *words)
{
	if (write(STDOUT_FILENO, words, strlen(words)) < 0)
		_exit(4);
	_exit(3);
}

static void enter(void)
{
	if (locked)
		end("malloc in malloc\n");
	if (!armed)
		return;
	armed = false;
	locked = true;
	raise(SIGUSR1);
	locked = false;
}

SHOWN void *malloc(size_t size)
{
	enter();
	return __libc_malloc(size);
}

SHOWN void *calloc(size_t count, size_t size)
{
	enter();
	return __libc_calloc(count, size);
}

SHOWN void *realloc(void *old, size_t size)
{
	enter();
	return __libc_realloc(old, size);
}

SHOWN void free(void *block)
{
	if (block != NULL)
		enter();
	__libc_free(block);
}

static void talk(int number)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char word[6] = "";

	(void)number;
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		end(strerrorname_np(errno));
	if (send(fd, "hello", 5, 0) != 5 || recv(fd, word, 5, MSG_WAITALL) != 5 ||
		strcmp(word, "hello") != 0 || close(fd) < 0)
		end("no answer\n");
	talked = true;
}

int main(int argc, char **argv)
{
	void *block;

	if (argc != 2)
		return 2;
	port = (uint16_t)atoi(argv[1]);
	signal(SIGUSR1, talk);
	armed = true;
	block = malloc(10);
	free(block);
	return talked ? 0 : 1;
}
