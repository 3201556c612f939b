/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The list of connections that are on their way, and the waits that drive them. While the list is
 * empty, and only then, the poll family is libc's. A wait never lets one peer hold up another:
 * everything that can be stepped is, and nothing is waited for but by the thread whose call it is.
 */
#include "conn/batch.h"

#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>

/*
 * A handshake that another thread or process finishes wakes nobody who polls for it: so waits look
 * again, at first soon, then ever more seldom.
 */
#define LOOK_MOST_US 256000
/* A thread that waits for a connection drives it, and others need not. It says so for this long at
 * a time, for it may never come back from its wait. */
#define CLAIM_US 500000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct conn *list;
static _Atomic unsigned active;

void driver_add(struct conn *conn)
{
	guard_lock(&lock);
	if (!atomic_load(&conn->driven)) {
		atomic_store(&conn->driven, true);
		conn->driver_next = list;
		list = conn_ref(conn);
		atomic_fetch_add(&active, 1);
	}
	guard_unlock(&lock);
}

/* Takes *at out of the list, under the lock; the list's reference is the caller's then. */
static struct conn *unlink_at(struct conn **at)
{
	struct conn *conn = *at;

	*at = conn->driver_next;
	atomic_store(&conn->driven, false);
	atomic_fetch_sub(&active, 1);
	return conn;
}

void driver_remove(struct conn *conn)
{
	struct conn **at, *gone = NULL;

	if (!atomic_load(&conn->driven))
		return;
	guard_lock(&lock);
	for (at = &list; *at != NULL && *at != conn; at = &(*at)->driver_next)
		continue;
	if (*at != NULL)
		gone = unlink_at(at);
	guard_unlock(&lock);
	if (gone != NULL)
		conn_unref(gone);
}

bool driver_active(void)
{
	return atomic_load_explicit(&active, memory_order_relaxed) != 0;
}

void batch_init(struct batch *batch)
{
	batch->fds = batch->few_fds;
	batch->conns = batch->few_conns;
	batch->count = 0;
	batch->room = BATCH_ON_STACK;
	batch->deadline_us = BATCH_FOR_EVER;
	batch->shared = false;
}

void batch_look_again(struct batch *batch, uint64_t *look_us)
{
	uint64_t until = sys_monotonic_us() + *look_us;

	if (!batch->shared)
		return;
	if (until < batch->deadline_us)
		batch->deadline_us = until;
	if (*look_us < LOOK_MOST_US)
		*look_us *= 2;
}

void batch_clear(struct batch *batch)
{
	if (batch->fds != batch->few_fds) {
		free(batch->fds);
		free(batch->conns);
	}
}

bool batch_grow(struct batch *batch, size_t room)
{
	struct pollfd *fds;
	struct conn_mark *conns;

	if (room <= batch->room)
		return true;
	fds = calloc(room, sizeof(*fds));
	conns = calloc(room, sizeof(*conns));
	if (fds == NULL || conns == NULL) {
		free(fds);
		free(conns);
		return false;
	}
	memcpy(fds, batch->fds, batch->count * sizeof(*fds));
	memcpy(conns, batch->conns, batch->count * sizeof(*conns));
	if (batch->fds != batch->few_fds) {
		free(batch->fds);
		free(batch->conns);
	}
	batch->fds = fds;
	batch->conns = conns;
	batch->room = room;
	return true;
}

bool batch_add(struct batch *batch, int fd, short events, struct conn *conn)
{
	if (batch->count == batch->room && !batch_grow(batch, batch->room * 2))
		return false;
	batch->fds[batch->count] = (struct pollfd){ .fd = fd, .events = events };
	batch->conns[batch->count++] = conn != NULL ? conn_mark(conn) : (struct conn_mark){ NULL };
	return true;
}

/* What a connection of the list waits for in the kernel: its handshake, or room for parked bytes.
 */
static short events_of(struct conn *conn)
{
	if (conn_state(conn) == CONN_OPEN)
		return share_is_parked(conn->share) ? POLLOUT : 0;
	return conn_establish_events(conn);
}

static bool has_deadline(const struct conn *conn)
{
	return conn_state(conn) == CONN_ESTABLISHING && conn->deadline_us != 0;
}

static uint64_t deadline_of(const struct conn *conn)
{
	return has_deadline(conn) ? conn_deadline_us(conn) : BATCH_FOR_EVER;
}

static void batch_wake_at(struct batch *batch, uint64_t time_us)
{
	if (time_us < batch->deadline_us)
		batch->deadline_us = time_us;
}

