/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is sent is judged before it goes, what is received before it is handed out: on a copy of the
 * gate, which then takes as much as has really passed. Nothing is held over the call that may wait.
 */
#include "conn/gate.h"

#include "conn/internal.h"
#include "guard.h"
#include "libc.h"
#include "notice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum gate_verdict take_parts(struct gate *gate, enum recognise_way way,
	const struct iovec *iov, size_t count, size_t len)
{
	enum gate_verdict verdict = GATE_CLOSED;

	for (size_t i = 0; i < count && len > 0 && verdict == GATE_CLOSED; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		verdict = gate_take(gate, way, iov[i].iov_base, part);
		len -= part;
	}
	return verdict;
}

/* With `pass` the bytes have passed; without, they are only judged. */
static enum gate_verdict judge(struct conn *conn, enum recognise_way way, const struct iovec *iov,
	size_t count, size_t len, bool pass)
{
	struct share *share = conn->share;
	enum gate_verdict verdict;
	struct gate copy;

	if (share_lock(&share->send_lock) == -EDEADLK)
		return GATE_REFUSED;
	copy = share->gate;
	verdict = take_parts(&copy, way, iov, count, len);
	if (pass && verdict != GATE_REFUSED)
		share->gate = copy;
	share_unlock(&share->send_lock);
	return verdict;
}

int gate_begin(struct conn *conn)
{
	int type = conn->rule->action == POLICY_OBSERVE ? AUDIT_OBSERVE : AUDIT_PASS;

	if (report_alone(conn, type, NULL, NULL) < 0)
		return -EACCES;
	observe_begin(conn, type, conn->share->id);
	return 0;
}

static void required(const struct conn *conn, char *out, size_t len)
{
	unsigned require = conn->rule->require;

	snprintf(out, len, "require = %s",
		require == (POLICY_REQUIRE_TLS | POLICY_REQUIRE_SSH) ? "tls, ssh"
		: require == POLICY_REQUIRE_TLS                      ? "tls"
								     : "ssh");
}

/* The connection is over. -EACCES. */
static ssize_t refuse(struct conn *conn, int fd, enum recognise_way way, const char *what)
{
	char reason[TLS_REASON_MAX], key[32];

	guard_lock(&conn->lock);
	required(conn, key, sizeof(key));
	snprintf(reason, sizeof(reason), "%s %s, and the rule says '%s'",
		way == RECOGNISE_SENT ? "the program" : "the peer", what, key);
	if (conn_state(conn) == CONN_GATED) {
		report_alone(conn, AUDIT_DENY, reason, observe_found(conn));
		observe_forget_locked(conn);
		if (conn->role == TLS_CLIENT)
			notice("no connection to %s, rule '%s': %s (what to do: %s)",
				conn->name[0] != '\0' ? conn->name : conn->remote, conn->rule->name,
				reason, cause_advice(CAUSE_UNPROTECTED));
		atomic_store(&conn->share->error, EACCES);
		atomic_store(&conn->share->error_told, true);
		conn_set_state(conn, CONN_FAILED);
		sys_shutdown(fd, SHUT_RDWR);
		interest_end(conn);
	}
	guard_unlock(&conn->lock);
	return -EACCES;
}

static ssize_t refuse_clear(struct conn *conn, int fd, enum recognise_way way,
	const struct iovec *iov, size_t count, size_t len)
{
	guard_lock(&conn->lock);
	observe_name(conn, way, iov, count, len);
	guard_unlock(&conn->lock);
	return refuse(conn, fd, way, "speaks in the clear");
}

static void passed(struct conn *conn, enum recognise_way way, const struct iovec *iov, size_t count,
	size_t len)
{
	enum gate_verdict verdict = judge(conn, way, iov, count, len, true);

	guard_lock(&conn->lock);
	if (verdict == GATE_OPEN && conn_state(conn) == CONN_GATED)
		conn_leave_alone(conn);
	observe_bytes(conn, way, iov, count, len);
	guard_unlock(&conn->lock);
}

typedef ssize_t move_message(int fd, struct msghdr *msg, int flags);

static ssize_t send_message(int fd, struct msghdr *msg, int flags)
{
	return libc.sendmsg(fd, msg, flags | MSG_NOSIGNAL);
}

static ssize_t receive_message(int fd, struct msghdr *msg, int flags)
{
	return libc.recvmsg(fd, msg, flags);
}

/* The program's call as it is, with nothing held. */
static ssize_t move(struct conn **held, int fd, const struct iovec *iov, size_t count, int flags,
	move_message *call)
{
	struct conn_mark mark = conn_mark(*held);
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count };
	struct guard guard;
	int saved = errno;
	ssize_t n;

	conn_unref(*held);
	guard_suspend(&guard, true);
	n = call(fd, &msg, flags);
	guard_resume(&guard);
	*held = conn_regain(mark);
	if (n < 0)
		n = -errno;
	errno = saved;
	return n;
}

static size_t bytes_of(const struct iovec *iov, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

ssize_t gate_send(struct conn **held, int fd, const struct iovec *iov, size_t count, int flags)
{
	size_t len = bytes_of(iov, count);
	ssize_t n;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if (judge(*held, RECOGNISE_SENT, iov, count, len, false) == GATE_REFUSED)
		return refuse_clear(*held, fd, RECOGNISE_SENT, iov, count, len);
	n = move(held, fd, iov, count, flags, send_message);
	if (n > 0 && *held != NULL)
		passed(*held, RECOGNISE_SENT, iov, count, (size_t)n);
	return n;
}

static void wipe(const struct iovec *iov, size_t count, size_t len)
{
	for (size_t i = 0; i < count && len > 0; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		explicit_bzero(iov[i].iov_base, part);
		len -= part;
	}
}

ssize_t gate_receive(struct conn **held, int fd, const struct iovec *iov, size_t count, int flags)
{
	ssize_t n;

	if ((flags & (MSG_OOB | MSG_TRUNC)) != 0)
		return (flags & MSG_OOB) != 0 ? -EINVAL : -EOPNOTSUPP;
	n = move(held, fd, iov, count, flags, receive_message);
	if (n <= 0)
		return n;
	if (*held == NULL || conn_state(*held) == CONN_FAILED ||
		(conn_state(*held) == CONN_GATED && judge(*held, RECOGNISE_RECEIVED, iov, count,
							    (size_t)n, false) == GATE_REFUSED)) {
		n = *held != NULL
			    ? refuse_clear(*held, fd, RECOGNISE_RECEIVED, iov, count, (size_t)n)
			    : -EACCES;
		wipe(iov, count, bytes_of(iov, count));
		return n;
	}
	if ((flags & MSG_PEEK) == 0)
		passed(*held, RECOGNISE_RECEIVED, iov, count, (size_t)n);
	return n;
}
