/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified socket program: two processes send each other a known stream of bytes in both
 * directions at once, over TCP on loopback, and check every byte, the end of the stream, and that
 * no wait lies. How they wait, read and write is for the arguments to say. Run plain it shows that
 * the test is right; run under the library, that nothing is different.
 *
 *   exchange wait=poll|select|epoll|edge|short|block|fork|thread read=N write=N total=N [sndbuf=N]
 * [rcvbuf=N] [parts=N]
 *
 * edge: edge-triggered, reading until EAGAIN; short: edge-triggered, a short count taken for
 * "nothing more" (as nginx and tokio do).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_S 60
#define MOST 262144

static struct {
	char wait[16];
	size_t read, write, total, parts;
	int sndbuf, rcvbuf;
} plan = { "poll", 16384, 16384, 1 << 20, 1, 0, 0 };

struct side {
	int fd;
	unsigned in_seed, out_seed;
	size_t in, out;
	int in_end, out_end;
	int can_read, can_write; /* as far as an edge-triggered program knows */
	int hung_up;             /* the end is near: a short count says nothing any more */
	char *read_buf, *write_buf;
};

static void die(const char *what)
{
	fprintf(stderr, "exchange[%d]: %s: %s\n", (int)getpid(), what, strerror(errno));
	_exit(1);
}

static unsigned char byte_at(unsigned seed, size_t offset)
{
	uint32_t x = (uint32_t)(offset * 2654435761U) ^ seed;

	return (unsigned char)(x >> 13 ^ x >> 3);
}

static void take(struct side *side, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)side->read_buf[i] !=
			byte_at(side->in_seed, side->in + (size_t)i)) {
			errno = EBADMSG;
			die("a byte is wrong");
		}
	side->in += (size_t)n;
}

static ssize_t read_some(struct side *side)
{
	struct iovec iov[8];
	size_t part = plan.read / plan.parts;

	if (plan.parts == 1)
		return read(side->fd, side->read_buf, plan.read);
	for (size_t i = 0; i < plan.parts; i++)
		iov[i] = (struct iovec){ side->read_buf + i * part,
			i + 1 < plan.parts ? part : plan.read - i * part };
	return readv(side->fd, iov, (int)plan.parts);
}

/* 1: it took something and there may be more; 0: nothing there now, or the end. */
static int reading(struct side *side)
{
	ssize_t n = read_some(side);

	if (n < 0 && errno == EAGAIN) {
		side->can_read = 0;
		return 0;
	}
	if (n < 0)
		die("read");
	if (n == 0) {
		side->in_end = 1;
		return 0;
	}
	take(side, n);
	if (strcmp(plan.wait, "short") == 0 && (size_t)n < plan.read && !side->hung_up) {
		side->can_read = 0;
		return 0;
	}
	return 1;
}

static int writing(struct side *side)
{
	size_t len = plan.total - side->out < plan.write ? plan.total - side->out : plan.write,
	       half;
	struct iovec iov[2];
	ssize_t n;

	if (len == 0) {
		if (!side->out_end && shutdown(side->fd, SHUT_WR) != 0)
			die("shutdown");
		side->out_end = 1;
		return 0;
	}
	for (size_t i = 0; i < len; i++)
		side->write_buf[i] = (char)byte_at(side->out_seed, side->out + i);
	half = len / 2;
	iov[0] = (struct iovec){ side->write_buf, half };
	iov[1] = (struct iovec){ side->write_buf + half, len - half };
	n = plan.parts == 1 ? write(side->fd, side->write_buf, len) : writev(side->fd, iov, 2);
	if (n < 0 && errno == EAGAIN) {
		side->can_write = 0;
		return 0;
	}
	if (n < 0)
		die("write");
	if (n == 0)
		die("write took nothing");
	side->out += (size_t)n;
	return 1;
}

static void by_poll(struct side *side)
{
	struct pollfd pfd = { .fd = side->fd };

	while (!side->in_end || !side->out_end) {
		pfd.events = (short)((side->in_end ? 0 : POLLIN) | (side->out_end ? 0 : POLLOUT));
		if (poll(&pfd, 1, HANG_S * 1000) <= 0)
			die("poll");
		if (pfd.revents & (POLLIN | POLLHUP | POLLERR))
			reading(side);
		if (pfd.revents & POLLOUT)
			writing(side);
	}
}

static void by_select(struct side *side)
{
	while (!side->in_end || !side->out_end) {
		struct timeval timeout = { HANG_S, 0 };
		fd_set in, out;

		FD_ZERO(&in);
		FD_ZERO(&out);
		if (!side->in_end)
			FD_SET(side->fd, &in);
		if (!side->out_end)
			FD_SET(side->fd, &out);
		if (select(side->fd + 1, &in, &out, NULL, &timeout) <= 0)
			die("select");
		if (FD_ISSET(side->fd, &in))
			reading(side);
		if (FD_ISSET(side->fd, &out))
			writing(side);
	}
}

static void by_epoll(struct side *side)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = side };

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, side->fd, &event) != 0)
		die("epoll_ctl");
	while (!side->in_end || !side->out_end) {
		if (epoll_wait(set, &event, 1, HANG_S * 1000) <= 0)
			die("epoll_wait");
		if (event.data.ptr != side)
			die("epoll gave another's data");
		if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !side->in_end)
			reading(side);
		if (event.events & EPOLLOUT && !side->out_end)
			writing(side);
		event.events = (side->in_end ? 0 : EPOLLIN) | (side->out_end ? 0 : EPOLLOUT);
		event.data.ptr = side;
		if (epoll_ctl(set, EPOLL_CTL_MOD, side->fd, &event) != 0)
			die("epoll_ctl");
	}
	close(set);
}

