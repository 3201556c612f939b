/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is seen is this process's own. The first event has been written by whoever decided, so that
 * no process has to speak for another: one that has seen nothing of a connection that it shares
 * says nothing.
 */
#include "conn/observe.h"

#include "conn/internal.h"
#include "conn/passed.h"
#include "guard.h"

#include <errno.h>
#include <stdlib.h>

#define FIN_COUNT 1 /* passed.h */
#define REST_LEN 4096

struct observed {
	struct recogniser *recogniser; /* NULL: no byte yet */
	uint64_t id;
	int type;                      /* of the events */
	bool shared;                   /* with another process, and nothing has been seen since */
	bool forked;                   /* another process may have moved bytes, too */
	enum cause unseen;             /* why bytes may pass, or have passed, without being seen */
	uint64_t seen[RECOGNISE_WAYS]; /* bytes; with `unseen`, those that were not, too */
};

static _Atomic bool any; /* so far */

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
	atomic_store_explicit(&any, true, memory_order_relaxed);
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
	struct observed *observed = conn->observed;
	enum cause cause = CAUSE_NONE;

	if (found->protocol == RECOGNISED_UNKNOWN)
		cause = !recogniser_has_gap(observed->recogniser) ? CAUSE_TOO_SHORT
			: observed->unseen != CAUSE_NONE          ? observed->unseen
								  : CAUSE_UNSEEN;
	report_recognised(conn, observed->type, observed->id, found, cause);
	leave(conn);
}

static bool has_recogniser(struct observed *observed)
{
	if (observed->recogniser == NULL)
		observed->recogniser = recogniser_new();
	return observed->recogniser != NULL;
}

/* Whether it is decided; or -ENOMEM. */
static int take(struct observed *observed, enum recognise_way way, const struct iovec *iov,
	size_t count, size_t len)
{
	bool decided = false;

	if (!has_recogniser(observed))
		return -ENOMEM;
	observed->seen[way] += len;
	for (size_t i = 0; i < count && len > 0 && !decided; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		decided = recogniser_take(observed->recogniser, way, iov[i].iov_base, part);
		len -= part;
	}
	return decided;
}

/* Before the last `len` bytes that have passed are taken: whether there were others before them. */
static void catch_up(struct observed *observed, int fd, enum recognise_way way, size_t len)
{
	uint64_t passed[RECOGNISE_WAYS];

	if (!has_recogniser(observed) || !passed_count(fd, passed))
		return;
	if (passed[way] <= observed->seen[way] + len + FIN_COUNT)
		return;
	recogniser_gap(observed->recogniser, way);
	observed->seen[way] = passed[way] - len;
}

static void take_next(struct conn *conn, enum recognise_way way, const struct iovec *iov,
	size_t count, size_t len)
{
	struct observed *observed = conn->observed;
	int r;

	observed->shared = false;
	r = take(observed, way, iov, count, len);
	if (r > 0)
		finish(conn, recogniser_result(observed->recogniser));
	else if (r < 0)
		leave(conn);
}

