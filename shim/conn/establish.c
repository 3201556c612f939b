/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The way to an open connection: a state machine that never blocks, stepped by whichever call or
 * wait comes first (DESIGN 5.4). Handshake state is this process's own; whoever steps it first owns
 * it, and others see the outcome in the share.
 */
#include "conn/internal.h"

#include "conn/permissive.h"
#include "conn/starttls.h"

#include "deep.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWNER_GRACE_US 1000000

int conn_map(struct conn *conn, enum tls_role role, const struct policy_rule *rule,
	enum conn_state state)
{
	struct share *share = share_new();

	if (share == NULL)
		return -ENOBUFS;
	free(conn->found);
	conn->found = NULL;
	share->id = host_new_id();
	share->serves = role == TLS_SERVER;
	share->gate.allowed = (uint8_t)rule->require;
	share->created_us = conn->started_us = sys_monotonic_us();
	conn->role = role;
	host_hold(rule);
	host_release(conn->rule); /* of an attempt before this */
	conn->accepted = role == TLS_SERVER;
	conn->rule = rule;
	conn->share = share;
	conn_upgrade_init(conn);
	/* With `accept = both` it begins when the client does. */
	if (state == CONN_ESTABLISHING && rule->tls.accept == POLICY_ACCEPT_TLS)
		conn->deadline_us =
			conn->started_us + (uint64_t)rule->tls.handshake_timeout_s * 1000000;
	conn_set_state(conn, state);
	return 0;
}

static int connecting_step(struct conn *conn, int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	struct timespec now = { 0 };
	int error;

	if (sys_poll(&ready, 1, &now, NULL) <= 0)
		return -EAGAIN;
	error = sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR);
	if (error != 0)
		return conn_tcp_failed(conn, error > 0 ? error : -error);
	conn_name_ends(conn, fd);
	if (conn->rule->tls.if_program_tls == POLICY_PROGRAM_PASS ||
		conn->rule->tls.handshake_at == POLICY_AT_FIRST_USE) {
		conn_set_state(conn, CONN_DEFERRED);
		interest_sync(conn);
		return -EAGAIN;
	}
	conn_start(conn);
	return 0;
}

/* The policy's, or less if the program says so. */
static uint64_t time_allowed_us(const struct conn *conn)
{
	uint64_t policy_us = (uint64_t)conn->rule->tls.handshake_timeout_s * 1000000,
		 program_us = (uint64_t)conn->timeout_ms * 1000;

	return program_us != 0 && program_us < policy_us ? program_us : policy_us;
}

void conn_start(struct conn *conn)
{
	conn->started_us = sys_monotonic_us();
	conn->deadline_us = conn->started_us + time_allowed_us(conn);
	conn_set_state(conn, CONN_ESTABLISHING);
	interest_sync(conn);
	driver_add(conn);
}

static ssize_t transport_recv(void *arg, void *buf, size_t len)
{
	struct conn *conn = arg;

	if (conn_keeps_byte(conn))
		return conn_recv_but_last(conn, buf, len);
	return sys_recv(conn->step_fd, buf, len, MSG_DONTWAIT);
}

static ssize_t transport_peek(void *arg, void *buf, size_t len)
{
	struct conn *conn = arg;

	if (conn_keeps_byte(conn))
		return -EOPNOTSUPP;
	return sys_recv(conn->step_fd, buf, len, MSG_DONTWAIT | MSG_PEEK);
}

/* The kernel leaves the buffer alone; valgrind would have NULL for an error. */
static ssize_t transport_skip(void *arg, void *buf, size_t len)
{
	const struct conn *conn = arg;

	return sys_recv(conn->step_fd, buf, len, MSG_DONTWAIT | MSG_TRUNC);
}

static ssize_t transport_send(void *arg, const void *buf, size_t len)
{
	const struct conn *conn = arg;

	return sys_send(conn->step_fd, buf, len, MSG_DONTWAIT);
}

bool conn_may_drive(const struct conn *conn)
{
	return atomic_load(&conn->share->steps) == conn->steps_seen;
}

/* Ours to drive: nobody has begun, or we have, or who has is gone and our copy of it is as far. */
static bool own_handshake(struct conn *conn)
{
	struct share *share = conn->share;
	pid_t self = guard_pid(), owner = 0;

	if (atomic_load(&share->owner) == self)
		return true;
	return conn_may_drive(conn) && atomic_compare_exchange_strong(&share->owner, &owner, self);
}

