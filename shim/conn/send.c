/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sending. Up to four records are sealed and given to the kernel in one call, blocking or not as
 * the descriptor is. What the kernel did not take is undone: whole records by stepping the sequence
 * number back, since nothing of them left the process. A record that was cut cannot be undone; its
 * rest is parked and goes first next time, and its last byte is not reported, so that the program
 * comes back for it (DESIGN 5.3). The send lock is held over sealing and sending, for the order on
 * the wire is that of the numbers.
 */
#include "conn/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FLIGHT_RECORDS 4
#define CONTROL_MOST 16
#define OVERHEAD_MOST 29
/* A KeyUpdate goes out while there is still room for what is under way. */
#define KEY_LEFT_LEAST 1024
#define ALERT_FATAL 2
#define ALERT_WARNING 1
#define KEY_UPDATE 24

/* Records that were sealed to be sent together. */
struct flight {
	uint64_t first_seq;
	size_t count, len;              /* records; sealed bytes */
	size_t plain[FLIGHT_RECORDS];   /* bytes of plaintext in each */
	size_t ends_at[FLIGHT_RECORDS]; /* in the sealed bytes */
};

static size_t iov_total(const struct iovec *iov, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

static uint8_t iov_byte(const struct iovec *iov, size_t count, size_t offset)
{
	for (size_t i = 0; i < count; i++) {
		if (offset < iov[i].iov_len)
			return ((const uint8_t *)iov[i].iov_base)[offset];
		offset -= iov[i].iov_len;
	}
	return 0;
}

static int flush_locked(struct share *share, int fd, int flags)
{
	while (share->tail.len > 0) {
		ssize_t n = sys_send(
			fd, share_bytes_data(&share->tail), share->tail.len, flags & MSG_DONTWAIT);

		if (n < 0)
			return (int)n;
		share_bytes_drop(&share->tail, (size_t)n);
	}
	if (share->fin_due) {
		share->fin_due = false;
		sys_shutdown(fd, SHUT_WR);
	}
	return 0;
}

/* Sealed bytes go out, behind what is parked; what the kernel does not take is parked. */
static int push(struct share *share, int fd, const uint8_t *sealed, size_t len)
{
	ssize_t n = 0;

	if (flush_locked(share, fd, MSG_DONTWAIT) == 0) {
		n = sys_send(fd, sealed, len, MSG_DONTWAIT);
		if (n < 0 && n != -EAGAIN)
			return (int)n;
	}
	if (n < 0)
		n = 0;
	return share_bytes_put(&share->tail, sealed + n, len - (size_t)n);
}

static int control_locked(
	struct share *share, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	uint8_t sealed[CONTROL_MOST + OVERHEAD_MOST];
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	ssize_t n = record_seal(&share->send_key, type, &iov, 0, len, sealed);

	return n < 0 ? (int)n : push(share, fd, sealed, (size_t)n);
}

/* A lock that a killed process left behind: whether its last record went out is not to be known. */
static int lock_for_send(struct conn *conn)
{
	int r = share_lock(&conn->share->send_lock);

	if (r == -EOWNERDEAD) {
		share_unlock(&conn->share->send_lock);
		conn_fail(conn, ECONNRESET, NULL,
			"a process that shared the connection was killed while it sent");
		return -ECONNRESET;
	}
	return r == 0 ? 0 : -EAGAIN; /* a signal handler in the middle of this thread's own send */
}

int conn_send_control(
	struct conn *conn, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	int r = lock_for_send(conn);

	if (r < 0)
		return r;
	r = conn->share->send_closed ? -EPIPE : control_locked(conn->share, fd, type, data, len);
	share_unlock(&conn->share->send_lock);
	return r;
}

int conn_send_alert(struct conn *conn, int fd, int description)
{
	const uint8_t alert[2] = { ALERT_FATAL, (uint8_t)description };

	conn->share->alert_sent = description;
	return conn_send_control(conn, fd, RECORD_ALERT, alert, sizeof(alert));
}

int conn_send_close_notify(struct conn *conn, int fd)
{
	static const uint8_t close_notify[2] = { ALERT_WARNING, 0 };
	struct share *share = conn->share;
	int r = lock_for_send(conn);

	if (r < 0)
		return r;
	if (!share->send_closed) {
		r = control_locked(share, fd, RECORD_ALERT, close_notify, sizeof(close_notify));
		share->send_closed = true;
		if (share->alert_sent < 0)
			share->alert_sent = 0;
	} else {
		r = flush_locked(share, fd, MSG_DONTWAIT);
	}
	share_unlock(&share->send_lock);
	return r;
}

static int update_key_locked(struct share *share, int fd)
{
	static const uint8_t key_update[5] = { KEY_UPDATE, 0, 0, 1, 0 };
	int r = control_locked(share, fd, RECORD_HANDSHAKE, key_update, sizeof(key_update));

	if (r < 0)
		return r;
	share->key_update_due = false;
	return record_key_update(&share->send_key);
}

void conn_update_send_key(struct conn *conn, int fd)
{
	struct share *share = conn->share;

	if (lock_for_send(conn) < 0) {
		share->key_update_due = true;
		return;
	}
	if (!share->send_closed)
		update_key_locked(share, fd);
	share_unlock(&share->send_lock);
}

int conn_flush(struct conn *conn, int fd, int flags)
{
	int r = lock_for_send(conn);

	if (r < 0)
		return r;
	r = flush_locked(conn->share, fd, flags);
	share_unlock(&conn->share->send_lock);
	return r;
}

static int seal_flight(struct share *share, const struct iovec *iov, size_t offset, size_t total,
	uint8_t *out, struct flight *flight)
{
	flight->first_seq = share->send_key.seq;
	flight->count = flight->len = 0;
	while (offset < total && flight->count < FLIGHT_RECORDS) {
		size_t len = total - offset < RECORD_MAX_PLAINTEXT ? total - offset
								   : RECORD_MAX_PLAINTEXT;
		ssize_t n = record_seal(&share->send_key, RECORD_APPLICATION_DATA, iov, offset, len,
			out + flight->len);

		if (n < 0)
			return (int)n;
		flight->len += (size_t)n;
		flight->plain[flight->count] = len;
		flight->ends_at[flight->count++] = flight->len;
		offset += len;
	}
	return 0;
}

/*
 * The kernel took `taken` bytes of the flight, not all. Whole records count, untouched ones are
 * undone, the rest of a cut one is parked. Returns the plaintext that went, a cut record's last
 * byte left out; *cut whether there is one.
 */
static ssize_t settle_flight(struct share *share, const struct flight *flight,
	const uint8_t *sealed, size_t taken, bool *cut)
{
	size_t whole = 0, begins_at, plain = 0;

	while (flight->ends_at[whole] <= taken)
		plain += flight->plain[whole++];
	begins_at = whole > 0 ? flight->ends_at[whole - 1] : 0;
	*cut = taken > begins_at;
	share->send_key.seq = flight->first_seq + whole + (*cut ? 1 : 0);
	if (!*cut)
		return (ssize_t)plain;
	if (share_bytes_put(&share->tail, sealed + taken, flight->ends_at[whole] - taken) < 0)
		return -ENOBUFS;
	return (ssize_t)(plain + flight->plain[whole] - 1);
}

static ssize_t send_flights(struct share *share, int fd, const struct iovec *iov, size_t count,
	size_t done, size_t total, int flags, uint8_t *scratch)
{
	while (done < total) {
		struct flight flight;
		bool cut;
		ssize_t n;
		int r = seal_flight(share, iov, done, total, scratch, &flight);

		if (r < 0)
			return r;
		n = sys_send(fd, scratch, flight.len, flags);
		if (n == (ssize_t)flight.len) {
			for (size_t i = 0; i < flight.count; i++)
				done += flight.plain[i];
			continue;
		}
		if (n < 0) {
			share->send_key.seq = flight.first_seq;
			return done > 0 ? (ssize_t)done : n;
		}
		n = settle_flight(share, &flight, scratch, (size_t)n, &cut);
		if (n < 0)
			return n;
		done += (size_t)n;
		share->owed = cut;
		share->owed_byte = cut ? iov_byte(iov, count, done) : 0;
		return done > 0 ? (ssize_t)done : -EAGAIN;
	}
	return (ssize_t)done;
}

static int before_data(struct share *share, int fd)
{
	if (share->send_key.version != RECORD_TLS13)
		return 0;
	if (!share->key_update_due && record_key_left(&share->send_key) > KEY_LEFT_LEAST)
		return 0;
	return update_key_locked(share, fd);
}

static ssize_t send_locked(
	struct share *share, int fd, const struct iovec *iov, size_t count, int flags)
{
	size_t total = iov_total(iov, count), done = 0;
	uint8_t *scratch;
	ssize_t n;
	int r;

	if (share->send_closed)
		return -EPIPE;
	r = before_data(share, fd);
	if (r == 0)
		r = flush_locked(share, fd, flags);
	if (r < 0)
		return r;
	if (total == 0)
		return 0;
	if (share->owed) {
		if (iov_byte(iov, count, 0) != share->owed_byte)
			return -EBADMSG;
		share->owed = false;
		done = 1;
	}
	scratch = scratch_get();
	if (scratch == NULL)
		return done > 0 ? (ssize_t)done : -ENOBUFS;
	n = send_flights(
		share, fd, iov, count, done, total, flags & (MSG_DONTWAIT | MSG_MORE), scratch);
	scratch_put(scratch);
	return n;
}

/* --- Before it is open */

/* RFC 8446 5.1, 4: a handshake record of a plausible length that begins with a ClientHello. */
static bool is_client_hello(const struct iovec *iov, size_t count)
{
	return iov_total(iov, count) > RECORD_HEADER_LEN &&
	       iov_byte(iov, count, 0) == RECORD_HANDSHAKE && iov_byte(iov, count, 1) == 3 &&
	       iov_byte(iov, count, 2) <= 4 &&
	       iov_byte(iov, count, 3) <= RECORD_MAX_PLAINTEXT >> 8 && iov_byte(iov, count, 5) == 1;
}

/* The first bytes on a deferred connection say whether the program speaks TLS itself. */
static void first_bytes(struct conn *conn, const struct iovec *iov, size_t count)
{
	pthread_mutex_lock(&conn->lock);
	if (conn_state(conn) == CONN_DEFERRED) {
		if (is_client_hello(iov, count)) {
			conn_let_go(conn, "the program speaks TLS itself, and the rule says "
					  "'if_program_tls = pass'");
		} else {
			conn->early_allowed = true;
			conn_start(conn);
		}
	}
	pthread_mutex_unlock(&conn->lock);
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
		conn_fail(conn, EACCES, NULL,
			"the program speaks TLS itself, and the rule says 'if_program_tls = deny'");
		return -EACCES;
	}
	socket_address(fd, false, &query.local);
	socket_address(fd, true, &query.remote);
	report_decision(AUDIT_OBSERVE, &query, &decision,
		"warning: the program speaks TLS itself, inside the protected connection "
		"(if_program_tls = wrap)");
	return 0;
}

