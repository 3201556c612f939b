/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The calls that send: what comes before the handshake is done, waits, and files. Nothing is held
 * over a wait. What a call does to the records is the outlet's.
 */
#include "conn/internal.h"

#include "conn/gate.h"
#include "conn/kernel.h"
#include "conn/outlet.h"
#include "conn/permissive.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is read from a file at a time: as much as one call to the kernel takes. */
#define FILE_CHUNK (4 * RECORD_MAX_PLAINTEXT)
#define RELAYS_MOST_US 100000
#define RELAYS_LOOK_NS 500000

/* --- Before it is open */

/* RFC 8446 5.1, 4: a handshake record of a plausible length that begins with a ClientHello. */
static bool is_client_hello(const struct iovec *iov, size_t count)
{
	struct outgoing out;

	outgoing_init(&out, iov, count);
	return out.total > RECORD_HEADER_LEN && outgoing_byte(&out, 0) == RECORD_HANDSHAKE &&
	       outgoing_byte(&out, 1) == 3 && outgoing_byte(&out, 2) <= 4 &&
	       outgoing_byte(&out, 3) <= RECORD_MAX_PLAINTEXT >> 8 && outgoing_byte(&out, 5) == 1;
}

/* With the first bytes a deferred connection starts, or turns out to be the program's own. */
static void start_with(struct conn *conn, const struct iovec *iov, size_t count)
{
	guard_lock(&conn->lock);
	if (conn_state(conn) == CONN_DEFERRED) {
		if (conn->rule->tls.if_program_tls == POLICY_PROGRAM_PASS &&
			is_client_hello(iov, count)) {
			conn_let_go(conn, "the program speaks TLS itself, and the rule says "
					  "'if_program_tls = pass'");
		} else {
			conn->early_allowed = true;
			conn_start(conn);
		}
	}
	guard_unlock(&conn->lock);
}

/* A program's own TLS inside ours: what was meant is for policy to say. */
static int look_at_first_data(struct conn *conn, const struct iovec *iov, size_t count)
{
	struct policy_decision decision = { .action = POLICY_OBSERVE, .rule = conn->rule };
	struct policy_query query = { .direction = POLICY_OUTBOUND };
	int fd = atomic_load(&conn->fd);

	if (conn->role != TLS_CLIENT || !is_client_hello(iov, count))
		return 0;
	if (conn->rule->tls.if_program_tls == POLICY_PROGRAM_DENY) {
		conn_fail_for(conn, EACCES, CAUSE_POLICY,
			"the program speaks TLS itself, and the rule says 'if_program_tls = deny'");
		return -EACCES;
	}
	socket_address(fd, false, &query.local);
	socket_address(fd, true, &query.remote);
	report_decision(AUDIT_OBSERVE, &query, &decision,
		"warning: the program speaks TLS itself, inside the protected connection "
		"(if_program_tls = wrap)",
		NULL);
	return 0;
}

static ssize_t failed(struct conn *conn)
{
	if (!atomic_exchange(&conn->share->error_told, true))
		return -atomic_load(&conn->share->error);
	return -EPIPE;
}

/* As conn_keep_early(), after a look at the first of it. */
static ssize_t keep_early(struct conn *conn, const struct iovec *iov, size_t count)
{
	int r = 0;

	guard_lock(&conn->lock);
	if (conn_state(conn) == CONN_ESTABLISHING && conn->early_len == 0)
		r = look_at_first_data(conn, iov, count);
	guard_unlock(&conn->lock);
	return r < 0 ? r : (ssize_t)conn_keep_early(conn, iov, count);
}

/* 0: open; a count: kept for later; or -errno, -ESTALE. */
static ssize_t get_ready(
	struct conn **held, int fd, const struct iovec *iov, size_t count, int flags)
{
	struct conn *conn = *held;
	bool keep;
	ssize_t kept;
	int r;

