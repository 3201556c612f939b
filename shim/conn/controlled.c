/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS by the program's own word, on connections whose rule says `start = program`: they are TCP's
 * alone until SEAMTLS_START, and again after SEAMTLS_STOP. What the program asks for may tighten
 * the policy and never loosen it; and what goes wrong once it has asked for TLS ends the
 * connection, so that a program which does not look at the result says nothing in the clear.
 */
#include "conn/aware.h"

#include "conn/found.h"
#include "conn/internal.h"
#include "conn/memory.h"
#include "conn/outlet.h"
#include "guard.h"
#include "seamtls.h"
#include "tls/name.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRUCTURE_MOST 4096 /* bytes: no version of one will be larger */

_Static_assert(sizeof(struct seamtls_start) == 16 + 256, "the layout is the same everywhere");

static bool is_nonblocking(int fd)
{
	return (sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0;
}

/* What is no connection of ours, or not the program's to control. 0: it is. */
static int check_control(const struct conn *conn, int fd)
{
	int r;

	if (conn != NULL && conn_state(conn) != CONN_NEW)
		return conn_is_controlled(conn) ? 0 : -EACCES;
	r = conn_aware_of_others(fd);
	return r != 0 ? r : -EACCES;
}

/* --- SEAMTLS_START */

/* 0 and *out; or -errno. */
static int read_start(const void *value, socklen_t len, struct seamtls_start *out)
{
	const uint8_t *bytes = value;
	uint8_t address[16];

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return 0;
	if (len < offsetof(struct seamtls_start, server_name) || len > STRUCTURE_MOST)
		return len > STRUCTURE_MOST ? -E2BIG : -EINVAL;
	if (!memory_is_there(value, len, false))
		return -EFAULT;
	for (size_t i = sizeof(*out); i < len; i++)
		if (bytes[i] != 0)
			return -E2BIG;
	memcpy(out, value, len < sizeof(*out) ? len : sizeof(*out));
	if (out->role > SEAMTLS_ROLE_SERVER || out->flags != 0 || out->reserved != 0 ||
		memchr(out->server_name, '\0', sizeof(out->server_name)) == NULL)
		return -EINVAL;
	if (out->server_name[0] != '\0' && name_parse_address(out->server_name, address) <= 0 &&
		!name_is_host(out->server_name))
		return -EINVAL;
	return 0;
}

/* The role, in which the peer is to be verified as the policy wants it in the one that the
 * connection's direction suggests. */
static int choose_role(struct conn *conn, const struct seamtls_start *start, enum tls_role *out)
{
	*out = conn->accepted ? TLS_SERVER : TLS_CLIENT;
	if (start->role != SEAMTLS_ROLE_NONE)
		*out = start->role == SEAMTLS_ROLE_CLIENT ? TLS_CLIENT : TLS_SERVER;
	if (*out == TLS_CLIENT)
		return 0;
	if (start->server_name[0] != '\0')
		return -EINVAL;
	/* The server of a connection that was made verifies nobody unless the policy says so. */
	return conn->accepted || conn->rule->tls.client_auth == POLICY_CLIENT_REQUIRED ? 0
										       : -EACCES;
}

static int check_start(const struct conn *conn, int fd)
{
	struct policy_address remote;

	switch (conn_state(conn)) {
	case CONN_WAITING:
		return socket_address(fd, true, &remote) ? 0 : -ENOTCONN;
	case CONN_ESTABLISHING:
		return -EALREADY;
	case CONN_OPEN:
		return -EISCONN;
	default:
		return -ENOTCONN;
	}
}

/* A server says nothing before it has heard a ClientHello. So what is there already was said in the
 * clear, and would be taken for part of what is protected. */
static bool has_unread(struct conn *conn, int fd)
{
	char reason[TLS_REASON_MAX];
	int queued = conn->role == TLS_CLIENT ? sys_queued(fd) : 0;

	if (queued <= 0)
		return false;
	snprintf(reason, sizeof(reason),
		"%d bytes that were sent in the clear were still unread when the program started "
		"TLS: somebody on the way has put them there, or the program has not read all of "
		"the answer",
		queued);
	conn_fail_for(conn, EPROTO, CAUSE_TAMPERED, reason);
	return true;
}

static int prepare(struct conn *conn)
{
	char why[TLS_REASON_MAX] = "";

	tls_context_free(conn->context);
	conn->context = host_context(conn->rule, conn->role, why, sizeof(why));
	if (conn->context == NULL)
		conn_fail_for(conn, EACCES, CAUSE_KEY, why);
	else if (host_audit_open() < 0)
		conn_fail_for(conn, EACCES, CAUSE_AUDIT,
			"policy requires an audit, and the log cannot be opened");
	return conn_state(conn) == CONN_FAILED ? -EACCES : 0;
}

static void forget_last(struct conn *conn)
{
	free(conn->found);
	free(conn->start_name);
	free(conn->tickets);
	tls_resumption_free(conn->resumption);
	tls_post_auth_free(conn->post_auth);
	conn->tickets = NULL;
	conn->tickets_len = 0;
	conn->resumption = NULL;
	conn->post_auth = NULL;
	conn->found = NULL;
	conn->start_name = NULL;
	conn->early_closed = conn->early_allowed = false;
}

static int begin(struct conn *conn, int fd, enum tls_role role, const struct seamtls_start *start)
{
	struct share *share = conn->share;
	int r;

	forget_last(conn);
	conn->role = role;
	conn->timeout_ms = start->timeout_ms;
	conn_name_ends(conn, fd);
	if (start->server_name[0] != '\0') {
		conn->start_name = strdup(start->server_name);
		if (conn->start_name == NULL) {
			conn_fail_for(conn, ENOBUFS, CAUSE_RESOURCES,
				"no memory for the name of the peer");
			return -ENOBUFS;
		}
	}
	if (has_unread(conn, fd))
		return -EPROTO;
	r = prepare(conn);
	if (r < 0)
		return r;
	atomic_store(&share->nonblock, is_nonblocking(fd));
	conn_take_over_options(conn, fd);
	conn_set_real_close_on_exec(conn, true);
	/* This process's, whoever had the one before it. */
	conn->steps_seen = atomic_load(&share->steps);
	atomic_store(&share->owner, getpid());
	conn->connect_told = true;
	conn_set_state(conn, CONN_ESTABLISHING);
	interest_begin(conn);
	conn_start(conn);
	return 0;
}

/* As connect() does. */
static int wait_until_open(struct conn **held, int fd)
{
	int r = conn_establish(*held, fd);

	if (r == -EAGAIN && is_nonblocking(fd))
		return -EINPROGRESS;
	/* The other end is this process's, too, and may be this very thread's. */
	if (r == -EAGAIN && (*held)->self_connected)
		return 0;
	if (r == -EAGAIN)
		r = conn_establish_wait(held, fd, 0, SO_SNDTIMEO);
	if (r == -EAGAIN)
		return -EINPROGRESS;
	return r == -ESTALE ? -EBADF : r;
}

static int start_tls(struct conn **held, int fd, const void *value, socklen_t len)
{
	struct conn *conn = *held;
	struct seamtls_start start;
	enum tls_role role = TLS_CLIENT;
	int r = check_control(conn, fd);

	if (r == 0)
		r = read_start(value, len, &start);
	if (r == 0)
		r = choose_role(conn, &start, &role);
	if (r != 0)
		return r;
	guard_lock(&conn->lock);
	r = check_start(conn, fd);
	if (r == 0)
		r = begin(conn, fd, role, &start);
	guard_unlock(&conn->lock);
	if (r == 0)
		r = wait_until_open(held, fd);
	if (*held != NULL && conn_state(*held) == CONN_FAILED &&
		r == -atomic_load(&(*held)->share->error))
		atomic_store(&(*held)->share->error_told, true);
	return r;
}

/* --- SEAMTLS_STOP */

/* With both directions locked. Nothing of TLS is left in the share. */
static void clear_share(struct share *share)
{
	record_key_clear(&share->receive_key);
	record_key_clear(&share->send_key);
	share->eof = share->send_closed = share->tls_ending = false;
	share->alert_sent = share->alert_received = -1;
	share->version = share->cipher = share->group = 0;
	share->resumed = share->tickets_due = false;
	share->key_updates = share->message_skip = share->message_len = 0;
	share->verify[0] = '\0';
	share->handshake_us = 0;
	share->told = share->control_count = 0;
	share->tls_ended++;
	atomic_store(&share->bytes_in, 0);
	atomic_store(&share->bytes_out, 0);
	atomic_store(&share->bytes_acked, 0);
	atomic_store(&share->data_seen, false);
	atomic_store(&share->key_update_due, false);
	atomic_store(&share->owner, 0);
}

static int lock_both(struct conn *conn)
{
	struct share *share = conn->share;
	int r = share_lock(&share->receive_lock);

	if (r == -EOWNERDEAD) {
		share_unlock(&share->receive_lock);
		return -ECONNRESET;
	}
	if (r < 0)
		return r;
	r = outlet_lock(conn);
	if (r < 0)
		share_unlock(&share->receive_lock);
	return r;
}

static void unlock_both(struct share *share)
{
	share_unlock(&share->send_lock);
	share_unlock(&share->receive_lock);
}

/* close_notify has come and gone: what is sent and received from now on is TCP's. The audit is told
 * with nothing locked, by the first that comes here. */
static int end_tls(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	bool first;
	int r = lock_both(conn);

	if (r < 0)
		return r;
	first = conn_state(conn) == CONN_OPEN && !share->tls_ending;
	share->tls_ending |= first;
	unlock_both(share);
	if (!first)
		return -EALREADY;
	report_close(conn, "the program has ended TLS; the connection goes on in the clear");
	r = lock_both(conn);
	if (r < 0)
		return r;
	clear_share(share);
	conn_give_back_low_water(conn, fd);
	conn_set_real_close_on_exec(conn, false);
	conn_set_state(conn, CONN_WAITING);
	interest_opened(conn);
	unlock_both(share);
	return 0;
}

/* 0: done; -EAGAIN: waits for *events; -EPROTO: there is something to read, or to send, before. */
static int stop_step(struct conn *conn, int fd, short *events)
{
	struct share *share = conn->share;
	int r;

	conn_settle(conn, fd);
	if (conn_state(conn) == CONN_FAILED)
		return -atomic_load(&share->error);
	if (share->plaintext.len > 0 || share->owed)
		return -EPROTO;
	r = conn_send_close_notify(conn, fd);
	if (r < 0 && r != -EAGAIN)
		return r;
	*events = share->tail.len > 0 ? POLLOUT : POLLIN;
	if (share->tail.len > 0)
		driver_add(conn);
	return share->tail.len > 0 || !share->eof ? -EAGAIN : end_tls(conn, fd);
}

static int check_stop(const struct conn *conn)
{
	switch (conn_state(conn)) {
	case CONN_OPEN:
		return 0;
	case CONN_WAITING:
		return -EALREADY;
	case CONN_ESTABLISHING:
		return -EPROTO;
	default:
		return -ENOTCONN;
	}
}

static int stop_tls(struct conn **held, int fd)
{
	uint64_t deadline_us = 0;
	bool timed = false;
	int r = check_control(*held, fd);

	while (r == 0) {
		short events = 0;

		r = check_stop(*held);
		if (r == 0)
			r = stop_step(*held, fd, &events);
		if (r != -EAGAIN)
			return r;
		if (is_nonblocking(fd))
			return -EINPROGRESS;
		if (!timed)
			deadline_us = sys_deadline_us(fd, SO_RCVTIMEO);
		timed = true;
		r = driver_wait(held, fd, events, deadline_us, NULL);
		if (r == -EAGAIN)
			return -EINPROGRESS;
		if (r == -ERESTART)
			r = 0;
	}
	return r == -ESTALE ? -EBADF : r;
}

/* --- SEAMTLS_REKEY */

static int read_rekey(const void *value, socklen_t len, int *out)
{
	*out = SEAMTLS_REKEY_BOTH;
	if (len == 0)
		return 0;
	if (len < sizeof(*out))
		return -EINVAL;
	if (!memory_is_there(value, sizeof(*out), false))
		return -EFAULT;
	memcpy(out, value, sizeof(*out));
	return *out == SEAMTLS_REKEY_SEND || *out == SEAMTLS_REKEY_BOTH ? 0 : -EINVAL;
}

/* Tightens what any policy says, so any TLS connection may. */
static int rekey(struct conn *conn, int fd, const void *value, socklen_t len)
{
	struct share *share = conn != NULL ? conn->share : NULL;
	int which, r;

	if (share == NULL) {
		r = conn_aware_of_others(fd);
		return r != 0 ? r : -EACCES;
	}
	r = read_rekey(value, len, &which);
	if (r < 0)
		return r;
	if (conn_state(conn) != CONN_OPEN)
		return -ENOTCONN;
	r = outlet_lock(conn);
	if (r < 0)
		return r;
	if (share->send_key.version != RECORD_TLS13 ||
		(share->kernel_sends && !share->kernel_rekeys))
		r = -EPROTONOSUPPORT;
	else if (share->send_closed)
		r = -EPIPE;
	else
		r = conn_key_update_locked(share, fd, which == SEAMTLS_REKEY_BOTH);
	share_unlock(&share->send_lock);
	if (share_is_parked(share))
		driver_add(conn);
	return r;
}

static int set_by_name(struct conn **held, int fd, int name, const void *value, socklen_t len)
{
	int r;

	if (len > INT32_MAX)
		return -EINVAL;
	/* A vfork child has its parent's memory, and is there to execute something. */
	if (host_is_visitor())
		return -EPERM;
	switch (name) {
	case SEAMTLS_START:
		return start_tls(held, fd, value, len);
	case SEAMTLS_STOP:
		return stop_tls(held, fd);
	case SEAMTLS_REKEY:
		return rekey(*held, fd, value, len);
	default:
		r = *held == NULL ? conn_aware_of_others(fd) : 0;
		return r == 1 ? r : -ENOPROTOOPT;
	}
}

int conn_aware_set(struct conn *conn, int fd, int name, const void *value, socklen_t len)
{
	int saved = errno, r; /* files are read */

	if (conn == NULL)
		guard_enter();
	r = set_by_name(&conn, fd, name, value, len);
	conn_put_held(conn);
	errno = saved;
	return r;
}

/* The connection ends, and is in the clear. */
void conn_end_waiting(struct conn *conn)
{
	int fd = atomic_load(&conn->fd);
	struct policy_address remote;

	if (conn->share->tls_ended == 0 && !socket_address(fd, true, &remote))
		return; /* there never was one */
	conn_name_ends(conn, fd);
	report_alone(conn, AUDIT_PASS,
		conn->share->tls_ended > 0
			? "in the clear at its end: the program had ended TLS before"
			: "in the clear from beginning to end: the rule says 'start = program', "
			  "and the program never started TLS",
		NULL);
}
