/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The calls that read: locks, waits, and what the flags of recv(2) mean for plaintext. Nothing is
 * held over a wait.
 */
#include "conn/internal.h"

#include "conn/control.h"
#include "conn/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

static int lock_for_receive(struct conn *conn)
{
	int r = share_lock(&conn->share->receive_lock);

	if (r == -EOWNERDEAD) {
		share_unlock(&conn->share->receive_lock);
		conn_fail(conn, ECONNRESET, NULL,
			"a process that shared the connection was killed while it read");
		return -ECONNRESET;
	}
	return r;
}

static int receive_once(struct conn *conn, int fd, struct sink *sink, int flags)
{
	struct intake in = { .conn = conn, .share = conn->share, .fd = fd };
	int r = lock_for_receive(conn);

	if (r < 0)
		return r;
	if (conn_state(conn) != CONN_OPEN) {
		share_unlock(&conn->share->receive_lock);
		return -ECONNRESET;
	}
	in.scratch = scratch_get();
	if (in.scratch == NULL)
		r = -ENOBUFS;
	else
		r = (flags & MSG_PEEK) != 0 ? intake_peek(&in, sink) : intake_fill(&in, sink);
	scratch_put(in.scratch);
	share_unlock(&conn->share->receive_lock);
	return r;
}

/* As the kernel waits in a read: restarted or not, with SO_RCVTIMEO. 0: look again. */
static int wait_readable(struct conn *conn, int fd)
{
	uint8_t byte;
	ssize_t n;
	int r;

	if (!driver_active() || (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0) {
		n = sys_recv(fd, &byte, 1, MSG_PEEK);
		return n < 0 ? (int)n : 0;
	}
	/* Somebody's handshake may have to go on for this wait to end: perhaps the peer's, in this
	 * very thread. */
	r = driver_wait(fd, POLLIN, sys_deadline_us(fd, SO_RCVTIMEO), NULL);
	if (r == -EINTR && !sys_signals_interrupt())
		r = 0;
	return table_has(fd, conn) ? r : -EBADF;
}

static bool must_not_wait(struct conn *conn, int fd, int flags)
{
	if ((flags & MSG_DONTWAIT) != 0)
		return true;
	if (!atomic_load_explicit(&conn->share->nonblock, memory_order_relaxed))
		return false;
	return (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0;
}

static ssize_t failed(struct conn *conn)
{
	if (!atomic_exchange(&conn->share->error_told, true))
		return -atomic_load(&conn->share->error);
	return 0;
}

/* How much has to be there for a blocking read to return. */
static size_t enough(const struct conn *conn, const struct sink *sink, int flags)
{
	size_t low_water =
		(size_t)atomic_load_explicit(&conn->share->low_water, memory_order_relaxed);

	if ((flags & MSG_WAITALL) != 0 && (flags & MSG_PEEK) == 0)
		return sink->total;
	return low_water < sink->total ? low_water : sink->total;
}

static ssize_t receive_open(struct conn *conn, int fd, struct sink *sink, int flags)
{
	const struct sink empty = *sink;

	for (;;) {
		int r = receive_once(conn, fd, sink, flags);

		if (conn_state(conn) == CONN_FAILED)
			return sink->done > 0 ? (ssize_t)sink->done : failed(conn);
		if (r == 1 || (r == 0 && sink->done > 0) ||
			(sink->done > 0 && sink->done >= enough(conn, sink, flags)))
			return (ssize_t)sink->done;
		if (r == -EDEADLK) /* a signal handler in the middle of this thread's own read */
			return -EAGAIN;
		if (r < 0 && r != -EAGAIN)
			return sink->done > 0 ? (ssize_t)sink->done : r;
		if (must_not_wait(conn, fd, flags))
			return sink->done > 0 ? (ssize_t)sink->done : -EAGAIN;
		r = wait_readable(conn, fd);
		if (r < 0 && r != -EAGAIN && r != -EINTR && r != -EBADF)
			conn_control_broken(conn, fd, r);
		else if (r < 0)
			return sink->done > 0 ? (ssize_t)sink->done : r;
		if (!table_has(fd, conn))
			return sink->done > 0 ? (ssize_t)sink->done : -EBADF;
		if ((flags & MSG_PEEK) != 0)
			*sink = empty;
	}
}

ssize_t conn_receive(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags)
{
	struct iovec nothing;
	struct sink sink;
	uint8_t byte;
	ssize_t n;
	int r;

	if ((flags & MSG_OOB) != 0)
		return -EINVAL;
	if (conn_state(conn) == CONN_DEFERRED) {
		pthread_mutex_lock(&conn->lock);
		if (conn_state(conn) == CONN_DEFERRED)
			conn_start(conn); /* a server that speaks first */
		pthread_mutex_unlock(&conn->lock);
	}
	if (conn_state(conn) != CONN_OPEN) {
		r = conn_establish_wait(conn, fd, flags);
		if (conn_state(conn) == CONN_FAILED)
			return failed(conn);
		if (r < 0)
			return r;
	}
	if (conn_state(conn) == CONN_PASSED)
		return sys_recv_iov(fd, iov, count, flags);
	sink_init(&sink, iov, count, flags);
	if (sink.total > 0)
		return receive_open(conn, fd, &sink, flags);
	/* recv() of nothing waits for something to be there, and takes nothing. */
	nothing = (struct iovec){ .iov_base = &byte, .iov_len = 1 };
	sink_init(&sink, &nothing, 1, flags);
	n = receive_open(conn, fd, &sink, flags | MSG_PEEK);
	return n > 0 ? 0 : n;
}

int conn_settle(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	struct intake in = { .conn = conn, .share = share, .fd = fd };
	int r = 0;

	if (conn_state(conn) != CONN_OPEN || lock_for_receive(conn) < 0)
		return 1;
	in.scratch = scratch_get();
	while (in.scratch != NULL && r == 0 && share->plaintext.len == 0 && !share->eof)
		r = intake_park_next(&in);
	r = share->plaintext.len > 0 || share->eof || r != -EAGAIN;
	scratch_put(in.scratch);
	share_unlock(&share->receive_lock);
	return r;
}

int conn_readable_bytes(struct conn *conn, int fd)
{
	struct intake in = { .conn = conn, .share = conn->share, .fd = fd };
	size_t bytes;

	if (conn_state(conn) != CONN_OPEN) {
		conn_establish(conn, fd);
		return 0;
	}
	conn_settle(conn, fd);
	if (conn_state(conn) != CONN_OPEN || lock_for_receive(conn) < 0)
		return 0;
	bytes = in.share->plaintext.len;
	in.scratch = bytes > 0 && !in.share->eof ? scratch_get() : NULL;
	if (in.scratch != NULL)
		bytes += intake_queued(&in);
	scratch_put(in.scratch);
	share_unlock(&in.share->receive_lock);
	return (int)bytes;
}

void conn_drain(struct conn *conn, int fd)
{
	if (!conn->share->eof && sys_queued(fd) > 0)
		conn_settle(conn, fd);
}
