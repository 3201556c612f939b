/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What becomes of a connection at the end of its way: it is open, with keys and what was written
 * before; it is left alone; or it has failed, which the peer, the program, the audit and whoever
 * started a client get to know.
 */
#include "conn/internal.h"

#include "conn/found.h"
#include "conn/kernel.h"
#include "conn/starttls.h"
#include "notice.h"
#include "tls/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MOST 65536

static void end_of_way(struct conn *conn)
{
	tls_handshake_free(conn->handshake);
	conn->handshake = NULL;
	starttls_free(conn->starttls);
	conn->starttls = NULL;
	if (conn_state(conn) == CONN_OPEN)
		interest_opened(conn);
	else
		interest_end(conn);
	if (conn->early != NULL)
		explicit_bzero(conn->early, conn->early_len);
	free(conn->early);
	conn->early = NULL;
	conn->early_len = 0;
}

/* For programs that ask. What was known before goes. */
static void keep_found(struct conn *conn, const struct tls_result *result, const char *reason)
{
	free(conn->found);
	conn->found = found_new(result, reason);
	conn->found_of = conn->share->tls_ended;
}

/* What the peer still sends must not turn the alert that it is to read into a reset. */
static void read_away(int fd)
{
	uint8_t *scratch = scratch_get();
	ssize_t n = 1;

	for (size_t total = 0; scratch != NULL && n > 0 && total < DRAIN_MOST; total += (size_t)n)
		n = sys_recv(fd, scratch, SCRATCH_LEN, MSG_DONTWAIT);
	scratch_put(scratch);
}

static void end(struct conn *conn, int error, const struct tls_result *result, enum cause cause,
	const char *reason)
{
	int fd = atomic_load(&conn->fd);

	/* What was open is closed; what never was has failed. */
	if (conn_state(conn) == CONN_OPEN)
		report_broken(conn, cause, reason);
	else
		report_fail(conn, result, error, cause, reason);
	keep_found(conn, result, reason);
	/* Who started a client reads its standard error; a server's is not for every stranger to
	 * fill. */
	if (conn->role == TLS_CLIENT && (error == EACCES || error == EKEYREJECTED))
		notice("no connection to %s, rule '%s': %s (what to do: %s)",
			conn->name[0] != '\0' ? conn->name : conn->remote, conn->rule->name, reason,
			cause_advice(cause != CAUSE_NONE ? cause : CAUSE_OTHER));
	atomic_store(&conn->share->error, error);
	conn_set_state(conn, CONN_FAILED);
	if (fd >= 0) {
		read_away(fd);
		sys_shutdown(fd, SHUT_RDWR);
	}
	end_of_way(conn);
	driver_remove(conn);
}

void conn_fail(struct conn *conn, int error, const struct tls_result *result, const char *reason)
{
	end(conn, error, result, result != NULL ? result->cause : CAUSE_NONE, reason);
}

void conn_fail_for(struct conn *conn, int error, enum cause cause, const char *reason)
{
	end(conn, error, NULL, cause, reason);
}

int conn_tcp_failed(struct conn *conn, int error)
{
	atomic_store(&conn->share->error, error);
	conn_set_state(conn, CONN_FAILED);
	end_of_way(conn);
	driver_remove(conn);
	return -error;
}

void conn_set_real_close_on_exec(struct conn *conn, bool ours)
{
	for (int fd = 0; (unsigned)fd < table_high(); fd++)
		if (table_has(fd, conn) && table_kept_on_exec(fd))
			sys_fcntl(fd, F_SETFD, ours ? FD_CLOEXEC : 0);
}

/* Only `accept = both` comes here with early data: its policy lets it go in the clear. */
static bool send_in_the_clear(struct conn *conn, int fd)
{
	size_t len = conn->early_len;

	if (len > 0 && sys_send(fd, conn->early, len, MSG_DONTWAIT) != (ssize_t)len)
		return false;
	if (conn->early_closed)
		sys_shutdown(fd, SHUT_WR);
	return true;
}

void conn_leave_alone(struct conn *conn)
{
	conn_set_real_close_on_exec(conn, false);
	conn_give_back_low_water(conn, atomic_load(&conn->fd));
	conn_set_state(conn, CONN_PASSED);
	end_of_way(conn);
	driver_remove(conn);
}

