/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program that sends, waits and receives by io_uring alone, past every libc function:
 *
 *   ring PORT    says what came back of 20,000 bytes
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEN 20000

static int done(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait(ring, 1);

	if (r < 0 || io_uring_wait_cqe(ring, &cqe) < 0)
		exit(3);
	r = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return r;
}

static int receive(struct io_uring *ring, int fd, char *data, size_t len)
{
	io_uring_prep_poll_add(io_uring_get_sqe(ring), fd, POLLIN);
	done(ring);
	io_uring_prep_recv(io_uring_get_sqe(ring), fd, data, len, 0);
	return done(ring);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char sent[LEN], got[LEN];
	struct io_uring ring;
	size_t at = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	to.sin_port = htons(argc == 2 ? (uint16_t)atoi(argv[1]) : 0);
	for (size_t i = 0; i < LEN; i++)
		sent[i] = (char)(i * 7 + i / 251);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
		io_uring_queue_init(4, &ring, 0) < 0)
		return 1;
	io_uring_prep_send(io_uring_get_sqe(&ring), fd, sent, LEN, 0);
	r = done(&ring);
	printf("sent %d\n", r);
	fflush(stdout);
	while (at < LEN && (r = receive(&ring, fd, got + at, LEN - at)) > 0)
		at += (size_t)r;
	printf("received %zu, %s\n", at, memcmp(sent, got, LEN) == 0 ? "the same" : "others");
	return close(fd);
}