/* At the end of its way, and nothing left to see to. Another process may have brought it there. */
static bool is_done(const struct conn *conn)
{
	switch (conn_state(conn)) {
	case CONN_OPEN:
		return !share_is_parked(conn->share) && !conn->lingering && !conn_has_answer(conn);
	case CONN_FAILED:
	case CONN_PASSED:
	case CONN_WAITING:
		return !conn->lingering;
	default:
		return false;
	}
}

static void drop_done(void)
{
	struct conn **at = &list;

	while (*at != NULL) {
		struct conn *done;

		if (!is_done(*at)) {
			at = &(*at)->driver_next;
			continue;
		}
		done = unlink_at(at);
		if (conn_state(done) == CONN_OPEN || conn_state(done) == CONN_WAITING)
			interest_opened(done);
		else
			interest_end(done);
		conn_unref(done);
	}
}

void batch_add_list(struct batch *batch, bool set)
{
	uint64_t now = sys_monotonic_us();

	guard_lock(&lock);
	drop_done();
	for (struct conn *conn = list; conn != NULL; conn = conn->driver_next) {
		short events;

		/* Its end is its watcher's affair too. With as many watchers as connections, to
		 * wake for each of the others' would be all that they do. */
		if (atomic_load(&conn->claimed_until_us) > now) {
			batch_wake_at(batch, now + CLAIM_US);
			continue;
		}
		batch->shared |= conn_is_foreign(conn);
		batch_wake_at(batch, deadline_of(conn));
		events = events_of(conn);
		if (events == 0 || (set && conn_is_on_its_way(conn) && interest_any(conn)))
			continue;
		batch_add(batch, atomic_load(&conn->fd), events, conn);
	}
	guard_unlock(&lock);
}

/* Its descriptor stays the connection's while its lock is held: who closes waits for that. */
static int step_locked(struct conn *conn)
{
	int fd = atomic_load(&conn->fd), r = 0;

	if (fd < 0)
		return -EBADF;
	if (conn_state(conn) != CONN_OPEN)
		r = conn_establish_locked(conn, fd);
	return r == 0 && conn_state(conn) == CONN_OPEN ? conn_flush(conn, fd) : r;
}

static void step(struct conn *conn)
{
	bool open = conn_state(conn) == CONN_OPEN;
	int r;

	if (!guard_try_lock(&conn->lock))
		return; /* another thread is at it */
	r = step_locked(conn);
	guard_unlock(&conn->lock);
	if (r == -EAGAIN || r == -EBADF)
		return;
	if (conn->lingering)
		conn_linger_end(conn);
	else if (open && r < 0)
		/* The kernel says it once; it is for the program's own next call. */
		atomic_store(&conn->share->send_error, -r);
}

/* Handshakes whose time is over fail by being stepped. */
static void step_overdue(uint64_t now)
{
	struct conn *overdue[BATCH_ON_STACK];
	size_t count = 0;

	guard_lock(&lock);
	for (struct conn *conn = list; conn != NULL && count < BATCH_ON_STACK;
		conn = conn->driver_next)
		/* The first is cheap, and the least that the second can be. */
		if (has_deadline(conn) && conn->deadline_us <= now && conn_deadline_us(conn) <= now)
			overdue[count++] = conn_ref(conn);
	guard_unlock(&lock);
	for (size_t i = 0; i < count; i++) {
		step(overdue[i]);
		conn_unref(overdue[i]);
	}
}

struct conn *batch_regain(const struct batch *batch, size_t at)
{
	return batch->conns[at].conn != NULL ? conn_regain(batch->conns[at]) : NULL;
}

bool batch_step(struct batch *batch, size_t from)
{
	bool stepped = false;

	for (size_t i = from; i < batch->count; i++) {
		struct conn *conn = batch->fds[i].revents != 0 ? batch_regain(batch, i) : NULL;

		if (conn == NULL)
			continue;
		step(conn);
		conn_unref(conn);
		stepped = true;
	}
	if (batch->deadline_us <= sys_monotonic_us()) {
		step_overdue(sys_monotonic_us());
		stepped = true;
	}
	return stepped;
}

const struct timespec *batch_time_left(
	const struct batch *batch, uint64_t until_us, struct timespec *out)
{
	uint64_t until = until_us < batch->deadline_us ? until_us : batch->deadline_us,
		 now = sys_monotonic_us(), left;

	if (until == BATCH_FOR_EVER)
		return NULL;
	left = until > now ? until - now : 0;
	out->tv_sec = (time_t)(left / 1000000);
	out->tv_nsec = (long)(left % 1000000) * 1000;
	return out;
}

/* Until this call is over, others need not watch the connection. */
static void claim(struct conn *conn, struct batch *batch)
{
	uint64_t until = sys_monotonic_us() + CLAIM_US;

	atomic_store(&conn->claimed_until_us, until);
	batch_wake_at(batch, until);
	batch_wake_at(batch, deadline_of(conn));
}