static void by_edges(struct side *side)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = side };

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, side->fd, &event) != 0)
		die("epoll_ctl");
	while (!side->in_end || !side->out_end) {
		while (side->can_read && !side->in_end && reading(side))
			continue;
		while (side->can_write && !side->out_end && writing(side))
			continue;
		if (side->in_end && side->out_end)
			break;
		if ((side->can_read && !side->in_end) || (side->can_write && !side->out_end))
			continue;
		if (epoll_wait(set, &event, 1, HANG_S * 1000) <= 0)
			die("epoll_wait: no edge came");
		if (event.data.ptr != side)
			die("epoll gave another's data");
		if (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			side->can_read = 1;
		if (event.events & EPOLLOUT)
			side->can_write = 1;
		if (event.events & EPOLLRDHUP)
			side->hung_up = 1;
	}
	close(set);
}

static void *all_writing(void *arg)
{
	struct side *side = arg;

	while (!side->out_end)
		writing(side);
	return NULL;
}

/* Poll, then a blocking read: it must not hang. */
static void all_reading(struct side *side)
{
	struct pollfd pfd = { .fd = side->fd, .events = POLLIN };

	while (!side->in_end) {
		if (poll(&pfd, 1, HANG_S * 1000) <= 0)
			die("poll");
		reading(side);
	}
}

static void by_thread(struct side *side)
{
	pthread_t writer;

	if (pthread_create(&writer, NULL, all_writing, side) != 0)
		die("pthread_create");
	all_reading(side);
	pthread_join(writer, NULL);
}

/* As rsync does: one process writes, the other reads. */
static void by_fork(struct side *side)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		all_writing(side);
		_exit(0);
	}
	all_reading(side);
	if (waitpid(child, &status, 0) != child || status != 0)
		die("the writing process failed");
}

/* One after the other, without waiting for anything but the calls themselves: the first writes all,
 * the second reads all. */
static void by_blocking(struct side *side, int first)
{
	if (first)
		all_writing(side);
	while (!side->in_end)
		reading(side);
	if (!first)
		all_writing(side);
}

static void run(int fd, int first)
{
	struct side side = { .fd = fd,
		.in_seed = first ? 2 : 1,
		.out_seed = first ? 1 : 2,
		.can_read = 1,
		.can_write = 1 };
	int blocking = strcmp(plan.wait, "block") == 0 || strcmp(plan.wait, "fork") == 0 ||
		       strcmp(plan.wait, "thread") == 0;

	side.read_buf = malloc(MOST);
	side.write_buf = malloc(MOST);
	if (plan.sndbuf && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &plan.sndbuf, sizeof(int)) != 0)
		die("SO_SNDBUF");
	if (!blocking && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		die("fcntl");
	if (strcmp(plan.wait, "poll") == 0)
		by_poll(&side);
	else if (strcmp(plan.wait, "select") == 0)
		by_select(&side);
	else if (strcmp(plan.wait, "epoll") == 0)
		by_epoll(&side);
	else if (strcmp(plan.wait, "thread") == 0)
		by_thread(&side);
	else if (strcmp(plan.wait, "fork") == 0)
		by_fork(&side);
	else if (strcmp(plan.wait, "block") == 0)
		by_blocking(&side, first);
	else
		by_edges(&side);
	if (side.in != plan.total) {
		errno = ENODATA;
		die("the stream is not whole");
	}
	if (read(fd, side.read_buf, 1) != 0)
		die("the end is not the end");
	close(fd);
	free(side.read_buf);
	free(side.write_buf);
}

static void set(const char *argument)
{
	const char *value = strchr(argument, '=');
	size_t number = value != NULL ? strtoul(value + 1, NULL, 10) : 0;

	if (value == NULL)
		exit(2);
	if (strncmp(argument, "wait=", 5) == 0)
		snprintf(plan.wait, sizeof(plan.wait), "%s", value + 1);
	else if (strncmp(argument, "read=", 5) == 0)
		plan.read = number;
	else if (strncmp(argument, "write=", 6) == 0)
		plan.write = number;
	else if (strncmp(argument, "total=", 6) == 0)
		plan.total = number;
	else if (strncmp(argument, "parts=", 6) == 0)
		plan.parts = number;
	else if (strncmp(argument, "sndbuf=", 7) == 0)
		plan.sndbuf = (int)number;
	else if (strncmp(argument, "rcvbuf=", 7) == 0)
		plan.rcvbuf = (int)number;
	else
		exit(2);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), status, fd;
	pid_t child;

	for (int i = 1; i < argc; i++)
		set(argv[i]);
	if (plan.read > MOST || plan.write > MOST || plan.parts > 8 || plan.parts > plan.read)
		return 2;
	alarm(HANG_S + 10);
	if (plan.rcvbuf)
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &plan.rcvbuf, sizeof(int));
	if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 1) != 0)
		die("listen");
	getsockname(listener, (struct sockaddr *)&address, &len);
	child = fork();
	if (child == 0) {
		close(listener);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (plan.rcvbuf)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &plan.rcvbuf, sizeof(int));
		if (connect(fd, (struct sockaddr *)&address, len) != 0)
			die("connect");
		alarm(HANG_S + 10);
		run(fd, 0);
		_exit(0);
	}
	fd = accept(listener, NULL, NULL);
	if (child < 0 || fd < 0)
		die("accept");
	run(fd, 1);
	if (waitpid(child, &status, 0) != child || status != 0)
		die("the other process failed");
	return 0;
}