void observe_bytes(struct conn *conn, enum recognise_way way, const struct iovec *iov, size_t count,
	size_t len)
{
	struct observed *observed = conn->observed;

	if (observed != NULL && observed->unseen != CAUSE_NONE)
		catch_up(observed, atomic_load(&conn->fd), way, len);
	if (observed != NULL)
		take_next(conn, way, iov, count, len);
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

/* Whether what was found is certain whatever else has passed. */
static bool is_certain(const struct observed *observed)
{
	enum recognised protocol = recogniser_result(observed->recogniser)->protocol;

	return protocol == RECOGNISED_TLS || protocol == RECOGNISED_SSH ||
	       (protocol == RECOGNISED_CLEAR &&
		       (observed->forked ||
			       (observed->unseen == CAUSE_NONE &&
				       !recogniser_presumes_clear(observed->recogniser))));
}

/* At the end, what has passed without being seen. */
static void look_for_gaps(struct observed *observed, int fd)
{
	uint64_t passed[RECOGNISE_WAYS];
	bool counted = passed_count(fd, passed), gaps = false;

	for (int way = 0; way < RECOGNISE_WAYS; way++) {
		bool gap = counted ? passed[way] > observed->seen[way] + FIN_COUNT
				   : observed->recogniser == NULL || observed->unseen != CAUSE_NONE;

		if (gap && has_recogniser(observed))
			recogniser_gap(observed->recogniser, (enum recognise_way)way);
		gaps = gaps || gap;
	}
	if (gaps && observed->unseen == CAUSE_NONE)
		observed->unseen = passed_unseen_cause();
}

/* What the program has left unread may say what the rest was. */
static void look_at_the_rest(struct observed *observed, int fd)
{
	uint8_t rest[REST_LEN];
	ssize_t n = sys_recv(fd, rest, sizeof(rest), MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		recogniser_take(observed->recogniser, RECOGNISE_RECEIVED, rest, (size_t)n);
}

static void end_locked(struct conn *conn, int fd)
{
	struct observed *observed = conn->observed;
	struct recognition nothing = { .resumed = -1, .alert = { -1, -1 } };

	if (observed->shared) {
		leave(conn);
		return;
	}
	if (observed->recogniser == NULL || !is_certain(observed))
		look_for_gaps(observed, fd);
	if (observed->recogniser == NULL) {
		nothing.protocol = RECOGNISED_NOTHING;
		finish(conn, &nothing);
		return;
	}
	if (fd >= 0 && recogniser_result(observed->recogniser)->protocol == RECOGNISED_UNKNOWN)
		look_at_the_rest(observed, fd);
	recogniser_end(observed->recogniser);
	finish(conn, recogniser_result(observed->recogniser));
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
	if (conn->observed == NULL)
		return;
	conn->observed->forked = true;
	if (conn->observed->recogniser == NULL)
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

bool conn_any_observed(void)
{
	return atomic_load_explicit(&any, memory_order_relaxed);
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

void conn_saw_not(int fd, enum cause cause)
{
	struct conn *conn;
	int saved = errno;

	conn = observed_get(fd);
	if (conn != NULL) {
		conn->observed->unseen = cause;
		observed_put(conn);
	}
	errno = saved;
}

/* With the lock. How much of the `len` bytes that a stream has read last is new. */
static size_t unread_of(struct conn *conn, int fd, size_t len)
{
	uint64_t passed[RECOGNISE_WAYS], seen = conn->observed->seen[RECOGNISE_RECEIVED];

	if (!passed_count(fd, passed) || passed[RECOGNISE_RECEIVED] <= seen)
		return 0;
	return passed[RECOGNISE_RECEIVED] - seen < len ? passed[RECOGNISE_RECEIVED] - seen : len;
}

void conn_saw_read(int fd, const void *data, size_t len)
{
	struct conn *conn;
	int saved = errno;

	conn = observed_get(fd);
	if (conn != NULL) {
		size_t more = unread_of(conn, fd, len);
		const uint8_t *end = (const uint8_t *)data + len;
		const struct iovec iov = { (void *)(uintptr_t)(end - more), more };

		if (conn->observed->unseen == CAUSE_NONE)
			conn->observed->unseen = CAUSE_STREAM;
		if (more > 0)
			observe_bytes(conn, RECOGNISE_RECEIVED, &iov, 1, more);
		observed_put(conn);
	}
	errno = saved;
}

void conn_sees_sent(int fd, const struct iovec *iov, size_t count, size_t len, enum cause cause)
{
	struct conn *conn;
	int saved = errno;

	conn = observed_get(fd);
	if (conn != NULL) {
		conn->observed->unseen = cause;
		/* They are not counted yet, and others before them may be. */
		catch_up(conn->observed, fd, RECOGNISE_SENT, 0);
		take_next(conn, RECOGNISE_SENT, iov, count, len);
		observed_put(conn);
	}
	errno = saved;
}