	if (conn_state(conn) == CONN_DEFERRED)
		start_with(conn, iov, count);
	keep = conn->early_allowed || conn->self_connected || conn->role == TLS_SERVER;
	r = conn_establish(conn, fd);
	if (r == -EAGAIN)
		permissive_program_speaks(conn);
	if (r == -EAGAIN && keep &&
		(conn->self_connected || conn_is_greeted(conn) ||
			atomic_load(&conn->share->nonblock) || (flags & MSG_DONTWAIT) != 0)) {
		kept = keep_early(conn, iov, count);
		if (kept > 0 && conn_is_greeted(conn))
			conn_establish(conn, fd);
		if (kept != 0)
			return kept;
	}
	if (r == -EAGAIN)
		r = conn_establish_wait(held, fd, flags, SO_SNDTIMEO);
	if (r == -EINTR || r == -ESTALE)
		return r;
	if (conn_state(*held) == CONN_FAILED)
		return failed(*held);
	return conn_is_clear(*held) ? -ESTALE : r;
}

/* --- Open */

static bool may_wait(struct conn *conn, int fd, int flags)
{
	(void)conn;
	return (flags & MSG_DONTWAIT) == 0 && (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) == 0;
}

/* Room in the kernel, perhaps. 0: look again; or how the call ends. A handler of any kind ends a
 * send that has got something away. */
static int wait_writable(struct conn **held, int fd, uint64_t deadline_us, bool has_some)
{
	int r = driver_wait(held, fd, POLLOUT, deadline_us, NULL);

	if (r == -ERESTART)
		r = has_some || deadline_us != 0 ? -EINTR : 0;
	return r;
}

static int send_round(struct conn *conn, int fd, struct outgoing *out, int flags)
{
	int r = 0;

	if (atomic_load_explicit(&conn->share->send_error, memory_order_relaxed) != 0)
		r = -atomic_exchange(&conn->share->send_error, 0);
	if (r == 0)
		r = outlet_lock(conn);
	if (r < 0)
		return r;
	r = outlet_data(conn, fd, out, flags, may_wait);
	share_unlock(&conn->share->send_lock);
	return r;
}

/* A count is promised: the rest of a record goes first at the next call. */
static void give_up(struct conn *conn, struct outgoing *out)
{
	if (!out->parked || outlet_lock(conn) < 0)
		return;
	outlet_give_up(conn->share, out);
	share_unlock(&conn->share->send_lock);
}

static int send_open(struct conn **held, int fd, struct outgoing *out, int flags)
{
	uint64_t deadline_us = 0;
	bool timed = false;

	for (;;) {
		int r = send_round(*held, fd, out, flags);

		if (r != -EAGAIN || !may_wait(*held, fd, flags))
			return r;
		if (!timed)
			deadline_us = sys_deadline_us(fd, SO_SNDTIMEO);
		timed = true;
		r = wait_writable(held, fd, deadline_us, out->done > 0);
		if (r < 0) {
			if (*held != NULL)
				give_up(*held, out);
			return r;
		}
	}
}

void conn_let_relays_go_first(struct conn *conn, uint64_t most_us)
{
	struct share *share = conn->share;
	uint64_t until_us = sys_monotonic_us() + most_us;
	uint32_t begun = atomic_load(&share->relays_begun);

	while (!conn->relayed && atomic_load(&share->relays_done) < begun &&
		sys_monotonic_us() < until_us) {
		const struct timespec soon = { .tv_nsec = RELAYS_LOOK_NS };

		sys_poll(NULL, 0, &soon, NULL);
	}
	atomic_store(&conn->relays_seen, begun);
}

static int send_broken(struct conn *conn, int error)
{
	enum cause cause = error == -EBADMSG     ? CAUSE_PROGRAM
			   : error == -EOVERFLOW ? CAUSE_LIMIT
						 : CAUSE_RESOURCES;
	const char *reason =
		error == -EBADMSG ? "the program did not go on with the byte that a short send had "
				    "left"
		: error == -EOVERFLOW
			? "the cipher's limit of records is reached (RFC 8446, 5.5), and TLS 1.2 "
			  "cannot change keys"
		: error == -EOPNOTSUPP
			? "the keys are to be changed (RFC 8446, 4.6.3, 5.5), and the TLS of this "
			  "kernel cannot: Linux 6.14 can, and so can 'plane = user'"
			: "no memory for the rest of a record";

	conn_fail_for(conn, ECONNRESET, cause, reason);
	return -ECONNRESET;
}

