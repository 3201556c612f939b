/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Around fork(): every connection of the parent is the child's too. The child counts as a holder
 * before either of them goes on, so that neither can end what the other still uses. What belonged
 * to the parent's other threads is left alone.
 */
#include "conn/internal.h"

static void each_connection(void (*visit)(struct conn *conn))
{
	struct conn *conn;

	for (int fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		if (atomic_load(&conn->fd) == fd)
			visit(conn);
		conn_put(conn);
	}
}

static void hold(struct conn *conn)
{
	if (conn->share != NULL)
		share_before_fork(conn->share);
}

static void forked(struct conn *conn)
{
	/* A thread of the parent may have held it; that thread is not here. */
	pthread_mutex_init(&conn->lock, NULL);
	atomic_store(&conn->waiters, 0);
	if (conn->share != NULL)
		share_in_child(conn->share);
}

static void unhold(struct conn *conn)
{
	if (conn->share != NULL)
		share_fork_failed(conn->share);
}

void conn_before_fork(void)
{
	each_connection(hold);
}

void conn_in_child(void)
{
	host_after_fork();
	table_in_child();
	names_in_child();
	share_process_forked();
	driver_in_child();
	interest_in_child();
	each_connection(forked);
}

void conn_in_relay(struct conn *conn, int fd)
{
	host_after_fork();
	table_in_child();
	table_reduce(fd);
	names_in_child();
	share_process_forked();
	driver_in_relay();
	interest_in_child();
	atomic_store(&conn->fd, fd);
	atomic_store(&conn->descriptors, 1);
	atomic_store(&conn->driven, false);
	atomic_store(&conn->watched, false);
	conn->interests = NULL; /* of sets that are not here */
	conn->relayed = true;
	forked(conn);
}

void conn_fork_failed(void)
{
	each_connection(unhold);
}
