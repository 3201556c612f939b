/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inbound: accept() never waits for a peer's handshake; the first use of the new descriptor, or a
 * wait, drives it.
 */
#include "conn/internal.h"

#include "conn/gate.h"
#include "conn/kernel_key.h"
#include "conn/memory.h"
#include "conn/names.h"
#include "conn/relay.h"
#include "conn/starttls.h"
#include "conn/table.h"
#include "guard.h"
#include "handlers.h"
#include "libc.h"
#include "notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic uint64_t listening[65536 / 64]; /* ports that this process has listened on */

bool self_listens(uint16_t port)
{
	return (atomic_load_explicit(&listening[port / 64], memory_order_relaxed) >> (port % 64) &
		       1) != 0;
}

static int listener_refused(
	const struct policy_query *query, const struct policy_rule *rule, const char *why)
{
	const struct policy_decision decision = { .action = POLICY_TLS, .rule = rule };

	report_decision(AUDIT_DENY, query, &decision, why, NULL);
	notice("rule '%s' refuses to listen: %s (what to do: %s)", rule->name, why,
		cause_advice(CAUSE_KEY));
	return -EACCES;
}

/* A listener is no connection. One that is connected stays ours: listen() will fail. */
static void forget_unconnected(int fd)
{
	struct conn *conn = table_get(fd), *entry = NULL;

	if (conn != NULL && conn_state(conn) == CONN_NEW)
		entry = table_take(fd);
	if (entry != NULL)
		conn_unref(entry);
	if (conn != NULL)
		conn_unref(conn);
}

/* Audit and credentials of what `rule` (NULL: none for sure) has it protected by. */
static int prepare_listener(const struct policy_query *query, const struct policy_rule *rule)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX] = "";

	if (host_audit_open() < 0)
		return rule != NULL
			       ? listener_refused(query, rule,
					 "policy requires an audit, and the log cannot be opened")
			       : -EACCES;
	if (rule == NULL)
		return 0;
	context = host_context(rule, TLS_SERVER, why, sizeof(why));
	if (context == NULL)
		return listener_refused(query, rule, why);
	tls_context_free(context);
	return 0;
}

static int listen_here(int fd)
{
	struct policy_query query = { .direction = POLICY_INBOUND };
	const struct policy_rule *rule = NULL;
	int r = 0;

	if (!socket_address(fd, false, &query.local) || !socket_is_tcp(fd))
		return 0;
	if (host_refuses())
		return -EACCES;
	if (!host_has_policy())
		return 0;
	if (host_listener_matters(&query, &rule))
		r = prepare_listener(&query, rule);
	host_release(rule);
	if (r < 0)
		return r;
	atomic_fetch_or(&listening[query.local.port / 64], (uint64_t)1 << (query.local.port % 64));
	forget_unconnected(fd);
	return 0;
}

int conn_listen(int fd)
{
	int saved = errno, r; /* files are read */

	guard_enter();
	r = listen_here(fd);
	guard_leave();
	errno = saved;
	return r;
}

/* accept(2), as the kernel does it: when the connection has been taken already. */
static int copy_address(const struct sockaddr_storage *from, socklen_t from_len,
	struct sockaddr *addr, socklen_t *len)
{
	if (addr == NULL)
		return 0;
	if (!memory_is_there(len, sizeof(*len), true))
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	if (!memory_is_there(addr, from_len < *len ? from_len : *len, true))
		return -EFAULT;
	memcpy(addr, from, from_len < *len ? from_len : *len);
	*len = from_len;
	return 0;
}