/* As in the kernel, an error after a part was sent is for the next call. */
static ssize_t result_of(struct conn *conn, const struct outgoing *out, int r)
{
	if (out->done == 0)
		return r == -EPIPE ? r : conn_told(conn, r);
	if (r < 0 && r != -EAGAIN && r != -EINTR)
		atomic_store(&conn->share->send_error, -r);
	return (ssize_t)out->done;
}

static ssize_t transmit(
	struct conn **held, int fd, const struct iovec *iov, size_t count, int flags)
{
	struct share *share = (*held)->share;
	struct outgoing out;
	bool asks = false;
	ssize_t n;
	int r;

	if (conn_state(*held) == CONN_GATED) {
		outgoing_init(&out, iov, count);
		return outgoing_is_there(&out) ? gate_send(held, fd, iov, count, flags) : -EFAULT;
	}
	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	/* Asked for before there was a connection: programs then send without (MSG_ZEROCOPY,
	 * Documentation/networking/msg_zerocopy.rst). */
	if ((flags & MSG_ZEROCOPY) != 0 && sys_getsockopt_int(fd, SOL_SOCKET, SO_ZEROCOPY) > 0)
		return -ENOBUFS;
	outgoing_init(&out, iov, count);
	if (!outgoing_is_there(&out))
		return -EFAULT;
	if (conn_state(*held) != CONN_OPEN) {
		n = get_ready(held, fd, iov, count, flags);
		if (n != 0)
			return n;
	}
	if (atomic_load_explicit(&share->bytes_out, memory_order_relaxed) == 0) {
		asks = conn_may_ask(*held);
		if (asks && conn_answer(*held, iov, count))
			return (ssize_t)out.total;
		r = look_at_first_data(*held, iov, count);
		if (r < 0)
			return r;
	}
	if (atomic_load_explicit(&share->relays_begun, memory_order_relaxed) !=
		atomic_load_explicit(&(*held)->relays_seen, memory_order_relaxed))
		conn_let_relays_go_first(*held, RELAYS_MOST_US);
	r = send_open(held, fd, &out, flags);
	if (*held == NULL || r == -ESTALE)
		return out.done > 0 ? (ssize_t)out.done : r;
	atomic_fetch_add_explicit(&share->bytes_out, out.done, memory_order_relaxed);
	if (asks && out.done > 0)
		conn_answered(*held);
	/* The rest of a record goes out as soon as there is room, whatever the program waits for.
	 */
	if (share_is_parked(share))
		driver_add(*held);
	if (r == -EBADMSG || r == -EOVERFLOW || r == -ENOTRECOVERABLE || r == -EOPNOTSUPP)
		return send_broken(*held, r);
	if (r == -EILSEQ)
		return kernel_receive_failed(*held, fd, -EBADMSG);
	return result_of(*held, &out, r);
}

ssize_t conn_send(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags)
{
	ssize_t n = transmit(&conn, fd, iov, count, flags);

	conn_put_held(conn);
	if (n <= 0)
		conn_wait_if_ending();
	return n == -ESTALE ? CONN_AGAIN : n;
}

int conn_flush(struct conn *conn, int fd)
{
	int r = outlet_lock(conn);

	if (r < 0)
		return r;
	r = outlet_flush(conn->share, fd);
	share_unlock(&conn->share->send_lock);
	return r;
}

int conn_send_early(struct conn *conn, int fd, const uint8_t *data, size_t len)
{
	int r = outlet_lock(conn);

	if (r < 0)
		return r;
	r = outlet_all(conn, fd, data, len);
	share_unlock(&conn->share->send_lock);
	atomic_fetch_add(&conn->share->bytes_out, len);
	return r;
}

/* --- Files */