/* Another process has begun, and may have gone: whoever it was, its time is limited like ours. */
static int wait_for_owner(struct conn *conn)
{
	uint64_t until_us = conn_deadline_us(conn);

	if (until_us == 0 || sys_monotonic_us() < until_us)
		return -EAGAIN;
	conn_fail_for(conn, ETIMEDOUT, CAUSE_TIMEOUT,
		"the process that had begun the handshake did not finish it within "
		"handshake_timeout");
	return -ETIMEDOUT;
}

static int begin_handshake(struct conn *conn, int fd)
{
	const struct tls_transport transport = { transport_recv, transport_send, conn };
	static const struct tls_peek peek = { transport_peek, transport_skip };
	char why[TLS_REASON_MAX] = "";
	const char *name = conn->name[0] != '\0' ? conn->name : NULL;
	char host[CONN_ADDRESS_LEN];
	struct policy_address remote;
	int r;

	if (conn->context == NULL)
		conn->context = host_context(conn->rule, conn->role, why, sizeof(why));
	if (conn->context == NULL) {
		conn_fail_for(conn, EACCES, CAUSE_KEY, why);
		return -EACCES;
	}
	/* A program that connects by address gets a certificate for that address, or none
	 * (DESIGN 5.7). */
	if (name == NULL && conn->role == TLS_CLIENT && socket_address(fd, true, &remote)) {
		remote.port = 0;
		report_address(&remote, host);
		host[strlen(host) - strlen(":0")] = '\0';
		name = host;
		if (host[0] == '[') {
			host[strlen(host) - 1] = '\0';
			name = host + 1;
		}
	}
	/* Nobody has looked it up: it is the program's to say, by either way. */
	if (conn->name[0] == '\0' && conn->start_name != NULL)
		name = conn->start_name;
	r = tls_handshake_new(conn->context, name, &transport, &conn->handshake);
	if (r == 0 && conn->start_name != NULL)
		r = tls_handshake_require_name(conn->handshake, conn->start_name);
	if (r < 0) {
		const struct tls_result *result =
			conn->handshake != NULL ? tls_handshake_result(conn->handshake) : NULL;

		if (result != NULL)
			conn_fail(conn, -r, result, result->reason);
		else
			conn_fail_for(conn, -r, CAUSE_RESOURCES, "no memory for the handshake");
		return r;
	}
	if (conn->role == TLS_CLIENT && socket_address(fd, true, &remote))
		tls_handshake_resume(conn->handshake, name != NULL ? name : "", remote.port);
	tls_handshake_use_peek(conn->handshake, &peek);
	report_verify(conn, tls_handshake_result(conn->handshake)->verify);
	return 0;
}

static int handshake_step(struct conn *conn, int fd)
{
	const struct tls_result *result;
	int r;

	conn->step_fd = fd;
	r = tls_handshake_step(conn->handshake);
	if (r == 0)
		return conn_opened(conn, fd);
	if (r == -EAGAIN && sys_monotonic_us() < conn->deadline_us)
		return r;
	if (r == -EAGAIN) {
		char reason[TLS_REASON_MAX];

		if (conn->timeout_ms != 0)
			snprintf(reason, sizeof(reason),
				"the peer did not finish the handshake within the %" PRIu64
				" ms that the program gave it",
				time_allowed_us(conn) / 1000);
		else
			snprintf(reason, sizeof(reason),
				"the peer did not finish the handshake within handshake_timeout = "
				"%u s",
				conn->rule->tls.handshake_timeout_s);
		conn_fail_for(conn, ETIMEDOUT, CAUSE_TIMEOUT, reason);
		return -ETIMEDOUT;
	}
	result = tls_handshake_result(conn->handshake);
	conn_fail(conn, -r, result, result->reason);
	return r;
}

static int establishing_step(struct conn *conn, int fd)
{
	int r;

	if (permissive_is_undecided(conn) && !conn_is_foreign(conn)) {
		r = permissive_look(conn, fd);
		if (r != 0)
			return r > 0 ? 0 : r;
	}
	if (!own_handshake(conn))
		return wait_for_owner(conn);
	conn->steps_seen = atomic_fetch_add(&conn->share->steps, 1) + 1;
	r = conn_upgrades(conn) ? conn_upgrade(conn, fd) : 0;
	if (r == 0 && conn->handshake == NULL)
		r = begin_handshake(conn, fd);
	if (r == 0)
		r = handshake_step(conn, fd);
	if (r == -EAGAIN)
		interest_sync(conn);
	return r;
}

