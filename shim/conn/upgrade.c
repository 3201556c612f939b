/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The step before the handshake where the rule says `starttls`: the dialogue of starttls.h on the
 * wire. Bytes are looked at first, and only those of the dialogue are taken out of the kernel, so
 * that what comes behind them is TLS, or fails as what it is.
 *
 * A server answers what comes before TLS itself, and nothing of it reaches the program, which has
 * to be asked for its greeting only: a client begins anew after the handshake, with a program that
 * has heard nothing yet. To pass a client's commands on and to put the upgrade into the program's
 * answers would need to know far more of the protocols, and of the program's.
 */
#include "conn/internal.h"

#include "conn/outlet.h"
#include "conn/starttls.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define HEAR_LEN 2048

static int fail(struct conn *conn, int error, const char *reason)
{
	conn_fail_for(conn, error, CAUSE_STARTTLS, reason);
	return -error;
}

/* "[::1]:25" -> "::1" */
static const char *address_of(const char *end, char *address, size_t len)
{
	const char *colon = strrchr(end, ':');
	size_t bracket = end[0] == '[';

	if (colon == NULL || (size_t)(colon - end) < 2 * bracket)
		return "";
	snprintf(address, len, "%.*s", (int)((size_t)(colon - end) - 2 * bracket), end + bracket);
	return address;
}

static int begin(struct conn *conn)
{
	bool server = conn->role == TLS_SERVER;
	char address[CONN_ADDRESS_LEN];

	conn->starttls = starttls_new(conn->rule->tls.starttls, server,
		server ? "localhost" : address_of(conn->local, address, sizeof(address)));
	return conn->starttls != NULL ? 0 : fail(conn, ENOMEM, "no memory for STARTTLS");
}

static void begin_time(struct conn *conn)
{
	conn->deadline_us =
		sys_monotonic_us() + (uint64_t)conn->rule->tls.handshake_timeout_s * 1000000;
}

static int wait_for(struct conn *conn, short events)
{
	char reason[TLS_REASON_MAX];

	atomic_store(&conn->upgrade_events, events);
	if (sys_monotonic_us() < conn->deadline_us)
		return -EAGAIN;
	snprintf(reason, sizeof(reason),
		"the peer did not go on with the upgrade to TLS (starttls) within "
		"handshake_timeout = %u s",
		conn->rule->tls.handshake_timeout_s);
	return fail(conn, ETIMEDOUT, reason);
}

static int broken(struct conn *conn, int error)
{
	char reason[TLS_REASON_MAX];

	snprintf(reason, sizeof(reason),
		"the connection failed before the upgrade to TLS (starttls): %s", strerror(error));
	return fail(conn, error == EPIPE ? ECONNRESET : error, reason);
}

/* 0: all of it is gone; or -errno. */
static int send_pending(struct conn *conn, int fd)
{
	for (;;) {
		size_t len;
		const uint8_t *data = starttls_pending(conn->starttls, &len);
		ssize_t n = len > 0 ? sys_send(fd, data, len, MSG_DONTWAIT) : 0;

		if (len == 0)
			return 0;
		if (n < 0 && n != -EINTR)
			return (int)n;
		if (n > 0)
			starttls_sent(conn->starttls, (size_t)n);
	}
}

/* 1: go on; -EAGAIN; or failed. */
static int hear_peer(struct conn *conn, int fd)
{
	uint8_t data[HEAR_LEN];
	ssize_t n = sys_recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
	size_t taken, answer;

	if (n == -EAGAIN)
		return wait_for(conn, POLLIN);
	if (n == 0)
		return fail(conn, ECONNRESET,
			"the peer closed the connection before the upgrade to TLS (starttls)");
	if (n < 0)
		return n == -EINTR ? 1 : broken(conn, (int)-n);
	taken = starttls_hear(conn->starttls, data, (size_t)n);
	explicit_bzero(data, (size_t)n); /* a client may have sent a password */
	if (taken > 0 && sys_recv(fd, NULL, taken, MSG_TRUNC | MSG_DONTWAIT) != (ssize_t)taken)
		return broken(conn, EIO);
	/* The peer has said something that is an answer, or wants one: not one line of many. */
	starttls_pending(conn->starttls, &answer);
	if (answer > 0)
		begin_time(conn);
	return 1;
}

/* The program takes its time, and is not to be hurried. */
static int hear_program(struct conn *conn, int fd)
{
	struct pollfd end = { .fd = fd };
	const struct timespec now = { 0 };
	size_t taken;

	if (conn->early_len == 0) {
		atomic_store(&conn->upgrade_events, 0);
		if (sys_poll(&end, 1, &now, NULL) > 0)
			return fail(conn, ECONNRESET,
				"the client reset the connection before it was greeted");
		begin_time(conn);
		return -EAGAIN;
	}
	taken = starttls_hear_program(conn->starttls, conn->early, conn->early_len);
	memmove(conn->early, conn->early + taken, conn->early_len - taken);
	conn->early_len -= taken;
	begin_time(conn);
	return 1;
}

