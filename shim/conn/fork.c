/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Around fork(): every connection of the parent is the child's too. The child counts as a holder
 * before either of them goes on, so that neither can end what the other still uses. The locks of
 * the process are taken before, so that no other thread, which the child will not have, is in the
 * middle of anything. Locks that processes share are not: their holder goes on in the parent.
 */
#include "conn/internal.h"

#include "conn/lookups.h"

#include "deep.h"
#include "guard.h"
#include "heap.h"

static void each_connection(void (*visit)(struct conn *conn))
{
	struct conn *conn;

	for (int fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		if (atomic_load(&conn->fd) == fd)
			visit(conn);
		conn_unref(conn);
	}
}

static void hold(struct conn *conn)
{
	observe_before_fork(conn);
	if (conn->share != NULL)
		share_before_fork(conn->share);
}

/* Another thread was in the middle of a step: this copy of the handshake is good for nothing. */
static void forget_handshake(struct conn *conn)
{
	pthread_mutex_init(&conn->lock, NULL);
	conn->steps_seen--;
}

static void forked(struct conn *conn)
{
	if (pthread_mutex_trylock(&conn->lock) == 0)
		pthread_mutex_unlock(&conn->lock);
	else
		forget_handshake(conn);
	atomic_store(&conn->claimed_until_us, 0);
	observe_in_child(conn);
	if (conn->share != NULL)
		share_in_child(conn->share);
}

static void unhold(struct conn *conn)
{
	if (conn->share != NULL)
		share_fork_failed(conn->share);
}

/* In the order in which they are nested. */
void conn_lock_all(bool on)
{
	deep_lock_for_fork(on);
	host_lock_for_fork(on);
	driver_lock_for_fork(on);
	interest_lock_for_fork(on);
	names_lock_for_fork(on);
	lookups_lock_for_fork(on);
	share_lock_for_fork(on);
	table_lock_for_fork(on);
	heap_lock_for_fork(on);
}

void conn_before_fork(void)
{
	guard_enter();
	each_connection(hold);
	conn_lock_all(true);
}

void conn_after_fork(void)
{
	conn_lock_all(false);
	guard_leave();
}

void conn_in_child(void)
{
	guard_in_child();
	conn_lock_all(false);
	host_after_fork();
	conn_ends_in_child();
	driver_in_child();
	each_connection(forked);
	guard_leave();
}

void conn_in_relay(struct conn *conn, int fd)
{
	guard_stay();
	host_after_fork();
	table_reduce(fd);
	driver_in_relay();
	atomic_store(&conn->fd, fd);
	atomic_store(&conn->descriptors, 1);
	atomic_store(&conn->driven, false);
	conn->interests = NULL; /* of sets that are not here */
	conn->relayed = true;
	/* Held by who has made this process, so no step was under way. */
	pthread_mutex_init(&conn->lock, NULL);
	forked(conn);
}

void conn_fork_failed(void)
{
	guard_enter();
	each_connection(unhold);
	guard_leave();
}
