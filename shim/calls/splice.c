/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the kernel moves between two descriptors would be ciphertext, or plaintext on the network,
 * so it is done here, in steps that wait for nothing, and with the waits of splice(2) between them.
 */
#include "conn/splice.h"
#include "calls/border.h"
#include "calls/seen.h"
#include "conn/memory.h"
#include "conn/table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPLICE_FLAGS ((unsigned)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT))

static bool is_nonblocking(int fd)
{
	int saved = errno, flags = libc.fcntl(fd, F_GETFL, 0);

	errno = saved;
	return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

/* Whether fd is an end of a pipe, and open for more than `not_mode`; or -EBADF. */
static int is_pipe_end(int fd, int not_mode)
{
	int saved = errno, mode = libc.fcntl(fd, F_GETFL, 0), r = -EBADF;
	struct stat st;

	if (mode >= 0 && (mode & O_ACCMODE) != not_mode && fstat(fd, &st) == 0)
		r = S_ISFIFO(st.st_mode);
	errno = saved;
	return r;
}

/* 0: the pipe has something, or room; or nobody is at its other end, which the next step tells. */
static int wait_for_pipe(int pipe, short events, bool waits)
{
	struct pollfd pfd = { .fd = pipe, .events = events };
	int saved = errno;

	for (;;) {
		int r = libc.poll(&pfd, 1, 0);

		errno = saved;
		if (r > 0)
			return 0;
		if (!waits)
			return -EAGAIN;
		r = conn_wait_beside(pipe, events);
		if (r < 0)
			return r;
	}
}

/* 1; 0: the end; CONN_AGAIN; or -errno. */
static ssize_t wait_for_data(int fd)
{
	uint8_t byte;
	const struct iovec one = { .iov_base = &byte, .iov_len = 1 };
	struct conn *conn = mapped_get(fd);

	return conn != NULL ? conn_receive(conn, fd, &one, 1, MSG_PEEK) : CONN_AGAIN;
}

static ssize_t into_pipe(int fd, int pipe, size_t len, unsigned flags)
{
	bool waits = (flags & SPLICE_F_NONBLOCK) == 0 && !is_nonblocking(pipe), again;
	size_t done = 0;
	ssize_t n;

	do {
		struct conn *conn;

		n = wait_for_pipe(pipe, POLLOUT, waits && done == 0);
		if (n == 0 && done == 0)
			n = wait_for_data(fd);
		else if (n == 0)
			n = 1;
		conn = n > 0 ? mapped_get(fd) : NULL;
		if (conn == NULL)
			break;
		n = splice_to_pipe(conn, fd, pipe, len - done);
		conn_put(conn);
		done += n > 0 ? (size_t)n : 0;
		/* Somebody else has read it, or filled the pipe. */
		again = done == 0 && (n == 0 || (n == -EAGAIN && waits));
	} while (done < len && (n > 0 || again));
	return done > 0 ? (ssize_t)done : n;
}

/* One step, and the wait for the connection before it if there has to be one. */
static ssize_t send_from_pipe(int pipe, int fd, size_t len, int flags, bool has_some)
{
	for (;;) {
		struct conn *conn = mapped_get(fd);
		ssize_t n;
		int r;

		if (conn == NULL)
			return CONN_AGAIN;
		if (conn_splices(conn, fd))
			return conn_splice_from(conn, fd, pipe, len);
		n = splice_from_pipe(conn, fd, pipe, len, flags);
		if (n != -EAGAIN || is_nonblocking(fd)) {
			conn_put(conn);
			return n;
		}
		r = conn_wait_writable(conn, fd, has_some);
		if (r < 0)
			return r;
	}
}

static ssize_t out_of_pipe(int pipe, int fd, size_t len, unsigned flags)
{
	bool waits = (flags & SPLICE_F_NONBLOCK) == 0 && !is_nonblocking(pipe), again;
	size_t done = 0;
	ssize_t n;

	do {
		n = wait_for_pipe(pipe, POLLIN, waits && done == 0);
		if (n == 0)
			n = send_from_pipe(pipe, fd, len - done,
				(flags & SPLICE_F_MORE) != 0 ? MSG_MORE : 0, done > 0);
		done += n > 0 ? (size_t)n : 0;
		/* Somebody else has emptied it. */
		again = n == -ENODATA && waits && done == 0;
	} while (done < len && (n > 0 || again));
	if (n == -ENODATA)
		n = -EAGAIN;
	return done > 0 ? (ssize_t)done : n;
}

static ssize_t splice_mapped(
	int in, bool in_offset, int out, bool out_offset, size_t len, unsigned flags)
{
	bool from = is_mapped(in), to = is_mapped(out);
	int r = from ? is_pipe_end(out, O_RDONLY) : is_pipe_end(in, O_WRONLY);

	if (len == 0)
		return 0;
	if ((flags & ~SPLICE_FLAGS) != 0)
		return -EINVAL;
	if (r < 0)
		return r;
	if (r == 0 || (from && to))
		return -EINVAL;
	if (from ? out_offset : in_offset)
		return -ESPIPE;
	if (from ? in_offset : out_offset)
		return -EINVAL;
	return from ? into_pipe(in, out, len, flags) : out_of_pipe(in, out, len, flags);
}

static ssize_t peek_pipe(int pipe, uint8_t head[SEEN_PEEK_LEN])
{
	ssize_t n = splice_peek(pipe, head, SEEN_PEEK_LEN);

	return n > 0 ? n : 0;
}

/* What comes while the kernel waits for the pipe would pass unseen; so we wait before, once it has
 * found nothing else to say. */
static ssize_t splice_into_observed(
	int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len, unsigned flags)
{
	struct pollfd pfd = { .fd = in, .events = POLLIN };
	bool waits = len > 0 && (flags & SPLICE_F_NONBLOCK) == 0 && !is_nonblocking(in);
	uint8_t head[SEEN_PEEK_LEN];
	ssize_t peeked = peek_pipe(in, head), n;
	int saved = errno;

	if (peeked == 0 && waits) {
		n = libc.splice(in, in_offset, out, out_offset, len, flags | SPLICE_F_NONBLOCK);
		if (n >= 0 || errno != EAGAIN)
			return seen_spliced_into(out, head, 0, n);
		if (libc.poll(&pfd, 1, -1) < 0 && errno == EINTR)
			return -1;
		errno = saved;
		peeked = peek_pipe(in, head);
	}
	n = libc.splice(in, in_offset, out, out_offset, len, flags);
	return seen_spliced_into(out, head, peeked, n);
}

static ssize_t splice_out_of_observed(
	int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len, unsigned flags)
{
	uint8_t head[SEEN_PEEK_LEN];
	ssize_t peeked = seen_peek(in, head, len > 0 && (flags & SPLICE_F_NONBLOCK) == 0);

	if (peeked < 0)
		return peeked;
	return seen_spliced(
		in, head, peeked, libc.splice(in, in_offset, out, out_offset, len, flags));
}

/* The kernel's own affair. */
static ssize_t splice_aside(
	int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len, unsigned flags)
{
	if (!table_is_foreign(in) && conn_is_observed(in))
		return splice_out_of_observed(in, in_offset, out, out_offset, len, flags);
	if (!table_is_foreign(out) && conn_is_observed(out))
		return splice_into_observed(in, in_offset, out, out_offset, len, flags);
	return libc.splice(in, in_offset, out, out_offset, len, flags);
}

SEAM_EXPORT ssize_t splice(
	int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len, unsigned flags)
{
	ssize_t n;

	do {
		if (!is_mapped(in) && !is_mapped(out))
			return splice_aside(in, in_offset, out, out_offset, len, flags);
		n = splice_mapped(in, in_offset != NULL, out, out_offset != NULL, len, flags);
	} while (n == CONN_AGAIN);
	return errno_return_sent(n, 0);
}

/* From a connection the kernel has it into a pipe only. */
static ssize_t sendfile_from(int out, int in, bool offset, size_t count)
{
	int r = is_pipe_end(out, O_RDONLY);

	if (offset)
		return -ESPIPE;
	if (r <= 0)
		return r < 0 ? r : -EINVAL;
	return count > 0 ? into_pipe(in, out, count, 0) : 0;
}

static ssize_t sendfile_to(int out, int in, off_t *offset, size_t count)
{
	ssize_t n = splice_check_file(in, offset, count);
	struct conn *conn;

	if (n < 0)
		return n;
	if (count > SSIZE_MAX)
		return -EINVAL;
	conn = mapped_get(out);
	return conn != NULL ? conn_sendfile(conn, out, in, offset, count) : CONN_AGAIN;
}

static ssize_t sendfile_aside(int out, int in, off_t *offset, size_t count)
{
	int saved = errno;
	off_t at;

	if (table_is_foreign(out) || !conn_is_observed(out) ||
		(offset != NULL && !memory_is_there(offset, sizeof(*offset), false)))
		return libc.sendfile(out, in, offset, count);
	at = offset != NULL ? *offset : lseek(in, 0, SEEK_CUR);
	errno = saved;
	return seen_file_sent(out, in, at, libc.sendfile(out, in, offset, count));
}

SEAM_EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	ssize_t n;

	do {
		bool to = is_mapped(out), from = is_mapped(in);

		if (!to && !from)
			return sendfile_aside(out, in, offset, count);
		if (from)
			n = to ? -EINVAL : sendfile_from(out, in, offset != NULL, count);
		else
			n = sendfile_to(out, in, offset, count);
	} while (n == CONN_AGAIN);
	return errno_return_sent(n, 0);
}
SEAM_ALIAS(sendfile64, sendfile);
