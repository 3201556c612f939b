/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files and pipes that meet a connection. */
#include "harness.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#define ONLY_BLOCKING (ANY_ROLE | BLOCKING)

static uint8_t room[300000];

/* A file that holds what is to be sent next, which does not count as sent yet. */
static int file_of(size_t len, int flags)
{
	int fd = memfd_create("file", 0), again;
	char path[64];

	NEED(fd >= 0 && write(fd, outgoing(len), len) == (ssize_t)len &&
		lseek(fd, 0, SEEK_SET) == 0);
	not_sent(len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags);
	NEED(again >= 0 && close(fd) == 0);
	return again;
}

/* What went counts as sent. */
static ssize_t sent(const char *call, ssize_t n)
{
	if (n > 0)
		outgoing((size_t)n);
	say_result(call, n);
	return n;
}

static void say_position(int fd)
{
	say("position %ld", (long)lseek(fd, 0, SEEK_CUR));
}

static void say_piped(const char *call, int fd, ssize_t n, size_t *seen)
{
	size_t good;

	say_result(call, n);
	if (n <= 0)
		return;
	n = read(fd, room, (size_t)n);
	good = n > 0 ? pattern_match(room, (size_t)n, *seen) : 0;
	say("in the pipe: %zd, right: %zu", n, good);
	*seen += good;
}

/* --- sendfile() */

/* 61 */
static void file_whole(void)
{
	int fd = connected(), in = file_of(200000, O_RDONLY);
	off_t at;

	sent("first", sendfile(fd, in, NULL, 1000));
	say_position(in);
	at = 1000;
	sent("at an offset", sendfile(fd, in, &at, 500));
	say("offset %ld", (long)at);
	say_position(in);
	NEED(lseek(in, 1500, SEEK_SET) == 1500);
	tell_peer("recv 1500");
	tell_peer_later("until_end");
	for (size_t done = 1500; done < 200000;) {
		ssize_t n;

		ready_for(fd, POLLOUT);
		n = sendfile(fd, in, NULL, 400000);
		NEED(n > 0 || (is_nonblocking && errno == EAGAIN));
		done += n > 0 ? (size_t)n : 0;
	}
	say_position(in);
	say_result("at the end", sendfile(fd, in, NULL, 100));
	at = 300000;
	say_result("beyond the end", sendfile(fd, in, &at, 100));
	say("offset %ld", (long)at);
	NEED(shutdown(fd, SHUT_WR) == 0);
	hear_peer();
}

/* 61 */
static void file_refused(void)
{
	int fd = connected(), in = file_of(100, O_RDONLY), out = file_of(100, O_WRONLY), both[2];
	uint8_t *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int directory = open("/", O_RDONLY | O_DIRECTORY), append = file_of(100, O_RDWR | O_APPEND);
	off_t at = -1;

	NEED(pipe(both) == 0 && write(both[1], "x", 1) == 1);
	say_result("of no file", sendfile(fd, -1, NULL, 10));
	say_result("of no file, nothing", sendfile(fd, -1, NULL, 0));
	say_result("of a file not to be read", sendfile(fd, out, NULL, 10));
	say_result("of a pipe", sendfile(fd, both[0], NULL, 1));
	at = 0;
	say_result("of a pipe at an offset", sendfile(fd, both[0], &at, 1));
	say_result("of a directory", sendfile(fd, directory, NULL, 1));
	at = -1;
	say_result("at -1", sendfile(fd, in, &at, 10));
	say_result("at no offset", sendfile(fd, in, (off_t *)none, 10));
	say_result("of itself", sendfile(fd, fd, NULL, 10));
	say_result("nothing", sendfile(fd, in, NULL, 0));
	say_result("too much", sendfile(fd, in, NULL, (size_t)-1));
	say_position(in);
	sent("of a file to append to", sendfile(fd, append, NULL, 10));
	tell_peer("recv 10");
}

