/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Outbound: what socket() made, what connect() decides. A blocking connect() returns when the
 * handshake is done, a non-blocking one says EINPROGRESS until then.
 */
#include "conn/internal.h"

#include "conn/gate.h"
#include "conn/kernel.h"
#include "conn/memory.h"
#include "conn/names.h"
#include "guard.h"
#include "libc.h"
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define NAMES_TRIED 8
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct outbound {
	struct policy_query query;
	struct policy_decision decision;
	const char *names[NAMES_TRIED];
	char memory[NAMES_TRIED * CONN_NAME_LEN];
};

static bool is_inet(int family)
{
	return family == AF_INET || family == AF_INET6;
}

bool socket_is_tcp(int fd)
{
	int protocol;

	if (sys_getsockopt_int(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
		return false;
	protocol = sys_getsockopt_int(fd, SOL_SOCKET, SO_PROTOCOL);
	return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

bool socket_address(int fd, bool peer, struct policy_address *out)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int saved = errno;
	int r = peer ? libc.getpeername(fd, (struct sockaddr *)&addr, &len)
		     : libc.getsockname(fd, (struct sockaddr *)&addr, &len);

	errno = saved;
	memset(out, 0, sizeof(*out));
	return r == 0 && address_from_sockaddr((struct sockaddr *)&addr, len, out) == 0;
}

void conn_name_ends(struct conn *conn, int fd)
{
	struct policy_address local, remote;

	if (socket_address(fd, false, &local))
		report_address(&local, conn->local);
	if (!socket_address(fd, true, &remote))
		return;
	report_address(&remote, conn->remote);
	conn->self_connected = local.family == remote.family &&
			       memcmp(local.bytes, remote.bytes, sizeof(local.bytes)) == 0 &&
			       self_listens(remote.port);
}

void conn_socket_made(int fd, int domain, int type)
{
	struct conn *conn;

	if (!is_inet(domain) || (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM ||
		!host_has_policy())
		return;
	if (!host_is_visitor())
		kernel_prepare(false);
	guard_enter();
	conn = table_take(fd); /* a number that was closed behind our back */
	if (conn != NULL)
		conn_abandon(conn);
	conn = conn_new();
	if (conn != NULL) {
		conn->family = domain;
		if (table_set(fd, conn, (type & SOCK_CLOEXEC) != 0) < 0)
			conn_unref(conn);
	}
	guard_leave();
}

/* The socket is the program's own: it leaves the table. */
static void forget(struct conn *conn, int fd)
{
	struct conn *entry = conn != NULL ? table_take(fd) : NULL;

	if (entry != NULL)
		conn_unref(entry);
}

static void decide(struct outbound *out, int fd, const struct policy_address *remote)
{
	memset(&out->query, 0, sizeof(out->query));
	out->query.direction = POLICY_OUTBOUND;
	out->query.remote = *remote;
	socket_address(fd, false, &out->query.local);
	out->query.remote_name_count =
		names_find(remote, out->names, NAMES_TRIED, out->memory, sizeof(out->memory));
	out->query.remote_names = out->names;
	host_decide(&out->query, &out->decision);
}

/* As long as the kernel takes, with nothing held. *held is NULL if the program has closed it
 * meanwhile. */
static int real_connect(struct conn **held, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct conn_mark mark = { NULL };
	struct guard guard;
	int saved = errno, r;

	if (*held != NULL) {
		mark = conn_mark(*held);
		conn_unref(*held);
	}
	guard_suspend(&guard, true);
	r = libc.connect(fd, addr, len);
	guard_resume(&guard);
	if (mark.conn != NULL)
		*held = conn_regain(mark);
	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

static void fill(struct conn *conn, const struct outbound *out)
{
	snprintf(conn->name, sizeof(conn->name), "%s",
		out->decision.remote_name != NULL ? out->decision.remote_name : "");
	report_address(&out->query.local, conn->local);
	report_address(&out->query.remote, conn->remote);
}

/* A descriptor that came to us without socket(): inherited, or received. */
static struct conn *adopt(int fd, int family)
{
	struct conn *conn = conn_new();

	if (conn == NULL)
		return NULL;
	conn->family = family;
	if (table_set(fd, conn, (sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) != 0) < 0) {
		conn_unref(conn);
		return NULL;
	}
	return table_get(fd);
}

static void observe(struct conn *conn, struct outbound *out, int type, uint64_t id)
{
	fill(conn, out);
	host_hold(out->decision.rule);
	host_release(conn->rule);
	conn->rule = out->decision.rule;
	observe_begin(conn, type, id);
}

/* Not for us to protect: pass and observe. What was asked to be seen is audited once there is
 * something to see. */
static int connect_aside(struct conn **held, int fd, const struct sockaddr *addr, socklen_t len,
	struct outbound *out)
{
	bool seen = out->decision.action == POLICY_OBSERVE || out->decision.rule != NULL;
	int type = out->decision.action == POLICY_OBSERVE ? AUDIT_OBSERVE : AUDIT_PASS, r;
	uint64_t id = 0;

	if (host_audit_open() < 0)
		return -EACCES;
	if (*held == NULL && seen)
		*held = adopt(fd, addr->sa_family);
	r = real_connect(held, fd, addr, len);
	if (r < 0 && r != -EINPROGRESS && r != -EINTR)
		return r;
	socket_address(fd, false, &out->query.local);
	if (seen)
		id = host_socket_id(fd, &out->query.remote);
	if (seen && report_decision(type, &out->query, &out->decision, NULL, &id) < 0) {
		sys_shutdown(fd, SHUT_RDWR);
		forget(*held, fd);
		return -EACCES;
	}
	if (seen && *held != NULL && host_audits())
		observe(*held, out, type, id);
	else
		forget(*held, fd);
	return r;
}

static int connect_denied(struct outbound *out)
{
	char remote[CONN_ADDRESS_LEN];

	report_address(&out->query.remote, remote);
	report_decision(AUDIT_DENY, &out->query, &out->decision, "denied by policy", NULL);
	notice("connect to %s is denied by %s%s%s of the policy (what to do: %s)", remote,
		out->decision.rule != NULL ? "rule '" : "[global] default",
		out->decision.rule != NULL ? out->decision.rule->name : "",
		out->decision.rule != NULL ? "'" : "", cause_advice(CAUSE_POLICY));
	return -EACCES;
}

/* TCP refused: the socket may try again, as sockets do. */
static int connect_refused(struct conn *conn, int fd, int r)
{
	struct share *share = conn->share;

	interest_end(conn);
	if (table_kept_on_exec(fd))
		sys_fcntl(fd, F_SETFD, 0);
	conn->share = NULL;
	if (share_release(share))
		share_free(share);
	return r;
}

/* TCP is there, or will be: the handshake, as far as the call waits for it. */
static int establish(struct conn **held, int fd, bool nonblock)
{
	int r = conn_establish(*held, fd);

	if (r == -EAGAIN && conn_state(*held) == CONN_ESTABLISHING) {
		if (!nonblock && !(*held)->self_connected)
			r = conn_establish_wait(held, fd, 0, SO_SNDTIMEO);
		if (r == -EAGAIN && (nonblock || !(*held)->self_connected))
			return -EINPROGRESS;
	}
	if (r == -EINTR || r == -ESTALE)
		return r;
	(*held)->connect_told = true;
	return r == -EAGAIN ? 0 : r;
}

static int connect_protected(struct conn **held, int fd, const struct sockaddr *addr, socklen_t len,
	struct outbound *out)
{
	bool nonblock = (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0;
	int r = conn_map(*held, TLS_CLIENT, out->decision.rule, CONN_CONNECTING);

	if (r < 0)
		return r;
	/* The connection has it now: nothing is to be held over a wait, from which a thread may
	 * never come back. */
	host_release(out->decision.rule);
	out->decision.rule = NULL;
	fill(*held, out);
	atomic_store(&(*held)->share->nonblock, nonblock);
	conn_take_over_options(*held, fd);
	sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	interest_begin(*held);
	r = real_connect(held, fd, addr, len);
	if (*held == NULL)
		return r;
	if (r < 0 && r != -EINPROGRESS && r != -EINTR)
		return connect_refused(*held, fd, r);
	driver_add(*held);
	return r < 0 ? r : establish(held, fd, nonblock);
}

/* TCP's own affair, but for what has to be known when the program starts TLS. */
static int connect_waiting(struct conn **held, int fd, const struct sockaddr *addr, socklen_t len,
	struct outbound *out)
{
	int r = conn_map(*held, TLS_CLIENT, out->decision.rule, CONN_WAITING);

	if (r < 0)
		return r;
	fill(*held, out);
	r = real_connect(held, fd, addr, len);
	if (*held != NULL && r < 0 && r != -EINPROGRESS && r != -EINTR)
		return connect_refused(*held, fd, r);
	return r;
}

/* TCP's own affair but for its first bytes, and where they may go. */
static int connect_gated(struct conn **held, int fd, const struct sockaddr *addr, socklen_t len,
	struct outbound *out)
{
	int r;

	if (*held == NULL)
		*held = adopt(fd, addr->sa_family);
	if (*held == NULL)
		return -ENOBUFS;
	if (host_audit_open() < 0)
		return -EACCES;
	r = conn_map(*held, TLS_CLIENT, out->decision.rule, CONN_GATED);
	if (r < 0)
		return r;
	fill(*held, out);
	interest_end(*held);
	sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	r = real_connect(held, fd, addr, len);
	if (*held == NULL)
		return r;
	if (r < 0 && r != -EINPROGRESS && r != -EINTR)
		return connect_refused(*held, fd, r);
	conn_name_ends(*held, fd);
	if (gate_begin(*held) < 0) {
		sys_shutdown(fd, SHUT_RDWR);
		return -EACCES;
	}
	return r;
}

static int connect_tls(struct conn **held, int fd, const struct sockaddr *addr, socklen_t len,
	struct outbound *out)
{
	char why[TLS_REASON_MAX] = "";
	struct tls_context *context =
		host_context(out->decision.rule, TLS_CLIENT, why, sizeof(why));

	if (*held == NULL)
		*held = adopt(fd, addr->sa_family);
	if (*held == NULL || context == NULL || host_audit_open() < 0) {
		enum cause cause = context == NULL ? CAUSE_KEY : CAUSE_AUDIT;
		const char *reason =
			context == NULL ? why
					: "policy requires an audit, and the log cannot be opened";

		tls_context_free(context);
		if (*held == NULL)
			return -ENOBUFS;
		report_decision(AUDIT_DENY, &out->query, &out->decision, reason, NULL);
		notice("rule '%s' refuses connections: %s (what to do: %s)",
			out->decision.rule->name, reason, cause_advice(cause));
		return -EACCES;
	}
	tls_context_free((*held)->context); /* of an attempt before this */
	(*held)->context = context;
	if (out->decision.rule->tls.start == POLICY_START_PROGRAM)
		return connect_waiting(held, fd, addr, len, out);
	return connect_protected(held, fd, addr, len, out);
}

/* connect() on what is connecting or connected already: the kernel's law (EALREADY, 0 once,
 * EISCONN). */
static int connect_again(struct conn **held, int fd)
{
	int r;

	if ((*held)->accepted)
		return -EISCONN;
	r = conn_establish_wait(held, fd, 0, SO_SNDTIMEO);

	if (r == -EINTR || r == -ESTALE)
		return r;
	if (r == -EAGAIN && conn_state(*held) != CONN_DEFERRED)
		return -EALREADY;
	if (r < 0 && r != -EAGAIN)
		return r;
	if ((*held)->connect_told)
		return -EISCONN;
	(*held)->connect_told = true;
	return 0;
}

/* connect(2): an address of no family dissolves the connection, and the socket is as new. */
static int dissolve(int fd)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };
	int saved = errno, r = libc.connect(fd, &none, sizeof(none));

	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

static int connect_dissolved(struct conn *conn, int fd)
{
	int r = dissolve(fd);

	if (r < 0)
		return r;
	if (conn_state(conn) == CONN_OPEN)
		report_close(conn, "dissolved by the program");
	driver_remove(conn);
	if (table_kept_on_exec(fd))
		sys_fcntl(fd, F_SETFD, 0);
	conn_recycle(conn);
	atomic_store(&conn->fd, fd);
	return 0;
}

/* After TCP has failed the socket may try again. If nobody has heard of it yet, this call says it.
 */
static int connect_after_failure(struct conn *conn, int fd)
{
	int error = atomic_load(&conn->share->error_told) ? 0 : -atomic_load(&conn->share->error);

	/* Told, it is the kernel's turn: it says ECONNABORTED once. */
	if (error != 0)
		dissolve(fd);
	return connect_refused(conn, fd, error);
}

/* What becomes of connect() on it is for the kernel to say. */
static bool is_tcps(const struct conn *conn)
{
	return conn_state(conn) == CONN_WAITING || conn_state(conn) == CONN_GATED;
}

static int decide_and_connect(
	struct conn **held, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct outbound out;
	struct policy_address remote;
	struct policy_address connected;
	int r;

	/* The kernel refuses what is longer before it looks at it. */
	if (addr != NULL && len <= sizeof(struct sockaddr_storage) &&
		!memory_is_there(addr, len, false))
		return -EFAULT;
	if (len > sizeof(struct sockaddr_storage))
		return 1;
	if (addr != NULL && len >= sizeof(addr->sa_family) && addr->sa_family == AF_UNSPEC &&
		*held != NULL && conn_is_mapped(*held))
		return connect_dissolved(*held, fd);
	if (addr == NULL || len < sizeof(addr->sa_family) ||
		address_from_sockaddr(addr, len, &remote) < 0)
		return 1;
	if (host_refuses())
		return socket_is_tcp(fd) ? -EACCES : 1;
	if (!host_has_policy() || (*held == NULL && !socket_is_tcp(fd)))
		return 1;
	if (*held != NULL && conn_state(*held) == CONN_FAILED &&
		!socket_address(fd, true, &connected)) {
		r = connect_after_failure(*held, fd);
		if (r < 0)
			return r;
	}
	/* The kernel knows whether it is still to come, there, or over. */
	if (*held != NULL && is_tcps(*held) && conn_tcp_is_over(fd)) {
		observe_end(*held, fd);
		connect_refused(*held, fd, 0);
	}
	if (*held != NULL && conn_state(*held) != CONN_NEW)
		return conn_is_clear(*held) || is_tcps(*held) ? 1 : connect_again(held, fd);
	if (*held != NULL && (*held)->observed != NULL) {
		if (!conn_tcp_is_over(fd))
			return 1;
		/* What was on its way has failed, and there may be another. */
		observe_end(*held, fd);
		conn_unref(*held);
		*held = NULL;
	}
	decide(&out, fd, &remote);
	switch (out.decision.action) {
	case POLICY_TLS:
		r = connect_tls(held, fd, addr, len, &out);
		break;
	case POLICY_DENY:
		r = connect_denied(&out);
		break;
	default:
		r = gate_is_wanted(&out.decision) ? connect_gated(held, fd, addr, len, &out)
						  : connect_aside(held, fd, addr, len, &out);
	}
	host_release(out.decision.rule);
	return r;
}

int conn_connect(struct conn *conn, int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno, r; /* files are read, and more */

	if (conn == NULL)
		guard_enter();
	r = decide_and_connect(&conn, fd, addr, len);
	conn_put_held(conn);
	errno = saved;
	return r;
}