void conn_let_go(struct conn *conn, const char *why)
{
	struct policy_decision decision = { .action = POLICY_PASS,
		.rule = conn->rule,
		.remote_name = conn->name[0] ? conn->name : NULL };
	struct policy_query query = { .direction =
					      conn->accepted ? POLICY_INBOUND : POLICY_OUTBOUND };
	int fd = atomic_load(&conn->fd);
	uint64_t id = host_new_id();

	socket_address(fd, false, &query.local);
	socket_address(fd, true, &query.remote);
	if (report_decision(AUDIT_PASS, &query, &decision, why, &id) < 0) {
		conn_fail_for(conn, EACCES, CAUSE_AUDIT,
			"policy requires an audit, and the event could not be written");
		return;
	}
	if (!send_in_the_clear(conn, fd)) {
		conn_fail_for(conn, ENOBUFS, CAUSE_RESOURCES,
			"there was no room for what the program had said before the client");
		return;
	}
	observe_begin_locked(conn, AUDIT_PASS, id);
	observe_bytes(conn, RECOGNISE_SENT, &(const struct iovec){ conn->early, conn->early_len },
		1, conn->early_len);
	keep_found(conn, NULL, why);
	conn_leave_alone(conn);
}

static void note_result(struct conn *conn, const struct tls_result *result)
{
	struct share *share = conn->share;
	const struct tls_suite *suite =
		result->cipher != NULL ? tls_suite_by_name(result->cipher) : NULL;
	const struct tls_group *group =
		result->group != NULL ? tls_group_by_name(result->group) : NULL;

	share->version = result->version;
	share->cipher = suite != NULL ? suite->id : 0;
	share->group = group != NULL ? (uint16_t)group->id : 0;
	share->resumed = result->resumed;
	share->handshake_us = sys_monotonic_us() - conn->started_us;
	keep_found(conn, result, NULL);
}

/*
 * A client that has the last word in the handshake may hold a small request back until that is
 * acknowledged (Nagle's algorithm, RFC 9293 3.7.4), which the kernel does not hurry to do: 40 ms.
 * An even value acknowledges once (tcp(7), TCP_QUICKACK).
 */
static void acknowledge_end(const struct conn *conn, int fd, const struct tls_result *result)
{
	if (conn->role == TLS_SERVER && (result->version == RECORD_TLS13 || result->resumed))
		sys_setsockopt_int(fd, IPPROTO_TCP, TCP_QUICKACK, 2);
}

int conn_opened(struct conn *conn, int fd)
{
	const struct tls_result *result = tls_handshake_result(conn->handshake);
	struct share *share = conn->share;
	uint8_t *early = conn->early;
	size_t early_len = conn->early_len;
	int r = tls_handshake_keys(conn->handshake, &share->send_key, &share->receive_key);

	if (r < 0) {
		conn_fail(conn, EPROTO, result,
			"the cipher suite that was agreed on is not one that this build can carry");
		return -EPROTO;
	}
	if (conn_give_greeting(conn) < 0) {
		conn_fail_for(
			conn, ENOBUFS, CAUSE_RESOURCES, "no memory for the server's greeting");
		return -ENOBUFS;
	}
	conn->early = NULL;
	conn->early_len = 0;
	conn->tickets = tls_handshake_tickets(conn->handshake, &conn->tickets_len);
	conn->resumption = tls_handshake_resumption(conn->handshake);
	conn->post_auth = tls_handshake_post_auth(conn->handshake);
	share->tickets_due = conn->tickets != NULL;
	note_result(conn, result);
	kernel_plan(conn);
	kernel_take_receive(conn, fd);
	if (early_len == 0)
		kernel_take_send(conn, fd);
	report_open(conn, result);
	/* Before anybody else may send. The program was told that it is sent: a peer that is gone
	 * it meets later, but what is behind a gap must not follow. */
	if (conn_state(conn) != CONN_FAILED && early_len > 0)
		r = conn_send_early(conn, fd, early, early_len);
	else if (early_len == 0)
		acknowledge_end(conn, fd, result);
	if (r == -ENOBUFS || r == -ENOMEM)
		conn_fail_for(conn, ENOBUFS, CAUSE_RESOURCES,
			"no memory to send what the program had written before the handshake's "
			"end");
	if (early != NULL)
		explicit_bzero(early, early_len);
	free(early);
	if (conn_state(conn) == CONN_FAILED)
		return -atomic_load(&share->error);
	conn_set_state(conn, CONN_OPEN);
	conn_sync_low_water(conn, fd, false);
	if (conn->early_closed)
		conn_shutdown(conn, fd, SHUT_WR);
	end_of_way(conn);
	if (!share_is_parked(share) && !conn->lingering)
		driver_remove(conn);
	return 0;
}
