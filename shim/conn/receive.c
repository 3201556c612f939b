/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The calls that read: locks, waits, and what the flags of recv(2) mean for plaintext. Nothing is
 * held over a wait.
 */
#include "conn/batch.h"

#include "conn/control.h"
#include "conn/gate.h"
#include "conn/intake.h"
#include "conn/kernel.h"
#include "guard.h"
#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define LOOK_MOST_US 64000
/* Who reads so much at a time is behind its peer, and finds the next there. */
#define STREAM_LEAST 8192

static int lock_for_receive(struct conn *conn)
{
	int r = share_lock(&conn->share->receive_lock);

	if (r == -EOWNERDEAD) {
		share_unlock(&conn->share->receive_lock);
		conn_fail_for(conn, ECONNRESET, CAUSE_PROGRAM,
			"a process that shared the connection was killed while it read");
		return -ECONNRESET;
	}
	return r;
}

/*
 * nginx reads what FIONREAD has told it of and no more, and then waits for an edge, that is for
 * bytes which may come only once there is room for them.
 */
static int count_told(struct intake *in, size_t len)
{
	struct share *share = in->share;

	if (share->told == 0)
		return 0;
	share->told -= len < share->told ? (uint32_t)len : share->told;
	if (share->told > 0 || share->plaintext.len > 0 || share->eof)
		return 0;
	return intake_take_beginning(in);
}

static int receive_ours(struct intake *in, struct sink *sink, int flags)
{
	size_t before = sink->done;
	int r = -ENOBUFS;

	in->scratch = scratch_get();
	if (in->scratch != NULL)
		r = (flags & MSG_PEEK) != 0 ? intake_peek(in, sink) : intake_fill(in, sink);
	if (r == 0 && (flags & MSG_PEEK) == 0)
		r = count_told(in, sink->done - before);
	/* A header that was only looked at stands behind what was taken. */
	scratch_put_used(
		in->scratch, (flags & MSG_PEEK) != 0 ? SCRATCH_LEN : in->reach + RECORD_HEADER_LEN);
	return r;
}

static int receive_once(struct conn *conn, int fd, struct sink *sink, int flags)
{
	struct intake in = { .conn = conn, .share = conn->share, .fd = fd };
	bool answer = conn_has_answer(conn);
	int r = lock_for_receive(conn);

	if (r < 0)
		return r;
	if (conn_state(conn) != CONN_OPEN) {
		r = conn_is_clear(conn) ? -ESTALE : -ECONNRESET;
		share_unlock(&conn->share->receive_lock);
		return r;
	}
	if (in.share->kernel_receive_due)
		kernel_take_receive(conn, fd);
	if (in.share->kernel_receives)
		r = (flags & MSG_PEEK) != 0 ? kernel_peek(&in, sink) : kernel_fill(&in, sink);
	else
		r = receive_ours(&in, sink, flags);
	share_unlock(&conn->share->receive_lock);
	if (answer)
		conn_answered(conn);
	conn_sync_low_water(conn, fd, false);
	return r;
}

/* What bounds the waits of one call: SO_RCVTIMEO is for all of it. */
struct patience {
	uint64_t deadline_us; /* monotonic; 0: none */
	uint64_t look_us;
	bool begun;
};

static void begin_waiting(struct patience *patience, struct conn *conn, int fd)
{
	if (patience->begun)
		return;
	patience->begun = true;
	patience->deadline_us = conn_receive_deadline_us(conn, fd);
	patience->look_us = DRIVER_LOOK_FIRST_US;
}

/* A read of the kernel's own, for the first `len` bytes: it knows which handlers have it restarted.
 */
static int wait_by_peek(int fd, void *buf, size_t len, int flags)
{
	int saved = errno;
	struct guard guard;
	ssize_t n;

	guard_suspend(&guard, true);
	n = libc.recv(fd, buf, len, flags | MSG_PEEK);
	guard_resume(&guard);
	if (n < 0)
		n = -errno;
	errno = saved;
	return (int)n;
}

