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
#include "tls/registry.h"

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
	if (pass && verdict < GATE_REFUSED)
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
	static const struct {
		enum policy_require require;
		const char *name;
	} names[] = { { POLICY_REQUIRE_TLS, "tls" }, { POLICY_REQUIRE_TLS12, "tls1.2" },
		{ POLICY_REQUIRE_TLS13, "tls1.3" }, { POLICY_REQUIRE_SSH, "ssh" } };
	size_t at = (size_t)snprintf(out, len, "require =");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && at < len; i++)
		if ((conn->rule->require & names[i].require) != 0)
			at += (size_t)snprintf(out + at, len - at, "%s %s",
				out[at - 1] == '=' ? "" : ",", names[i].name);
}

static void say_what(enum gate_verdict verdict, enum recognise_way way,
	const struct recognition *found, char *out, size_t len)
{
	const char *who = way == RECOGNISE_SENT ? "the program" : "the peer";
	char suite[REGISTRY_NUMBER_LEN];
	const char *version = found != NULL ? registry_version(found->version) : NULL;

	if (verdict == GATE_TOO_OLD)
		snprintf(out, len, "%s agrees on %s", who, version != NULL ? version : "old TLS");
	else if (verdict == GATE_UNSAFE)
		snprintf(out, len, "%s agrees on a cipher suite that encrypts nothing (%s)", who,
			found != NULL ? registry_suite(found->suite, suite) : "?");
	else
		snprintf(out, len, "%s speaks in the clear", who);
}

/* The connection is over. -EACCES. */
static ssize_t refuse(struct conn *conn, int fd, enum recognise_way way, enum gate_verdict verdict)
{
	char reason[TLS_REASON_MAX], key[48], what[128];

	guard_lock(&conn->lock);
	required(conn, key, sizeof(key));
	say_what(verdict, way, observe_found(conn), what, sizeof(what));
	snprintf(reason, sizeof(reason), "%s, and the rule says '%s'", what, key);
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

static ssize_t refuse_bytes(struct conn *conn, int fd, enum recognise_way way,
	const struct iovec *iov, size_t count, size_t len, enum gate_verdict verdict)
{
	guard_lock(&conn->lock);
	observe_name(conn, way, iov, count, len);
	guard_unlock(&conn->lock);
	return refuse(conn, fd, way, verdict);
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
	enum gate_verdict verdict;
	ssize_t n;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	verdict = judge(*held, RECOGNISE_SENT, iov, count, len, false);
	if (verdict >= GATE_REFUSED)
		return refuse_bytes(*held, fd, RECOGNISE_SENT, iov, count, len, verdict);
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
	enum gate_verdict verdict = GATE_OPEN;
	ssize_t n;

	if ((flags & (MSG_OOB | MSG_TRUNC)) != 0)
		return (flags & MSG_OOB) != 0 ? -EINVAL : -EOPNOTSUPP;
	n = move(held, fd, iov, count, flags, receive_message);
	if (n <= 0)
		return n;
	if (*held == NULL || conn_state(*held) == CONN_FAILED)
		verdict = GATE_REFUSED;
	else if (conn_state(*held) == CONN_GATED)
		verdict = judge(*held, RECOGNISE_RECEIVED, iov, count, (size_t)n, false);
	if (verdict >= GATE_REFUSED) {
		n = *held != NULL ? refuse_bytes(*held, fd, RECOGNISE_RECEIVED, iov, count,
					    (size_t)n, verdict)
				  : -EACCES;
		wipe(iov, count, bytes_of(iov, count));
		return n;
	}
	if ((flags & MSG_PEEK) == 0)
		passed(*held, RECOGNISE_RECEIVED, iov, count, (size_t)n);
	return n;
}