int driver_wait(struct conn **held, int fd, short events, uint64_t deadline_us, uint64_t *look_us)
{
	struct conn *conn = *held;
	struct conn_mark mark = conn_mark(conn);
	struct timespec left;
	struct batch batch;
	int r;

	if (deadline_us == 0)
		deadline_us = BATCH_FOR_EVER;
	if (conn_state(conn) == CONN_OPEN)
		events = (short)(events | events_of(conn));
	batch_init(&batch);
	batch_add(&batch, events != 0 ? fd : -1, events, NULL);
	claim(conn, &batch);
	batch_add_list(&batch, false);
	if (look_us != NULL) {
		batch.shared |= !__libc_single_threaded;
		batch_look_again(&batch, look_us);
	}
	conn_unref(conn);
	r = interruptible_poll(&batch, batch_time_left(&batch, deadline_us, &left));
	*held = conn = conn_regain(mark);
	if (conn != NULL)
		atomic_store(&conn->claimed_until_us, 0);
	if (r >= 0) {
		batch_step(&batch, 1);
		if (conn != NULL && conn_state(conn) == CONN_OPEN &&
			(batch.fds[0].revents & POLLOUT) != 0)
			step(conn);
	}
	batch_clear(&batch);
	if (r < 0 && r != -ERESTART)
		return r;
	if (conn == NULL || !table_has(fd, conn))
		return -ESTALE;
	if (r < 0)
		return r;
	return sys_monotonic_us() >= deadline_us ? -EAGAIN : 0;
}

int conn_wait_beside(int fd, short events)
{
	struct timespec left;
	struct batch batch;
	int r;

	guard_enter();
	batch_init(&batch);
	batch_add(&batch, fd, events, NULL);
	batch_add_list(&batch, false);
	r = interruptible_poll(&batch, batch_time_left(&batch, BATCH_FOR_EVER, &left));
	if (r >= 0)
		batch_step(&batch, 1);
	batch_clear(&batch);
	guard_leave();
	return r < 0 && r != -ERESTART ? r : 0;
}

/* The program waits to hear from a peer that is silent until we speak: the protocol is not its own
 * TLS. */
void driver_start_if_deferred(struct conn *conn, short events)
{
	if (conn_state(conn) != CONN_DEFERRED || conn_is_greeted(conn) || (events & POLLIN) == 0)
		return;
	if (!conn->out_told && (events & POLLOUT) != 0)
		return;
	if (!guard_try_lock(&conn->lock))
		return;
	if (conn_state(conn) == CONN_DEFERRED)
		conn_start(conn);
	guard_unlock(&conn->lock);
}

void driver_start_deferred(int epfd)
{
	struct conn *waiting[BATCH_ON_STACK];
	size_t count = 0;

	guard_lock(&lock);
	for (struct conn *conn = list; conn != NULL && count < BATCH_ON_STACK;
		conn = conn->driver_next)
		if (conn_state(conn) == CONN_DEFERRED && interest_waits_for_peer(conn, epfd))
			waiting[count++] = conn_ref(conn);
	guard_unlock(&lock);
	for (size_t i = 0; i < count; i++) {
		driver_start_if_deferred(waiting[i], POLLIN);
		conn_unref(waiting[i]);
	}
}

void driver_finish(uint64_t deadline_us)
{
	while (driver_active() && sys_monotonic_us() < deadline_us) {
		struct timespec left;
		struct batch batch;
		int r = -EAGAIN;

		batch_init(&batch);
		batch_add_list(&batch, false);
		for (size_t i = 0; i < batch.count; i++)
			if (conn_state(batch.conns[i].conn) != CONN_OPEN)
				batch.fds[i].fd = -1;
			else
				r = 0;
		if (r == 0)
			r = batch_poll(&batch, batch_time_left(&batch, deadline_us, &left), NULL);
		if (r > 0)
			batch_step(&batch, 0);
		batch_clear(&batch);
		if (r <= 0)
			return;
	}
}

/* What the parent has closed and still sends from is not the child's. */
void driver_in_child(void)
{
	struct conn *conn, *next;

	for (conn = list; conn != NULL; conn = next) {
		next = conn->driver_next;
		if (!conn->lingering)
			continue;
		sys_close(atomic_exchange(&conn->fd, -1));
		conn->share = NULL;
		conn->lingering = false;
		driver_remove(conn);
	}
}

void driver_in_relay(void)
{
	list = NULL;
	atomic_store(&active, 0);
}

void driver_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&lock);
	else
		guard_unlock(&lock);
}