/* What is there before it can be the handshake's was sent in the clear. */
static bool is_followed(struct conn *conn, int fd)
{
	return starttls_state(conn->starttls) == STARTTLS_UPGRADE && sys_queued(fd) > 0;
}

/* 0: the handshake is next; 1: go on; -EAGAIN; or failed. */
static int step(struct conn *conn, int fd)
{
	int r;

	if (is_followed(conn, fd))
		return fail(conn, EPROTO,
			"the peer sent something in the clear behind the upgrade to TLS "
			"(starttls): somebody may have put it there");
	r = send_pending(conn, fd);
	if (starttls_state(conn->starttls) == STARTTLS_OVER)
		return fail(conn, starttls_left(conn->starttls) ? ECONNRESET : EPROTO,
			starttls_reason(conn->starttls));
	if (r < 0)
		return r == -EAGAIN ? wait_for(conn, POLLOUT) : broken(conn, -r);
	switch (starttls_state(conn->starttls)) {
	case STARTTLS_PROGRAM:
		return hear_program(conn, fd);
	case STARTTLS_PEER:
		return hear_peer(conn, fd);
	default:
		conn->upgraded = true;
		begin_time(conn);
		return 0;
	}
}

/* What is waited for before the first step. */
void conn_upgrade_init(struct conn *conn)
{
	short events = conn->role == TLS_CLIENT ? POLLOUT : POLLIN;

	atomic_store(&conn->upgrade_events, conn_is_greeted(conn) ? 0 : events);
}

int conn_upgrade(struct conn *conn, int fd)
{
	int r = conn->starttls == NULL ? begin(conn) : 0;

	if (r == 0)
		do
			r = step(conn, fd);
		while (r > 0);
	return r;
}

bool conn_upgrades(const struct conn *conn)
{
	return conn->rule->tls.starttls != POLICY_STARTTLS_NONE && !conn->upgraded;
}

bool conn_is_greeted(const struct conn *conn)
{
	return conn->role == TLS_SERVER && starttls_greets(conn->rule->tls.starttls);
}

/* --- What the program is to hear once the connection is open */

bool conn_keeps_byte(const struct conn *conn)
{
	size_t len = 0;

	if (conn->role == TLS_CLIENT && conn->starttls != NULL)
		starttls_greeting(conn->starttls, &len);
	return len > 0;
}

/* All but the last byte is taken, and that as well once another is asked for. */
ssize_t conn_recv_but_last(struct conn *conn, uint8_t *buf, size_t len)
{
	ssize_t n = 0, last;

	if (conn->byte_held)
		sys_recv(conn->step_fd, NULL, 1, MSG_TRUNC | MSG_DONTWAIT);
	conn->byte_held = false;
	if (len > 1)
		n = sys_recv(conn->step_fd, buf, len - 1, MSG_DONTWAIT);
	if (n < 0 || (size_t)n + 1 < len)
		return n;
	last = sys_recv(conn->step_fd, buf + n, 1, MSG_PEEK | MSG_DONTWAIT);
	conn->byte_held = last > 0;
	return last > 0 ? n + 1 : n > 0 ? n : last;
}

int conn_give_greeting(struct conn *conn)
{
	struct share *share = conn->share;
	const uint8_t *greeting;
	size_t len;
	int r;

	if (!conn_keeps_byte(conn))
		return 0;
	greeting = starttls_greeting(conn->starttls, &len);
	r = share_lock(&share->receive_lock);
	if (r < 0)
		return r;
	r = share_bytes_put(&share->plaintext, greeting, len);
	share->held = conn->byte_held;
	share_unlock(&share->receive_lock);
	return r;
}

bool conn_answer(struct conn *conn, const struct iovec *iov, size_t count)
{
	static const uint8_t none = STARTTLS_REQUEST_ANSWER;
	uint8_t request[STARTTLS_REQUEST_LEN];
	struct outgoing out;
	int r;

	outgoing_init(&out, iov, count);
	if (!conn_may_ask(conn) || out.total != sizeof(request))
		return false;
	for (size_t i = 0; i < sizeof(request); i++)
		request[i] = outgoing_byte(&out, i);
	if (!starttls_is_request(request, sizeof(request)) ||
		share_lock(&conn->share->receive_lock) < 0)
		return false;
	r = share_bytes_put(&conn->share->plaintext, &none, sizeof(none));
	share_unlock(&conn->share->receive_lock);
	if (r < 0)
		return false; /* the server will refuse it */
	driver_add(conn);
	interest_sync(conn);
	return true;
}

void conn_answered(struct conn *conn)
{
	if (conn_may_ask(conn))
		interest_sync(conn);
	else
		interest_opened(conn);
}