static ssize_t failed(struct conn *conn)
{
	if (!atomic_exchange(&conn->share->error_told, true))
		return -atomic_load(&conn->share->error);
	return -EPIPE;
}

/* 0: open; a count: kept for later; or -errno. */
static ssize_t get_ready(
	struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags)
{
	bool keep;
	size_t kept;
	int r;

	if (conn_state(conn) == CONN_DEFERRED)
		first_bytes(conn, iov, count);
	keep = conn->early_allowed || conn->self_connected || conn->role == TLS_SERVER;
	r = conn_establish(conn, fd);
	if (r == -EAGAIN && keep &&
		(conn->self_connected || atomic_load(&conn->share->nonblock) ||
			(flags & MSG_DONTWAIT) != 0)) {
		kept = conn_keep_early(conn, iov, count);
		if (kept > 0)
			return (ssize_t)kept;
	}
	if (r == -EAGAIN)
		r = conn_establish_wait(conn, fd, flags);
	if (conn_state(conn) == CONN_FAILED)
		return failed(conn);
	return r;
}

ssize_t conn_send(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags)
{
	struct share *share = conn->share;
	ssize_t n;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if (conn_state(conn) != CONN_OPEN) {
		n = get_ready(conn, fd, iov, count, flags);
		if (n != 0)
			return n;
	}
	if (conn_state(conn) == CONN_PASSED)
		return sys_send_iov(fd, iov, count, flags);
	if (atomic_load_explicit(&share->bytes_out, memory_order_relaxed) == 0) {
		n = look_at_first_data(conn, iov, count);
		if (n < 0)
			return n;
	}
	n = lock_for_send(conn);
	if (n < 0)
		return n;
	n = send_locked(share, fd, iov, count, flags);
	share_unlock(&share->send_lock);
	if (n > 0)
		atomic_fetch_add_explicit(&share->bytes_out, (uint64_t)n, memory_order_relaxed);
	if (n == -EBADMSG || n == -EOVERFLOW) {
		conn_fail(conn, ECONNRESET, NULL,
			n == -EBADMSG ? "the program did not go on with the byte that a short send "
					"had left"
				      : "the cipher's limit of records is reached (RFC 8446, 5.5), "
					"and TLS 1.2 cannot change keys");
		return -ECONNRESET;
	}
	return n;
}