/* 61: what does not fit now is not taken from the file */
static void file_in_parts(void)
{
	int fd = connected(), in = file_of(8000000, O_RDONLY);
	size_t done = 0;
	ssize_t n;

	while ((n = sendfile(fd, in, NULL, 8000000 - done)) > 0 && done < 8000000)
		done += (size_t)n;
	if (n < 0)
		say_result("full", n);
	NEED(lseek(in, 0, SEEK_CUR) == (off_t)done);
	tell_peer_later("recv 8000000");
	while (done < 8000000) {
		await(fd, POLLOUT);
		n = sendfile(fd, in, NULL, 8000000 - done);
		NEED(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
	}
	say_position(in);
	hear_peer();
}

/* 62 */
static void corked(void)
{
	int fd = connected(), in, on = 1;

	NEED(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
	NEED(write(fd, outgoing(100), 100) == 100);
	in = file_of(10000, O_RDONLY);
	sent("sendfile", sendfile(fd, in, NULL, 10000));
	on = 0;
	NEED(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
	tell_peer("recv 10100");
	NEED(send(fd, outgoing(100), 100, MSG_MORE) == 100);
	NEED(lseek(in, 0, SEEK_SET) == 0 && close(in) == 0);
	in = file_of(5000, O_RDONLY);
	sent("sendfile", sendfile(fd, in, NULL, 5000));
	tell_peer("recv 5100");
}

/* 63: sendfile() from a connection */
static void into_file_or_pipe(void)
{
	int fd = connected(), out = file_of(0, O_RDWR), both[2];
	size_t seen = 0;
	off_t at = 0;

	NEED(pipe(both) == 0);
	tell_peer("send 1000");
	ready_for(fd, POLLIN);
	say_result("into a file", sendfile(out, fd, NULL, 100));
	say_result("into a pipe, at an offset", sendfile(both[1], fd, &at, 100));
	say_piped("into a pipe", both[0], sendfile(both[1], fd, NULL, 100), &seen);
	say_result("into the end to be read", sendfile(both[0], fd, NULL, 100));
	say_result("nothing", sendfile(both[1], fd, NULL, 0));
}

/* --- splice() into a pipe */

/* 63 */
static void into_pipe(void)
{
	int fd = connected(), both[2];
	size_t seen = 0;

	NEED(pipe(both) == 0);
	tell_peer("send 10000");
	ready_for(fd, POLLIN);
	say_piped("100", both[0], splice(fd, NULL, both[1], NULL, 100, 0), &seen);
	say_piped("1", both[0], splice(fd, NULL, both[1], NULL, 1, SPLICE_F_MORE), &seen);
	say_piped("all", both[0],
		splice(fd, NULL, both[1], NULL, 100000, SPLICE_F_MOVE | SPLICE_F_NONBLOCK), &seen);
	if (is_nonblocking) {
		say_result("none", splice(fd, NULL, both[1], NULL, 100, 0));
		say_result("none", splice(fd, NULL, both[1], NULL, 100, SPLICE_F_NONBLOCK));
	} else {
		tell_peer_later("send 50");
		say_piped("waits", both[0], splice(fd, NULL, both[1], NULL, 100, 0), &seen);
		hear_peer();
		tell_peer_later("send 50");
		say_piped("waits", both[0], splice(fd, NULL, both[1], NULL, 100, SPLICE_F_NONBLOCK),
			&seen);
		hear_peer();
	}
	tell_peer("send 30000");
	tell_peer("close");
	await(fd, POLLRDHUP);
	while (seen < 40050) {
		ssize_t n = splice(fd, NULL, both[1], NULL, 7000, 0);

		if (n <= 0)
			break;
		NEED(read(both[0], room, (size_t)n) == n);
		NEED(pattern_match(room, (size_t)n, seen) == (size_t)n);
		seen += (size_t)n;
	}
	say("seen %zu", is_nonblocking ? seen + 100 : seen);
	say_result("the end", splice(fd, NULL, both[1], NULL, 100, 0));
	say_result("the end", splice(fd, NULL, both[1], NULL, 100, SPLICE_F_NONBLOCK));
}

/* 63 */
static void into_pipe_refused(void)
{
	int fd = connected(), file = file_of(10, O_RDWR), both[2], other[2];
	off64_t at = 0;

	NEED(pipe(both) == 0 && pipe(other) == 0);
	tell_peer("send 10");
	ready_for(fd, POLLIN);
	say_result("into a file", splice(fd, NULL, file, NULL, 10, 0));
	say_result("into itself", splice(fd, NULL, fd, NULL, 10, 0));
	say_result("into no file", splice(fd, NULL, -1, NULL, 10, 0));
	say_result("into the wrong end", splice(fd, NULL, both[0], NULL, 10, 0));
	say_result("odd flags", splice(fd, NULL, both[1], NULL, 10, 0x100));
	say_result("nothing", splice(fd, NULL, both[1], NULL, 0, 0));
	say_result("at an offset", splice(fd, &at, both[1], NULL, 10, 0));
	say_result("to an offset", splice(fd, NULL, both[1], &at, 10, 0));
	say_result("tee", tee(fd, both[1], 10, 0));
	say_result("vmsplice", vmsplice(fd, &(struct iovec){ room, 10 }, 1, 0));
	close(both[0]);
	signal(SIGPIPE, SIG_IGN);
	say_result("nobody reads", splice(fd, NULL, both[1], NULL, 10, 0));
	receive_all(fd, 10, 10);
}

/* 63: nothing is lost, nothing comes twice */
static void into_full_pipe(void)
{
	int fd = connected(), both[2], size;
	size_t seen = 0, in_pipe = 0;
	ssize_t n;

	NEED(pipe(both) == 0);
	size = fcntl(both[1], F_SETPIPE_SZ, 8192);
	NEED(size == 8192);
	make_nonblocking(both[1], true);
	ask_peer("send 40000");
	await(fd, POLLIN);
	while ((n = splice(fd, NULL, both[1], NULL, 40000, SPLICE_F_NONBLOCK)) > 0)
		in_pipe += (size_t)n;
	say_result("full", n);
	while (seen < 40000) {
		if (in_pipe == 0) {
			n = splice(fd, NULL, both[1], NULL, 40000 - seen, SPLICE_F_NONBLOCK);
			NEED(n > 0);
			in_pipe += (size_t)n;
		}
		n = read(both[0], room, in_pipe < 3000 ? in_pipe : 3000);
		NEED(n > 0 && pattern_match(room, (size_t)n, seen) == (size_t)n);
		seen += (size_t)n;
		in_pipe -= (size_t)n;
	}
	say("seen %zu, left in the pipe %zu", seen, in_pipe);
	make_nonblocking(fd, true);
	say_result("none", splice(fd, NULL, both[1], NULL, 100, 0));
}

static void *read_pipe(void *arg)
{
	const int *fd = arg;
	size_t *seen = calloc(1, sizeof(*seen));
	uint8_t buf[1000];
	ssize_t n;

	while ((n = read(*fd, buf, sizeof(buf))) > 0 &&
		pattern_match(buf, (size_t)n, *seen) == (size_t)n)
		*seen += (size_t)n;
	return seen;
}

/* 63: a pipe that blocks */
static void into_slow_pipe(void)
{
	int fd = connected(), both[2];
	size_t done = 0, *seen;
	pthread_t reader;

	NEED(pipe(both) == 0 && fcntl(both[1], F_SETPIPE_SZ, 4096) == 4096);
	NEED(pthread_create(&reader, NULL, read_pipe, &both[0]) == 0);
	tell_peer_later("send 500000");
	while (done < 500000) {
		ssize_t n;

		ready_for(fd, POLLIN);
		n = splice(fd, NULL, both[1], NULL, 500000 - done, 0);
		NEED(n > 0 || (is_nonblocking && errno == EAGAIN));
		done += n > 0 ? (size_t)n : 0;
	}
	close(both[1]);
	NEED(pthread_join(reader, (void **)&seen) == 0);
	say("seen %zu", *seen);
	free(seen);
}

/* --- splice() from a pipe */

static void fill_pipe(int fd, size_t len)
{
	NEED(write(fd, outgoing(len), len) == (ssize_t)len);
	not_sent(len);
}

/* 63 */
static void from_pipe(void)
{
	int fd = connected(), both[2], left = -1;

	NEED(pipe(both) == 0);
	fill_pipe(both[1], 5000);
	sent("100", splice(both[0], NULL, fd, NULL, 100, 0));
	sent("more", splice(both[0], NULL, fd, NULL, 900, SPLICE_F_MORE));
	NEED(ioctl(both[0], FIONREAD, &left) == 0);
	say("left in the pipe: %d", left);
	sent("all", splice(both[0], NULL, fd, NULL, 100000, SPLICE_F_NONBLOCK));
	say_result("none", splice(both[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK));
	tell_peer("recv 5000");
	for (int i = 0; i < 10; i++) {
		fill_pipe(both[1], 10);
		sent("ten", splice(both[0], NULL, fd, NULL, 10, 0));
	}
	make_nonblocking(both[0], true);
	say_result("none", splice(both[0], NULL, fd, NULL, 100, 0));
	close(both[1]);
	say_result("the end", splice(both[0], NULL, fd, NULL, 100, 0));
	tell_peer("recv 100");
}

/* 63 */
static void from_pipe_refused(void)
{
	int fd = connected(), file = file_of(10, O_RDWR), both[2];
	off64_t at = 0;

	NEED(pipe(both) == 0);
	fill_pipe(both[1], 10);
	say_result("from a file", splice(file, NULL, fd, NULL, 10, 0));
	say_result("from no file", splice(-1, NULL, fd, NULL, 10, 0));
	say_result("from the wrong end", splice(both[1], NULL, fd, NULL, 10, 0));
	say_result("odd flags", splice(both[0], NULL, fd, NULL, 10, 0x100));
	say_result("nothing", splice(both[0], NULL, fd, NULL, 0, 0));
	say_result("from an offset", splice(both[0], &at, fd, NULL, 10, 0));
	say_result("at an offset", splice(both[0], NULL, fd, &at, 10, 0));
	NEED(shutdown(fd, SHUT_WR) == 0);
	signal(SIGPIPE, SIG_IGN);
	say_result("after shutdown", splice(both[0], NULL, fd, NULL, 10, 0));
	say("left in the pipe: %zd", read(both[0], room, 100));
	tell_peer("until_end");
}

/* 63: what the connection does not take stays in the pipe */
static void from_pipe_to_full(void)
{
	int fd = connected(), both[2];
	size_t filled = 0, done = 0;
	ssize_t n;

	NEED(pipe(both) == 0);
	make_nonblocking(both[0], true);
	make_nonblocking(both[1], true);
	for (;;) {
		n = write(both[1], outgoing(20000), 20000);
		not_sent(20000 - (n > 0 ? (size_t)n : 0));
		filled += n > 0 ? (size_t)n : 0;
		n = splice(both[0], NULL, fd, NULL, 100000, SPLICE_F_NONBLOCK);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	say_result("full", n);
	n = 0;
	NEED(ioctl(both[0], FIONREAD, &n) == 0);
	say("nothing is lost: %d", filled == done + (size_t)n);
	tell_peer_later("until_end");
	while (done < filled) {
		await(fd, POLLOUT);
		n = splice(both[0], NULL, fd, NULL, 100000, SPLICE_F_NONBLOCK);
		NEED(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
	}
	say("nothing is left: %d", read(both[0], room, 1) < 0 && errno == EAGAIN);
	NEED(shutdown(fd, SHUT_WR) == 0);
}

/* 63: as a proxy does it */
static void through_pipe(void)
{
	int from = connected(), to, both[2];
	size_t in_pipe = 0, done = 0;

	NEED(pipe(both) == 0);
	tell_peer_later("send 2000000");
	use_peer(1);
	to = connected();
	tell_peer_later("until_end");
	while (done < 2000000) {
		ssize_t n = 0;

		if (in_pipe == 0) {
			ready_for(from, POLLIN);
			n = splice(from, NULL, both[1], NULL, 65536,
				SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			NEED(n > 0 || errno == EAGAIN);
			in_pipe += n > 0 ? (size_t)n : 0;
		}
		if (in_pipe == 0)
			continue;
		ready_for(to, POLLOUT);
		n = splice(both[0], NULL, to, NULL, in_pipe,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE);
		NEED(n > 0 || errno == EAGAIN);
		in_pipe -= n > 0 ? (size_t)n : 0;
		done += n > 0 ? (size_t)n : 0;
	}
	close(to);
	hear_peer();
	use_peer(0);
	hear_peer();
}

/* --- Asynchronous */

static void say_aio(const char *call, struct aiocb *job, int r)
{
	say_result(call, r);
	if (r < 0)
		return;
	while (aio_error(job) == EINPROGRESS)
		poll(NULL, 0, 1);
	say("%s: %d, %zd", call, aio_error(job), aio_return(job));
}

/* 127 */
static void asynchronous(void)
{
	int fd = connected();
	struct aiocb job = {
		.aio_fildes = fd, .aio_buf = room, .aio_nbytes = 10, .aio_lio_opcode = LIO_WRITE
	};
	struct aiocb *jobs[] = { &job };

	memcpy(room, outgoing(10), 10);
	say_aio("aio_write", &job, aio_write(&job));
	memcpy(room, outgoing(10), 10);
	say_aio("lio_listio", &job, lio_listio(LIO_WAIT, jobs, 1, NULL));
	tell_peer("send 10");
	say_aio("aio_read", &job, aio_read(&job));
	NEED(shutdown(fd, SHUT_WR) == 0);
	tell_peer("until_end");
}

#define REFUSED "EINVAL\n"

const struct test_case cases[] = {
	CASE(61, file_whole, EVERYWHERE),
	CASE(61, file_refused, EVERYWHERE),
	CASE(61, file_in_parts, ANY_ROLE | NONBLOCKING),
	CASE(62, corked, EVERYWHERE),
	CASE(63, into_file_or_pipe, EVERYWHERE),
	CASE(63, into_pipe, EVERYWHERE),
	CASE(63, into_pipe_refused, EVERYWHERE),
	CASE(63, into_full_pipe, EVERYWHERE),
	CASE(63, into_slow_pipe, EVERYWHERE),
	CASE(63, from_pipe, EVERYWHERE),
	CASE(63, from_pipe_refused, EVERYWHERE),
	CASE(63, from_pipe_to_full, ANY_ROLE | NONBLOCKING),
	CASE(63, through_pipe, EVERYWHERE),
	DIFFERS(127, asynchronous, ANY_ROLE | BLOCKING,
		"aio_write: " REFUSED "lio_listio: " REFUSED "peer: send 10: ok\naio_read: " REFUSED
		"peer: until_end: 0 bytes, then the end\ndone\n",
		"libc's own threads would write past the library"),
	END_OF_CASES,
};