static int step_locked(struct conn *conn, int fd)
{
	for (;;) {
		int r;

		switch (conn_state(conn)) {
		case CONN_CONNECTING:
			r = connecting_step(conn, fd);
			if (r < 0)
				return r;
			break;
		case CONN_ESTABLISHING:
			return establishing_step(conn, fd);
		case CONN_DEFERRED:
			return -EAGAIN;
		case CONN_FAILED:
			return -atomic_load(&conn->share->error);
		default:
			return 0;
		}
	}
}

struct step {
	struct conn *conn;
	int fd, result;
};

static void take_step(void *arg)
{
	struct step *step = arg;

	step->result = step_locked(step->conn, step->fd);
}

int conn_establish_locked(struct conn *conn, int fd)
{
	struct step step = { conn, fd, 0 };

	deep_run(take_step, &step);
	return step.result;
}

int conn_establish(struct conn *conn, int fd)
{
	int saved = errno, r;

	switch (conn_state(conn)) {
	case CONN_OPEN:
	case CONN_PASSED:
	case CONN_WAITING:
	case CONN_GATED:
		return 0;
	case CONN_FAILED:
		return -atomic_load(&conn->share->error);
	default:
		break;
	}
	/* Another thread is at it. */
	if (!guard_try_lock(&conn->lock))
		return -EAGAIN;
	r = conn_establish_locked(conn, fd);
	guard_unlock(&conn->lock);
	errno = saved;
	return r;
}

bool conn_is_foreign(const struct conn *conn)
{
	pid_t owner;

	if (conn_state(conn) != CONN_ESTABLISHING)
		return false;
	owner = atomic_load(&conn->share->owner);
	return owner != 0 ? owner != guard_pid() : !conn_may_drive(conn);
}

uint64_t conn_deadline_us(const struct conn *conn)
{
	/* The owner is the first to say so. */
	if (conn->deadline_us != 0 && conn_is_foreign(conn))
		return conn->deadline_us + OWNER_GRACE_US;
	return conn->deadline_us;
}

short conn_establish_events(struct conn *conn)
{
	short events = 0;

	switch (conn_state(conn)) {
	case CONN_CONNECTING:
		return POLLOUT;
	case CONN_ESTABLISHING:
		break;
	default:
		return 0;
	}
	if (conn_is_foreign(conn))
		return 0;
	if (conn_upgrades(conn))
		return atomic_load(&conn->upgrade_events);
	if (conn->handshake == NULL)
		return conn->role == TLS_SERVER ? POLLIN : POLLOUT;
	events = tls_handshake_events(conn->handshake);
	if (events == 0)
		events = POLLIN;
	return events;
}

static bool may_wait(struct conn *conn, int fd, int flags)
{
	if ((flags & MSG_DONTWAIT) != 0 ||
		atomic_load_explicit(&conn->share->nonblock, memory_order_relaxed))
		return false;
	return (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) == 0;
}

/* Of two times, of which 0 is none. */
static uint64_t earlier(uint64_t one, uint64_t other)
{
	if (one == 0 || other == 0)
		return one + other;
	return one < other ? one : other;
}

int conn_establish_wait(struct conn **held, int fd, int flags, int time_option)
{
	uint64_t look_us = DRIVER_LOOK_FIRST_US, until_us = 0;
	bool timed = false;

	for (;;) {
		int r = conn_establish(*held, fd);

		if (r != -EAGAIN)
			return r;
		if (!may_wait(*held, fd, flags))
			return -EAGAIN;
		if (!timed)
			until_us = sys_deadline_us(fd, time_option);
		timed = true;
		if (until_us != 0 && sys_monotonic_us() >= until_us)
			return -EAGAIN;
		r = driver_wait(held, fd, conn_establish_events(*held),
			earlier(until_us, conn_deadline_us(*held)), &look_us);
		/* The kernel restarts no call that has a time limit (socket(7)). */
		if (r == -ERESTART && until_us != 0)
			r = -EINTR;
		if (r == -EINTR || r == -ESTALE)
			return r;
	}
}

size_t conn_keep_early(struct conn *conn, const struct iovec *iov, size_t count)
{
	size_t kept = 0;
	bool keep;

	guard_lock(&conn->lock);
	keep = conn_state(conn) == CONN_ESTABLISHING && own_handshake(conn);
	if (keep && conn->early == NULL)
		conn->early = malloc(CONN_EARLY_MOST);
	for (size_t i = 0; i < count && keep && conn->early != NULL; i++) {
		size_t room = CONN_EARLY_MOST - conn->early_len;
		size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;

		if (len > 0)
			memcpy(conn->early + conn->early_len, iov[i].iov_base, len);
		conn->early_len += len;
		kept += len;
	}
	guard_unlock(&conn->lock);
	return kept;
}