static ssize_t read_file(int in, uint8_t *buf, size_t len, off_t at)
{
	int saved = errno;
	ssize_t n = pread(in, buf, len, at);

	if (n < 0)
		n = errno == EISDIR ? -EINVAL : -errno; /* sendfile(2) */
	errno = saved;
	return n;
}

/* One chunk, with nothing kept over a wait: the buffer is this thread's for as long as it is in the
 * guard. */
static ssize_t send_chunk(
	struct conn **held, int fd, int in, off_t at, size_t len, size_t *asked, int flags)
{
	uint8_t *buf = scratch_get();
	struct iovec iov = { .iov_base = buf };
	ssize_t n = -ENOBUFS;

	if (buf != NULL)
		n = read_file(in, buf, len < FILE_CHUNK ? len : FILE_CHUNK, at);
	*asked = n > 0 ? (size_t)n : 0;
	if (n > 0) {
		iov.iov_len = (size_t)n;
		n = transmit(held, fd, &iov, 1, flags | MSG_DONTWAIT);
	}
	scratch_put_used(buf, n < 0 && *asked == 0 ? SCRATCH_LEN : *asked);
	return n;
}

static ssize_t send_file(struct conn **held, int fd, int in, off_t at, size_t len)
{
	uint64_t deadline_us = 0;
	size_t done = 0, asked;
	bool waits = false;

	while (done < len) {
		ssize_t n = send_chunk(held, fd, in, at + (off_t)done, len - done, &asked, 0);
		int r;

		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		if (n == (ssize_t)asked)
			continue;
		if ((n < 0 && n != -EAGAIN) || !may_wait(*held, fd, 0))
			return done > 0 ? (ssize_t)done : n;
		if (!waits)
			deadline_us = sys_deadline_us(fd, SO_SNDTIMEO);
		waits = true;
		r = wait_writable(held, fd, deadline_us, done > 0);
		if (r < 0)
			return done > 0 ? (ssize_t)done : r;
	}
	return (ssize_t)done;
}

ssize_t conn_sendfile(struct conn *conn, int fd, int in, off_t *offset, size_t len)
{
	off_t at = offset != NULL ? *offset : lseek(in, 0, SEEK_CUR);
	ssize_t n = at < 0 ? -EINVAL : conn_establish(conn, fd);

	if (n == -EAGAIN && conn_waits_for_greeting(conn))
		n = 0; /* which this is */
	if (n == -EAGAIN)
		permissive_program_speaks(conn);
	if (n == -EAGAIN)
		n = conn_establish_wait(&conn, fd, 0, SO_SNDTIMEO);
	if (n == 0 && conn_state(conn) == CONN_OPEN && kernel_moves(conn, fd)) {
		n = kernel_send_file(&conn, fd, in, offset, len);
		conn_put_held(conn);
		return n;
	}
	if (n == 0)
		n = send_file(&conn, fd, in, at, len);
	else if (conn != NULL && conn_state(conn) == CONN_FAILED)
		n = failed(conn);
	conn_put_held(conn);
	if (n > 0 && offset != NULL)
		*offset = at + n;
	else if (n > 0)
		lseek(in, at + n, SEEK_SET);
	return n;
}

bool conn_splices(struct conn *conn, int fd)
{
	return conn_state(conn) == CONN_OPEN && kernel_moves(conn, fd);
}

ssize_t conn_splice_from(struct conn *conn, int fd, int pipe, size_t len)
{
	ssize_t n = kernel_send_pipe(&conn, fd, pipe, len);

	conn_put_held(conn);
	return n;
}

/* --- Pieces, for who moves data between descriptors */

ssize_t conn_send_now(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags)
{
	return transmit(&conn, fd, iov, count, flags | MSG_DONTWAIT);
}

int conn_wait_writable(struct conn *conn, int fd, bool has_some)
{
	int r;

	if (conn_state(conn) == CONN_OPEN)
		r = wait_writable(&conn, fd, sys_deadline_us(fd, SO_SNDTIMEO), has_some);
	else
		r = conn_establish_wait(&conn, fd, 0, SO_SNDTIMEO);
	conn_put_held(conn);
	return r == -ESTALE ? CONN_AGAIN : r;
}
