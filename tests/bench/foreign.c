/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls on descriptors that are not TCP's, COUNT of each: nanoseconds of CPU time a call, a line
 * each. What a preloaded library adds to them is the difference to a run without.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int null, zero, tube[2], pair[2], set;
static FILE *stream;
static char buf[16];

static void write_file(void)
{
	if (write(null, buf, 1) != 1)
		err(1, "write");
}

static void read_file(void)
{
	if (read(zero, buf, 1) != 1)
		err(1, "read");
}

static void use_pipe(void)
{
	if (write(tube[1], buf, 1) != 1 || read(tube[0], buf, 1) != 1)
		err(1, "pipe");
}

static void use_socket(void)
{
	if (send(pair[1], buf, 1, 0) != 1 || recv(pair[0], buf, 1, 0) != 1)
		err(1, "socketpair");
}

static void poll_pipe(void)
{
	struct pollfd fd = { .fd = tube[0], .events = POLLIN };

	if (poll(&fd, 1, 0) != 0)
		err(1, "poll");
}

static void open_close(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || close(fd) < 0)
		err(1, "open");
}

static void dup_close(void)
{
	int fd = dup(null);

	if (fd < 0 || close(fd) < 0)
		err(1, "dup");
}

/* Through a buffer, and flushed. */
static void use_stream(void)
{
	if (fputs("x", stream) == EOF || fflush(stream) == EOF)
		err(1, "stream");
}

static void epoll_pipe(void)
{
	struct epoll_event event;

	if (epoll_wait(set, &event, 1, 0) != 1)
		err(1, "epoll_wait");
}

static const struct {
	const char *name;
	void (*call)(void);
} calls[] = { { "write-file", write_file }, { "read-file", read_file }, { "pipe", use_pipe },
	{ "unix-socket", use_socket }, { "poll", poll_pipe }, { "open-close", open_close },
	{ "dup-close", dup_close }, { "stream", use_stream }, { "epoll", epoll_pipe } };

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (count == 0 || null < 0 || zero < 0 || pipe(tube) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		errx(2, "usage: foreign COUNT");
	stream = fdopen(null, "w");
	set = epoll_create1(EPOLL_CLOEXEC);
	/* The end that is written to is always ready. */
	if (stream == NULL || set < 0 ||
		epoll_ctl(set, EPOLL_CTL_ADD, tube[1],
			&(struct epoll_event){ .events = EPOLLOUT }) < 0)
		err(1, "a stream and an epoll set");
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		double begin = cpu_ns();

		for (unsigned long n = 0; n < count; n++)
			calls[i].call();
		printf("%s %.1f\n", calls[i].name, (cpu_ns() - begin) / (double)count);
	}
	return EXIT_SUCCESS;
}
