/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client's first bytes are looked at where they are, in the kernel. When there are not enough
 * of them the kernel is told to say "readable" only when there are more (SO_RCVLOWAT), so that
 * nobody spins over those that stay. In doubt it is TLS, which fails closed.
 */
#include "conn/permissive.h"

#include "conn/internal.h"

#include <errno.h>
#include <stdio.h>

#define TLS_MAJOR 3
#define TLS_MINOR_MOST 4 /* of a record's version (RFC 8446 5.1) */
#define TLS_BYTES 3
#define SSL2_LENGTH_BIT 0x80
#define SSL2_CLIENT_HELLO 1

/* RFC 5246 E.2: two bytes of length, client_hello, the version: 2.0, or the highest that it can. */
static bool is_ssl2(const uint8_t *head, size_t len)
{
	return len >= BEGINNING_MOST && (head[0] & SSL2_LENGTH_BIT) != 0 &&
	       head[2] == SSL2_CLIENT_HELLO &&
	       ((head[3] == 0 && head[4] == 2) ||
		       (head[3] == TLS_MAJOR && head[4] <= TLS_MINOR_MOST));
}

enum beginning beginning_of(const uint8_t *head, size_t len)
{
	if (head[0] != RECORD_HANDSHAKE)
		return is_ssl2(head, len) ? BEGINS_OLD : BEGINS_CLEAR;
	if ((len > 1 && head[1] != TLS_MAJOR) || (len > 2 && head[2] > TLS_MINOR_MOST))
		return BEGINS_CLEAR;
	return len >= TLS_BYTES ? BEGINS_TLS : BEGINS_OPEN;
}

bool permissive_is_undecided(const struct conn *conn)
{
	return conn->accepted && conn->rule->tls.accept == POLICY_ACCEPT_BOTH &&
	       conn->handshake == NULL && conn_state(conn) == CONN_ESTABLISHING;
}

static void limit_time(struct conn *conn)
{
	if (conn->deadline_us == 0)
		conn->deadline_us = sys_monotonic_us() +
				    (uint64_t)conn->rule->tls.handshake_timeout_s * 1000000;
}

void permissive_program_speaks(struct conn *conn)
{
	if (permissive_is_undecided(conn))
		limit_time(conn);
}

void permissive_program_waits(struct conn *conn, uint32_t events)
{
	if ((events & (EPOLLIN | EPOLLOUT)) == EPOLLOUT)
		permissive_program_speaks(conn);
}

/* "Readable" is to mean more than `len` bytes. */
static void wait_for_more(struct conn *conn, int fd, size_t len)
{
	struct share *share = conn->share;

	if (share->kernel_low_water == (int)len + 1 || (len == 0 && share->kernel_low_water == 0))
		return;
	share->kernel_low_water = (int)len + 1;
	sys_setsockopt_int(fd, SOL_SOCKET, SO_RCVLOWAT, (int)len + 1);
}

static int too_late(struct conn *conn, size_t len)
{
	char reason[TLS_REASON_MAX];

	if (len > 0)
		snprintf(reason, sizeof(reason),
			"the client began as TLS does, with %zu bytes, and did not go on within "
			"handshake_timeout = %u s",
			len, conn->rule->tls.handshake_timeout_s);
	else
		snprintf(reason, sizeof(reason),
			"the program spoke first, and the client said nothing within "
			"handshake_timeout = %u s: where the server speaks first, 'accept = both' "
			"cannot tell who wants TLS",
			conn->rule->tls.handshake_timeout_s);
	conn_fail_for(conn, ETIMEDOUT, CAUSE_TIMEOUT, reason);
	return -ETIMEDOUT;
}

static int undecided(struct conn *conn, int fd, size_t len)
{
	if (len > 0)
		limit_time(conn);
	if (conn->deadline_us != 0 && sys_monotonic_us() >= conn->deadline_us)
		return too_late(conn, len);
	wait_for_more(conn, fd, len);
	return -EAGAIN;
}

static int begins_tls(struct conn *conn, int fd)
{
	wait_for_more(conn, fd, 0);
	conn->started_us = sys_monotonic_us();
	limit_time(conn);
	return 0;
}

static int let_go(struct conn *conn, const char *why)
{
	conn_let_go(conn, why);
	return conn_state(conn) == CONN_FAILED ? -atomic_load(&conn->share->error) : 1;
}

int permissive_look(struct conn *conn, int fd)
{
	uint8_t head[BEGINNING_MOST];
	ssize_t n = sys_recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);

	if (n == -EAGAIN || n == -EINTR)
		return undecided(conn, fd, 0);
	if (n < 0) /* the handshake reports what is wrong */
		return begins_tls(conn, fd);
	if (n == 0)
		return let_go(conn, "the client closed the connection without a word");
	switch (beginning_of(head, (size_t)n)) {
	case BEGINS_TLS:
		return begins_tls(conn, fd);
	case BEGINS_OPEN:
		return undecided(conn, fd, (size_t)n);
	case BEGINS_OLD:
		conn_fail_for(conn, EPROTO, CAUSE_PLAINTEXT,
			"the client begins with the hello of SSL 2.0, which is neither TLS nor in "
			"the clear");
		return -EPROTO;
	default:
		return let_go(
			conn, "the client does not speak TLS, and the rule says 'accept = both'");
	}
}
