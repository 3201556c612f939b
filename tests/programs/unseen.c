/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified client that sends a file and receives one answer by a way that a preloaded library
 * sees little or nothing of:
 *
 *   unseen WAY PORT FILE    prints how many bytes have come
 */
#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

static char out[65536], in[65536];
static size_t out_len;

static void check(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static int connected(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
	return fd;
}

/* An instruction of the program's own, past libc. */
static long raw(long number, long fd, const void *data, size_t len)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(fd), "S"(data), "d"(len)
			 : "rcx", "r11", "memory");
	return r;
#else
	return syscall(number, fd, data, len);
#endif
}

/* --- libc's streams */

#define SHORTEST 12 /* answer */

static size_t by_streams(int fd, int mode, size_t room)
{
	FILE *sending = fdopen(dup(fd), "w"), *receiving = fdopen(fd, "r");
	size_t n;

	check(sending != NULL && receiving != NULL, "fdopen");
	setvbuf(sending, NULL, mode, room);
	setvbuf(receiving, NULL, mode, room);
	check(fwrite(out, 1, out_len, sending) == out_len, "fwrite");
	if (mode != _IONBF)
		fflush(sending);
	/* With a buffer all that is there goes into it. */
	n = fread(in, 1, mode == _IONBF ? SHORTEST : 1, receiving);
	fclose(sending);
	fclose(receiving);
	return n;
}

static size_t stream(int fd)
{
	return by_streams(fd, _IOFBF, 65536);
}

static size_t stream_unbuffered(int fd)
{
	return by_streams(fd, _IONBF, 0);
}

/* Nobody flushes it but libc at the end. */
static size_t stream_at_exit(int fd)
{
	check(fwrite(out, 1, out_len, fdopen(fd, "w")) == out_len, "fwrite");
	return 0;
}

static size_t stream_for_both(int fd)
{
	FILE *both = fdopen(fd, "r+");
	size_t n;

	fwrite(out, 1, out_len, both);
	fflush(both);
	n = getc(both) != EOF;
	fclose(both);
	return n;
}

/* --- asynchronous I/O */

static ssize_t finished(struct aiocb *job)
{
	const struct aiocb *list[] = { job };

	while (aio_error(job) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	return aio_return(job);
}

static size_t asynchronous(int fd)
{
	struct aiocb sending = { .aio_fildes = fd, .aio_buf = out, .aio_nbytes = out_len };
	struct aiocb receiving = { .aio_fildes = fd, .aio_buf = in, .aio_nbytes = sizeof in };
	ssize_t n;

	check(aio_write(&sending) == 0 && finished(&sending) == (ssize_t)out_len, "aio_write");
	check(aio_read(&receiving) == 0, "aio_read");
	n = finished(&receiving);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

static size_t asynchronous_list(int fd)
{
	struct aiocb job = {
		.aio_fildes = fd, .aio_buf = out, .aio_nbytes = out_len, .aio_lio_opcode = LIO_WRITE
	};
	struct aiocb *list[] = { &job };

	check(lio_listio(LIO_WAIT, list, 1, NULL) == 0, "lio_listio");
	close(fd);
	return 0;
}

/* --- past libc */

static size_t past_libc(int fd)
{
	long n;

	check(raw(SYS_write, fd, out, out_len) == (long)out_len, "write");
	n = raw(SYS_read, fd, in, sizeof in);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* The answer is seen. */
static size_t sent_past_libc(int fd)
{
	ssize_t n;

	check(raw(SYS_write, fd, out, out_len) == (long)out_len, "write");
	n = recv(fd, in, sizeof in, 0);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* The answer is left unread. */
static size_t nothing_read(int fd)
{
	check(raw(SYS_write, fd, out, out_len) == (long)out_len, "write");
	raw(SYS_recvfrom, fd, NULL, 0); /* nothing */
	while (recv(fd, in, 1, MSG_PEEK) < 0)
		;
	close(fd);
	return 0;
}

#ifdef HAVE_LIBURING
static int done(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int r;

	check(io_uring_submit_and_wait(ring, 1) >= 0 && io_uring_wait_cqe(ring, &cqe) == 0, "ring");
	r = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return r;
}

static size_t by_ring(int fd, int receive)
{
	struct io_uring ring;
	ssize_t n;

	if (io_uring_queue_init(4, &ring, 0) < 0)
		exit(77);
	io_uring_prep_send(io_uring_get_sqe(&ring), fd, out, out_len, 0);
	check(done(&ring) == (int)out_len, "send");
	if (receive) {
		io_uring_prep_recv(io_uring_get_sqe(&ring), fd, in, sizeof in, 0);
		n = done(&ring);
	} else {
		n = recv(fd, in, sizeof in, 0);
	}
	close(fd);
	return n > 0 ? (size_t)n : 0;
}
#else
static size_t by_ring(int fd, int receive)
{
	(void)fd, (void)receive;
	exit(77);
}
#endif

static size_t ring(int fd)
{
	return by_ring(fd, 1);
}

static size_t sent_by_ring(int fd)
{
	return by_ring(fd, 0);
}

static const struct {
	const char *name;
	size_t (*talk)(int fd);
} ways[] = {
	{ "stream", stream },
	{ "stream_unbuffered", stream_unbuffered },
	{ "stream_at_exit", stream_at_exit },
	{ "stream_for_both", stream_for_both },
	{ "asynchronous", asynchronous },
	{ "asynchronous_list", asynchronous_list },
	{ "past_libc", past_libc },
	{ "sent_past_libc", sent_past_libc },
	{ "nothing_read", nothing_read },
	{ "ring", ring },
	{ "sent_by_ring", sent_by_ring },
};

int main(int argc, char **argv)
{
	FILE *file = argc == 4 ? fopen(argv[3], "re") : NULL;

	if (file == NULL)
		return 2;
	out_len = fread(out, 1, sizeof out, file);
	fclose(file);
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (strcmp(ways[i].name, argv[1]) != 0)
			continue;
		printf("%zu\n", ways[i].talk(connected(atoi(argv[2]))));
		return 0;
	}
	return 2;
}
