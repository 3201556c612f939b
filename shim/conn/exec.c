/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * exec() closes what is ours (FD_CLOEXEC is always set), since a new program image could not go on
 * with it. What the program hands on purposely - a number that it has taken FD_CLOEXEC from, or 0
 * to 2 - becomes an end of a relay before. A connection that comes to its end with this process is
 * said goodbye to, once it is sure that exec() has not failed.
 */
#include "conn/internal.h"
#include "guard.h"

#include "conn/relay.h"
#include "conn/successor.h"

#include <string.h>
#include <unistd.h>

bool conn_is_visited(struct conn *conn, int fd)
{
	char remote[CONN_ADDRESS_LEN];
	struct policy_address peer;

	if (!conn_is_mapped(conn) || !host_is_visitor() || !socket_address(fd, true, &peer))
		return false;
	report_address(&peer, remote);
	return strcmp(remote, conn->remote) == 0;
}

static bool is_handed_on(int fd)
{
	return table_kept_on_exec(fd) && (fd <= STDERR_FILENO || table_handed_on(fd));
}

void conn_before_spawn(const struct conn_next *next)
{
	struct conn *conn;

	if (!table_any_handed_on() || host_is_visitor())
		return;
	guard_enter();
	for (int fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		if (conn_is_mapped(conn) && table_handed_on(fd))
			relay_onto(conn, fd, fd, successor_departure(next));
		conn_unref(conn);
	}
	guard_leave();
}

/* What exec() closes. Others that have it are not to wait for us; if there are none, the peer is to
 * hear of it, but only once exec() has not failed. */
static int leave(struct conn *conn, int fd)
{
	if (!share_leave(conn->share))
		return -1;
	if (conn->share->left_sight) {
		conn_report_left(conn);
		return -1;
	}
	share_return(conn->share);
	return relay_watch_exec(conn, fd);
}

size_t conn_before_exec(int *watches, size_t most, const struct conn_next *next)
{
	struct conn *conn;
	size_t count = 0;

	/* A vfork child: its parent's connections are in the table, and stay the parent's. */
	if (host_is_visitor())
		return 0;
	guard_enter();
	for (int fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		bool handed_on = conn_is_mapped(conn) && is_handed_on(fd);

		if (handed_on)
			relay_onto(conn, fd, fd, successor_departure(next));
		if (conn_state(conn) != CONN_GATED && conn_is_mapped(conn) &&
			atomic_load(&conn->fd) == fd && count < most &&
			(!handed_on || conn->share->left_sight)) {
			watches[count] = leave(conn, fd);
			count += watches[count] >= 0;
		}
		observe_end(conn, fd); /* what the next program does is not for us to see */
		conn_unref(conn);
	}
	guard_leave();
	return count;
}

void conn_exec_failed(const int *watches, size_t count)
{
	struct conn *conn;
	int fd;

	for (size_t i = 0; i < count; i++)
		relay_exec_failed(watches[i]);
	if (host_is_visitor())
		return;
	guard_enter();
	for (fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		if (conn_is_mapped(conn) && atomic_load(&conn->fd) == fd)
			share_return(conn->share);
		conn_unref(conn);
	}
	guard_leave();
}