int conn_send_early(struct conn *conn, int fd, const uint8_t *data, size_t len)
{
	struct share *share = conn->share;
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	uint8_t *scratch = scratch_get();
	struct flight flight;
	int r = -ENOBUFS;

	if (scratch != NULL) {
		r = seal_flight(share, &iov, 0, len, scratch, &flight);
		if (r == 0)
			r = push(share, fd, scratch, flight.len);
		atomic_fetch_add(&share->bytes_out, len);
	}
	scratch_put(scratch);
	return r;
}

/* --- Files */

static ssize_t read_file(int in, uint8_t *buf, size_t len, off_t at)
{
	int saved = errno;
	ssize_t n = pread(in, buf, len, at);

	if (n < 0)
		n = errno == ESPIPE ? -EINVAL : -errno;
	errno = saved;
	return n;
}

ssize_t conn_sendfile(struct conn *conn, int fd, int in, off_t *offset, size_t len)
{
	off_t at = offset != NULL ? *offset : lseek(in, 0, SEEK_CUR);
	uint8_t *buf = at >= 0 ? scratch_get() : NULL;
	ssize_t n = at >= 0 ? -ENOBUFS : -EINVAL;
	size_t done = 0;

	while (buf != NULL && done < len) {
		size_t ask = len - done < FLIGHT_RECORDS * RECORD_MAX_PLAINTEXT
				     ? len - done
				     : FLIGHT_RECORDS * RECORD_MAX_PLAINTEXT;
		struct iovec iov = { .iov_base = buf };

		n = read_file(in, buf, ask, at);
		if (n <= 0)
			break;
		iov.iov_len = (size_t)n;
		n = conn_send(conn, fd, &iov, 1, 0);
		if (n < 0)
			break;
		done += (size_t)n;
		at += n;
		if ((size_t)n < iov.iov_len)
			break;
	}
	if (buf != NULL && len == 0)
		n = 0;
	scratch_put(buf);
	if (offset != NULL)
		*offset = at;
	else if (done > 0)
		lseek(in, at, SEEK_SET);
	return done > 0 ? (ssize_t)done : n;
}
