/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is seen is this process's own. The first event has been written by whoever decided, so that
 * no process has to speak for another: one that has seen nothing of a connection that it shares
 * says nothing.
 */
#include "conn/observe.h"

#include "conn/internal.h"
#include "guard.h"
#include "libc.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct observed {
	struct recogniser *recogniser; /* NULL: no byte yet */
	uint64_t id;
	int type;    /* of the events */
	bool shared; /* with another process, and nothing has been seen since */
};

void observe_begin_locked(struct conn *conn, int type, uint64_t id)
{
	struct observed *observed = host_audits() ? calloc(1, sizeof(*observed)) : NULL;

	if (observed == NULL)
		return;
	observed->id = id;
	observed->type = type;
	if (conn->share == NULL)
		interest_end(conn);
	conn->observed = observed;
}

void observe_begin(struct conn *conn, int type, uint64_t id)
{
	guard_lock(&conn->lock);
	observe_begin_locked(conn, type, id);
	guard_unlock(&conn->lock);
}

static void drop_number(struct conn *conn, int fd)
{
	if (table_has(fd, conn) && table_take(fd) != NULL)
		conn_unref(conn);
}

/* With the lock. Nothing looks any more: the numbers are libc's. */
static void leave(struct conn *conn)
{
	struct observed *observed = conn->observed;

	conn->observed = NULL;
	recogniser_free(observed->recogniser);
	free(observed);
	if (conn->share != NULL && (conn_state(conn) != CONN_PASSED || conn->relayed))
		return;
	if (conn->share != NULL)
		share_leave(conn->share);
	drop_number(conn, atomic_load(&conn->fd));
	for (unsigned fd = 0; fd < table_high() && atomic_load(&conn->descriptors) > 0; fd++)
		drop_number(conn, (int)fd);
}

static void finish(struct conn *conn, const struct recognition *found)
{
	report_recognised(conn, conn->observed->type, conn->observed->id, found);
	leave(conn);
}

/* Whether it is decided; or -ENOMEM. */
static int take(struct observed *observed, enum recognise_way way, const struct iovec *iov,
	size_t count, size_t len)
{
	bool decided = false;

	if (observed->recogniser == NULL)
		observed->recogniser = recogniser_new();
	if (observed->recogniser == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count && len > 0 && !decided; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		decided = recogniser_take(observed->recogniser, way, iov[i].iov_base, part);
		len -= part;
	}
	return decided;
}

void observe_bytes(struct conn *conn, enum recognise_way way, const struct iovec *iov, size_t count,
	size_t len)
{
	struct observed *observed = conn->observed;
	int r;

	if (observed == NULL)
		return;
	observed->shared = false;
	r = take(observed, way, iov, count, len);
	if (r > 0)
		finish(conn, recogniser_result(observed->recogniser));
	else if (r < 0)
		leave(conn);
}

void observe_name(struct conn *conn, enum recognise_way way, const struct iovec *iov, size_t count,
	size_t len)
{
	if (conn->observed != NULL)
		take(conn->observed, way, iov, count, len);
}

const struct recognition *observe_found(const struct conn *conn)
{
	const struct observed *observed = conn->observed;

	return observed != NULL && observed->recogniser != NULL
		       ? recogniser_result(observed->recogniser)
		       : NULL;
}

/* Whether anything has passed that was not seen. */
static bool has_passed(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int saved = errno;
	int r = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);

	errno = saved;
	return r < 0 || info.tcpi_data_segs_in > 0 || info.tcpi_data_segs_out > 0;
}

static void end_locked(struct conn *conn, int fd)
{
	struct observed *observed = conn->observed;
	struct recognition nothing = { .resumed = -1, .alert = { -1, -1 } };

	if (observed->shared) {
		leave(conn);
		return;
	}
	if (observed->recogniser != NULL) {
		recogniser_end(observed->recogniser);
		finish(conn, recogniser_result(observed->recogniser));
		return;
	}
	nothing.protocol = fd < 0 || has_passed(fd) ? RECOGNISED_UNKNOWN : RECOGNISED_NOTHING;
	finish(conn, &nothing);
}

void observe_end(struct conn *conn, int fd)
{
	guard_lock(&conn->lock);
	if (conn->observed != NULL)
		end_locked(conn, fd);
	guard_unlock(&conn->lock);
}

void observe_forget_locked(struct conn *conn)
{
	if (conn->observed != NULL)
		leave(conn);
}

void observe_forget(struct conn *conn)
{
	guard_lock(&conn->lock);
	observe_forget_locked(conn);
	guard_unlock(&conn->lock);
}

void observe_before_fork(struct conn *conn)
{
	if (conn->observed != NULL && conn->observed->recogniser == NULL)
		conn->observed->shared = true;
}

void observe_in_child(struct conn *conn)
{
	if (conn->observed != NULL)
		conn->observed->shared = true;
}

/* --- What the calls tell */

/* With a reference, in the guard, and the lock; NULL: nobody looks. */
static struct conn *observed_get(int fd)
{
	struct conn *conn = conn_get(fd);

	if (conn == NULL)
		return NULL;
	guard_lock(&conn->lock);
	if (conn->observed != NULL && !conn_is_mapped(conn) && !host_is_visitor())
		return conn;
	guard_unlock(&conn->lock);
	conn_put(conn);
	return NULL;
}

static void observed_put(struct conn *conn)
{
	guard_unlock(&conn->lock);
	conn_put(conn);
}

void conn_stop_observing(void)
{
	struct conn *conn;
	int saved = errno;

	guard_enter();
	for (int fd = 0; (conn = table_next(&fd)) != NULL; fd++) {
		if (!conn_is_mapped(conn))
			observe_end(conn, -1);
		conn_unref(conn);
	}
	guard_leave();
	errno = saved;
}

bool conn_is_observed(int fd)
{
	struct conn *conn = observed_get(fd);

	if (conn != NULL)
		observed_put(conn);
	return conn != NULL;
}

static void saw(int fd, enum recognise_way way, const struct iovec *iov, size_t count, size_t len)
{
	struct conn *conn;
	int saved = errno;

	conn = observed_get(fd);
	if (conn != NULL) {
		observe_bytes(conn, way, iov, count, len);
		observed_put(conn);
	}
	errno = saved;
}

void conn_saw_sent(int fd, const struct iovec *iov, size_t count, size_t len)
{
	saw(fd, RECOGNISE_SENT, iov, count, len);
}

void conn_saw_received(int fd, const struct iovec *iov, size_t count, size_t len)
{
	saw(fd, RECOGNISE_RECEIVED, iov, count, len);
}

void conn_saw_not(int fd)
{
	struct conn *conn;
	int saved = errno;

	conn = observed_get(fd);
	if (conn != NULL) {
		struct observed *observed = conn->observed;

		if (observed->recogniser == NULL)
			observed->recogniser = recogniser_new();
		observed->shared = false;
		if (observed->recogniser != NULL)
			recogniser_blind(observed->recogniser);
		end_locked(conn, -1);
		observed_put(conn);
	}
	errno = saved;
}