/* Of ciphertext the bytes go nowhere; of the kernel's plaintext MSG_TRUNC knows nothing, and a
 * record of no data is an error that is for the next look. */
static int wait_for_first(int fd, bool kernel)
{
	uint8_t byte;
	int r;

	if (!kernel)
		return wait_by_peek(fd, NULL, 1, MSG_TRUNC | MSG_WAITALL);
	r = wait_by_peek(fd, &byte, 1, 0);
	return r == -EIO ? 1 : r;
}

/*
 * As the kernel waits in a read. 0: look again; -ESTALE: it has become another's number; 1: it has,
 * but what was here has ended; or -errno. A handler of any kind ends a read that has something.
 */
static int wait_readable(struct conn **held, int fd, bool has_some, struct patience *patience)
{
	struct conn_mark mark = conn_mark(*held);
	bool kernel = (*held)->share->kernel_receives;
	int r;

	begin_waiting(patience, *held, fd);
	conn_sync_low_water(*held, fd, true);
	/* The kernel's TLS has the descriptor readable for part of a record, so that it is not for
	 * a poll to wait for the rest; the time limit it minds itself. */
	if (!has_some && (kernel || patience->deadline_us == 0) &&
		(!driver_active() || (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0)) {
		conn_unref(*held);
		r = wait_for_first(fd, kernel);
		*held = conn_regain(mark);
		if (*held != NULL && table_has(fd, *held))
			return r < 0 ? r : 0;
		return r < 0 && r != -EBADF ? r : r == 0 ? 1 : -ESTALE;
	}
	/* Somebody's handshake may have to go on for this wait to end: perhaps the peer's, in this
	 * very thread. */
	r = driver_wait(held, fd, POLLIN, patience->deadline_us, NULL);
	if (r == -ERESTART)
		r = has_some || patience->deadline_us != 0 ? -EINTR : 0;
	return r;
}

/* What stays in the kernel says "readable" all the time: so the wait looks now and then. */
static int look_again(struct conn **held, int fd, struct patience *patience)
{
	struct pollfd end = { .fd = fd, .events = POLLRDHUP };
	const struct timespec none = { 0 };
	uint64_t now = sys_monotonic_us();
	int r;

	if (sys_poll(&end, 1, &none, NULL) != 0 ||
		(patience->deadline_us != 0 && patience->deadline_us <= now))
		return -EAGAIN;
	r = driver_wait(held, fd, POLLRDHUP, now + patience->look_us, NULL);
	if (patience->look_us < LOOK_MOST_US)
		patience->look_us *= 2;
	return r == -EAGAIN ? 0 : r == -ERESTART ? -EINTR : r;
}

/* The same for more than is there already, which MSG_PEEK leaves in the kernel. */
static int wait_behind(struct conn **held, int fd, struct patience *patience)
{
	struct conn_mark mark = conn_mark(*held);
	int queued = sys_queued(fd), r;

	begin_waiting(patience, *held, fd);
	if (driver_active() || (*held)->share->kernel_receives)
		return look_again(held, fd, patience);
	conn_unref(*held);
	r = wait_by_peek(fd, NULL, (size_t)queued + 1, MSG_TRUNC | MSG_WAITALL);
	*held = conn_regain(mark);
	if (*held == NULL || !table_has(fd, *held))
		return -ESTALE;
	return r > queued ? 0 : r < 0 ? r : -EAGAIN;
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

	if ((flags & MSG_WAITALL) != 0)
		return sink->total;
	return low_water < sink->total ? low_water : sink->total;
}

/* The last read had to wait. But of an end, and of what we have answered ourselves, the kernel may
 * have nothing that would end this wait. */
static bool waits_first(const struct conn *conn)
{
	const struct share *share = conn->share;

	return atomic_load_explicit(&conn->waits_first, memory_order_relaxed) &&
	       !share->kernel_receives && !share->eof && share->plaintext.len == 0;
}

static bool is_end_of_wait(int error)
{
	return error == -EAGAIN || error == -EINTR || error == -ESTALE;
}

static void broken(struct conn *conn, int fd, int error)
{
	if (conn->share->kernel_receives)
		kernel_receive_failed(conn, fd, error);
	else
		conn_control_broken(conn, fd, error);
}

/* 0: `sink` has all there is for now; else how the call ends. */
static int receive_open(
	struct conn **held, int fd, struct sink *sink, int flags, struct patience *patience)
{
	const struct sink empty = *sink;
	bool waits = waits_first(*held) && !must_not_wait(*held, fd, flags);

	for (;; waits = false) {
		/* A question and its answer: that there is nothing yet is not asked each time. */
		int r = waits ? -EAGAIN : receive_once(*held, fd, sink, flags);

		if (conn_state(*held) == CONN_FAILED)
			return sink->done > 0 ? 0 : (int)failed(*held);
		if (sink->done >= STREAM_LEAST)
			atomic_store_explicit(&(*held)->waits_first, false, memory_order_relaxed);
		if (r == 1 || (sink->done > 0 && sink->done >= enough(*held, sink, flags)))
			return 0;
		if (r < 0 && r != -EAGAIN)
			return r;
		if (must_not_wait(*held, fd, flags))
			return -EAGAIN;
		if (sink->done == 0)
			atomic_store_explicit(&(*held)->waits_first, true, memory_order_relaxed);
		if ((flags & MSG_PEEK) != 0 && sink->done > 0)
			r = wait_behind(held, fd, patience);
		else
			r = wait_readable(held, fd, sink->done > 0, patience);
		if (r == 1)
			return 0;
		if (r < 0 && *held != NULL && !is_end_of_wait(r))
			broken(*held, fd, r);
		else if (r < 0)
			return r;
		if ((flags & MSG_PEEK) != 0)
			*sink = empty;
	}
}

static ssize_t receive_some(struct conn **held, int fd, const struct iovec *iov, size_t count,
	int flags, struct patience *patience)
{
	struct sink sink;
	int r;

	sink_init(&sink, iov, count, flags);
	r = receive_open(held, fd, &sink, flags, patience);
	if (sink.done > 0)
		return (ssize_t)sink.done;
	return r == -ESTALE ? CONN_AGAIN : r;
}

static void start_if_deferred(struct conn *conn)
{
	guard_lock(&conn->lock);
	if (conn_state(conn) == CONN_DEFERRED && !conn_is_greeted(conn))
		conn_start(conn); /* a server that speaks first */
	guard_unlock(&conn->lock);
}

static ssize_t receive(struct conn **held, int fd, const struct iovec *iov, size_t count, int flags)
{
	struct patience patience = { 0 };
	struct iovec nothing;
	uint8_t byte;
	ssize_t n;
	int r;

	if (conn_state(*held) == CONN_GATED)
		return gate_receive(held, fd, iov, count, flags);
	if ((flags & MSG_OOB) != 0)
		return -EINVAL;
	if (conn_state(*held) == CONN_DEFERRED)
		start_if_deferred(*held);
	if (conn_state(*held) != CONN_OPEN) {
		r = conn_establish_wait(held, fd, flags, SO_RCVTIMEO);
		if (r == -ESTALE || r == -EINTR)
			return r == -ESTALE ? CONN_AGAIN : r;
		if (conn_state(*held) == CONN_FAILED)
			return failed(*held);
		if (r < 0)
			return r;
	}
	if (conn_is_clear(*held))
		return CONN_AGAIN;
	for (size_t i = 0; i < count; i++)
		if (iov[i].iov_len > 0)
			return receive_some(held, fd, iov, count, flags, &patience);
	/* recv() of nothing waits for something to be there, and takes nothing. */
	nothing = (struct iovec){ .iov_base = &byte, .iov_len = 1 };
	n = receive_some(held, fd, &nothing, 1, flags | MSG_PEEK, &patience);
	return n > 0 ? 0 : n;
}

ssize_t conn_receive(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags)
{
	ssize_t n = receive(&conn, fd, iov, count, flags);

	conn_put_held(conn);
	if (n <= 0)
		conn_wait_if_ending();
	return n;
}

static ssize_t give_away(struct intake *in, uint8_t *data, size_t len,
	ssize_t (*give)(void *arg, uint8_t *data, size_t len), void *arg)
{
	const struct iovec room = { .iov_base = data, .iov_len = len };
	struct sink sink;
	ssize_t n;
	int r;

	sink_init(&sink, &room, 1, 0);
	r = in->share->kernel_receives ? kernel_peek(in, &sink) : intake_peek(in, &sink);
	if (sink.done == 0)
		return r < 0 && r != -EAGAIN ? r : 0;
	n = give(arg, data, sink.done);
	if (n <= 0)
		return n;
	sink_init(&sink, &(const struct iovec){ .iov_len = (size_t)n }, 1, MSG_TRUNC);
	if (in->share->kernel_receives)
		kernel_fill(in, &sink);
	else
		intake_fill(in, &sink);
	return n;
}

ssize_t conn_receive_into(struct conn *conn, int fd, uint8_t *data, size_t len,
	ssize_t (*give)(void *arg, uint8_t *data, size_t len), void *arg)
{
	struct intake in = { .conn = conn, .share = conn->share, .fd = fd };
	ssize_t n;

	/* As where the kernel cannot splice: programs then read and write. */
	if (conn_state(conn) == CONN_GATED)
		return -EINVAL;
	if (conn_state(conn) != CONN_OPEN)
		return 0;
	n = lock_for_receive(conn);
	if (n < 0)
		return n;
	in.scratch = scratch_get();
	n = in.scratch != NULL ? give_away(&in, data, len, give, arg) : -ENOBUFS;
	scratch_put(in.scratch);
	share_unlock(&conn->share->receive_lock);
	conn_sync_low_water(conn, fd, false);
	return n;
}

static int settle_ours(struct intake *in)
{
	struct share *share = in->share;
	int r = 0;

	in->scratch = scratch_get();
	while (in->scratch != NULL && r == 0 && share->plaintext.len == 0 && !share->eof)
		r = intake_park_next(in);
	scratch_put(in->scratch);
	return share->plaintext.len > 0 || share->eof || r != -EAGAIN;
}

int conn_settle(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	struct intake in = { .conn = conn, .share = share, .fd = fd };
	int r;

	if (conn_state(conn) != CONN_OPEN || lock_for_receive(conn) < 0)
		return 1;
	if (share->kernel_receive_due)
		kernel_take_receive(conn, fd);
	r = share->kernel_receives ? kernel_settle(&in) : settle_ours(&in);
	share_unlock(&share->receive_lock);
	conn_sync_low_water(conn, fd, false);
	return r;
}

static size_t queued_ours(struct intake *in)
{
	size_t bytes = in->share->plaintext.len;

	in->scratch = bytes > 0 && !in->share->eof ? scratch_get() : NULL;
	if (in->scratch != NULL)
		bytes += intake_queued(in);
	scratch_put(in->scratch);
	in->share->told = (uint32_t)bytes;
	return bytes;
}

int conn_readable_bytes(struct conn *conn, int fd)
{
	struct intake in = { .conn = conn, .share = conn->share, .fd = fd };
	size_t bytes;

	if (conn_state(conn) != CONN_OPEN) {
		conn_establish(conn, fd);
		return conn_is_clear(conn) || conn_state(conn) == CONN_GATED ? sys_queued(fd) : 0;
	}
	conn_settle(conn, fd);
	if (conn_state(conn) != CONN_OPEN || lock_for_receive(conn) < 0)
		return 0;
	bytes = in.share->kernel_receives ? kernel_queued(&in) : queued_ours(&in);
	share_unlock(&in.share->receive_lock);
	return (int)bytes;
}

bool conn_drain(struct conn *conn, int fd)
{
	struct share *share = conn->share;

	/* What the kernel's TLS has opened already does not count as queued. */
	if (share->eof || (!share->kernel_receives && sys_queued(fd) <= 0))
		return share->plaintext.len > 0;
	return conn_settle(conn, fd) == 1 && conn_state(conn) == CONN_OPEN && !share->eof &&
	       (share->kernel_receives || share->plaintext.len > 0);
}