static int make_conn(int fd, int family, const struct policy_query *query,
	const struct policy_decision *decision, int flags)
{
	bool gated = gate_is_wanted(decision);
	bool waits = !gated && decision->rule->tls.start == POLICY_START_PROGRAM;
	struct conn *conn = conn_new();
	int r;

	if (conn == NULL)
		return -ENOBUFS;
	conn->family = family;
	report_address(&query->local, conn->local);
	report_address(&query->remote, conn->remote);
	/* Where the server speaks first, nothing begins before it does. */
	r = conn_map(conn, TLS_SERVER, decision->rule,
		gated                                           ? CONN_GATED
		: waits                                         ? CONN_WAITING
		: starttls_greets(decision->rule->tls.starttls) ? CONN_DEFERRED
								: CONN_ESTABLISHING);
	if (r == 0) {
		atomic_store(&conn->share->nonblock, (flags & SOCK_NONBLOCK) != 0);
		if (!waits && !gated)
			conn_take_over_options(conn, fd);
		r = table_set(fd, conn, (flags & SOCK_CLOEXEC) != 0);
	}
	if (r < 0) {
		conn_unmap(conn);
		conn_unref(conn);
		return r;
	}
	if (waits)
		return 0;
	if ((flags & SOCK_CLOEXEC) == 0)
		sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!gated)
		driver_add(conn);
	return gated ? gate_begin(conn) : 0;
}

static int accept_tls(int fd, int family, const struct policy_query *query,
	const struct policy_decision *decision, int flags)
{
	char why[TLS_REASON_MAX] = "";
	struct tls_context *context = host_context(decision->rule, TLS_SERVER, why, sizeof(why));

	if (context == NULL) {
		report_decision(AUDIT_DENY, query, decision, why, NULL);
		notice("rule '%s' refuses connections: %s (what to do: %s)", decision->rule->name,
			why, cause_advice(CAUSE_KEY));
		return -EACCES;
	}
	tls_context_free(context);
	if (host_audit_open() < 0)
		return -EACCES;
	return make_conn(fd, family, query, decision, flags);
}

/* Left alone, but looked at. Without memory it is only left alone. */
static void observe(int fd, int family, const struct policy_query *query,
	const struct policy_decision *decision, int type, uint64_t id, int flags)
{
	struct conn *conn = host_audits() ? conn_new() : NULL;

	if (conn == NULL)
		return;
	conn->family = family;
	conn->accepted = true;
	conn->rule = host_hold(decision->rule);
	report_address(&query->local, conn->local);
	report_address(&query->remote, conn->remote);
	observe_begin(conn, type, id);
	if (conn->observed == NULL || table_set(fd, conn, (flags & SOCK_CLOEXEC) != 0) < 0)
		conn_unref(conn);
}

static int admit_aside(int fd, int family, const struct policy_query *query,
	const struct policy_decision *decision, int type, int flags)
{
	uint64_t id;
	int r;

	if (gate_is_wanted(decision))
		return make_conn(fd, family, query, decision, flags);
	id = host_socket_id(fd, &query->remote);
	r = report_decision(type, query, decision, NULL, &id);

	if (r == 0)
		observe(fd, family, query, decision, type, id, flags);
	return r;
}

static int admit_as_decided(int fd, int family, const struct policy_query *query,
	const struct policy_decision *decision, int flags)
{
	switch (decision->action) {
	case POLICY_TLS:
		return accept_tls(fd, family, query, decision, flags);
	case POLICY_DENY:
		report_decision(AUDIT_DENY, query, decision, "denied by policy", NULL);
		return 1;
	case POLICY_OBSERVE:
		return admit_aside(fd, family, query, decision, AUDIT_OBSERVE, flags);
	default:
		return decision->rule != NULL
			       ? admit_aside(fd, family, query, decision, AUDIT_PASS, flags)
			       : 0;
	}
}

/* 0: the descriptor is the program's; 1: it is to be dropped without a word to the program; -errno.
 */
static int admit(int fd, const struct sockaddr_storage *peer, socklen_t peer_len, int flags)
{
	struct policy_query query = { .direction = POLICY_INBOUND };
	struct policy_decision decision;
	struct conn *stale = table_take(fd);
	int r;

	if (stale != NULL)
		conn_abandon(stale);
	if (address_from_sockaddr((const struct sockaddr *)peer, peer_len, &query.remote) < 0)
		return 0;
	if (host_refuses())
		return -EACCES;
	/* Whom a rule about this port is for, is not known. */
	if (!socket_address(fd, false, &query.local))
		return -EACCES;
	host_decide(&query, &decision);
	r = admit_as_decided(fd, peer->ss_family, &query, &decision, flags);
	host_release(decision.rule);
	return r;
}

bool conn_protects_listener(int fd)
{
	struct policy_query query = { .direction = POLICY_INBOUND };
	const struct policy_rule *rule = NULL;

	if (sys_getsockopt_int(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 || !socket_is_tcp(fd) ||
		!socket_address(fd, false, &query.local) || !host_has_policy())
		return false;
	host_listener_matters(&query, &rule);
	host_release(rule);
	return rule != NULL;
}

/* --- Connections that were there before the program */

static bool same_socket(int a, int b)
{
	struct stat at, bt;
	int saved = errno;
	bool same = fstat(a, &at) == 0 && fstat(b, &bt) == 0 && at.st_dev == bt.st_dev &&
		    at.st_ino == bt.st_ino;

	errno = saved;
	return same;
}

static bool is_tcp_connection(int fd, struct sockaddr_storage *peer, socklen_t *len)
{
	int saved = errno;
	int r = libc.getpeername(fd, (struct sockaddr *)peer, len);

	errno = saved;
	return r == 0 && (peer->ss_family == AF_INET || peer->ss_family == AF_INET6) &&
	       socket_is_tcp(fd);
}

static void inherit(int fd, const struct sockaddr_storage *peer, socklen_t len)
{
	struct conn *conn;
	int r;

	guard_enter();
	r = admit(fd, peer, len, 0);
	guard_leave();
	/* A number has to stay what it is, so what policy denies is a connection at its end. */
	if (r != 0)
		sys_shutdown(fd, SHUT_RDWR);
	conn = r == 0 ? conn_get(fd) : NULL;
	if (conn == NULL)
		return;
	for (int other = fd + 1; other <= STDERR_FILENO; other++)
		if (same_socket(fd, other))
			conn_duplicated(conn, fd, other, false);
	conn_set_nonblock(conn, (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0);
	if (conn_is_mapped(conn) && relay_in_place(conn, fd) < 0)
		sys_shutdown(fd, SHUT_RDWR);
	conn_put(conn);
}

void conn_inherit(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);

		/* The same as one before it. One that was handed on with the kernel's TLS stays
		 * what it is. */
		if (table_is_foreign(fd) && is_tcp_connection(fd, &peer, &len) &&
			!kernel_is_attached(fd) && (host_has_policy() || host_refuses()))
			inherit(fd, &peer, len);
	}
}

static int real_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int saved = errno;
	int r = libc.accept4(fd, addr, len, flags);

	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

/* A wait for the next client is one in which the handshakes of others go on. 0: look, or wait in
 * the kernel; -EINTR. */
static int wait_for_client(int fd)
{
	struct pollfd client = { .fd = fd, .events = POLLIN };
	uint64_t deadline_us = driver_active() ? sys_deadline_us(fd, SO_RCVTIMEO) : 0;

	while (driver_active() && deadline_us == 0 &&
		sys_getsockopt_int(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 &&
		(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) == 0) {
		struct handlers_run before = handlers_run(), after;
		int r = driver_poll(&client, 1, NULL, NULL);

		if (r != -EINTR)
			return 0;
		after = handlers_run();
		if (after.interrupting != before.interrupting)
			return r;
	}
	return 0;
}

int conn_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	if (!host_has_policy() && !host_refuses())
		return real_accept(fd, addr, len, flags);
	for (;;) {
		struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
		socklen_t peer_len = sizeof(peer);
		int made = wait_for_client(fd), saved = errno, r;

		if (made == 0)
			made = real_accept(fd, (struct sockaddr *)&peer, &peer_len, flags);

		if (made < 0)
			return made;
		r = copy_address(&peer, peer_len, addr, len);
		guard_enter();
		if (r == 0)
			r = admit(made, &peer, peer_len, flags);
		guard_leave();
		errno = saved;
		if (r == 0)
			return made;
		sys_close(made);
		if (r < 0)
			return r;
	}
}
