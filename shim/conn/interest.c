/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entries of epoll sets. While a connection is on its way, "writable" must not be reported and
 * "readable" means the handshake: so the kernel's entry gets the events that the handshake needs,
 * and a tag of ours for its data. When the connection is open the program's own entry is put back,
 * and from then on the kernel alone answers. A tag is a mark, a place and a generation, so that
 * events which were on their way when an entry changed are recognised and dropped.
 */
#include "conn/internal.h"

#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACE_BITS 24
#define GENERATION_BITS 24
#define MASK(bits) ((UINT64_C(1) << (bits)) - 1)

struct interest {
	struct interest *next; /* of the same connection */
	struct conn *conn;
	int epfd, fd;
	uint32_t place;
	uint64_t tag;
	struct epoll_event wanted; /* what the program registered */
	bool tagged;               /* whether the kernel has our tag */
	uint32_t kernel_events;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct interest **places; /* by place; NULL: free */
static uint32_t place_count;
static uint32_t place_hint;
static uint64_t generation;
static _Atomic uint64_t mark; /* upper 16 bits; 0: no tag was ever made. Never what a user-space
				 pointer has there */

static bool make_mark(void)
{
	uint64_t none = 0, made = 0;

	if (atomic_load(&mark) != 0)
		return true;
	if (getrandom(&made, sizeof(made), 0) != sizeof(made))
		return false;
	made = (made | UINT64_C(1) << 62) & ~(UINT64_C(1) << 63) &
	       ~MASK(PLACE_BITS + GENERATION_BITS);
	atomic_compare_exchange_strong(&mark, &none, made);
	return true;
}

static bool take_place(struct interest *interest)
{
	for (uint32_t i = 0; i < place_count; i++) {
		uint32_t at = (place_hint + i) % place_count;

		if (places[at] != NULL)
			continue;
		places[at] = interest;
		interest->place = at;
		place_hint = at + 1;
		return true;
	}
	return false;
}

static bool more_places(void)
{
	uint32_t more = place_count != 0 ? place_count * 2 : 64;
	struct interest **grown =
		more <= MASK(PLACE_BITS) ? realloc(places, more * sizeof(*places)) : NULL;

	if (grown == NULL)
		return false;
	memset(grown + place_count, 0, (more - place_count) * sizeof(*places));
	places = grown;
	place_hint = place_count;
	place_count = more;
	return true;
}

static struct interest *find(const struct conn *conn, int epfd, int fd)
{
	for (struct interest *at = conn->interests; at != NULL; at = at->next)
		if (at->epfd == epfd && at->fd == fd)
			return at;
	return NULL;
}

static struct interest *make(struct conn *conn, int epfd, int fd)
{
	struct interest *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return NULL;
	made->conn = conn;
	made->epfd = epfd;
	made->fd = fd;
	if (!take_place(made) && (!more_places() || !take_place(made))) {
		free(made);
		return NULL;
	}
	made->next = conn->interests;
	conn->interests = made;
	return made;
}

static void drop(struct conn *conn, struct interest *interest)
{
	struct interest **at = &conn->interests;

	while (*at != interest)
		at = &(*at)->next;
	*at = interest->next;
	places[interest->place] = NULL;
	free(interest);
}

static uint32_t from_poll(short events)
{
	return ((events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
	       ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);
}

/* What the kernel is to watch for us now. Deferred: what the program wants, since its readiness is
 * TCP's. */
static uint32_t events_now(const struct interest *interest)
{
	if (conn_state(interest->conn) == CONN_DEFERRED)
		return interest->wanted.events;
	return from_poll(conn_establish_events(interest->conn));
}

static bool on_its_way(const struct conn *conn)
{
	enum conn_state state = conn_state(conn);

	return state == CONN_CONNECTING || state == CONN_DEFERRED || state == CONN_ESTABLISHING;
}

static void new_tag(struct interest *interest)
{
	generation = (generation + 1) & MASK(GENERATION_BITS);
	interest->tag = atomic_load(&mark) | generation << PLACE_BITS | interest->place;
	interest->tagged = true;
}

static int put_tag(struct interest *interest, int op)
{
	if (!interest->tagged)
		new_tag(interest);
	interest->kernel_events = events_now(interest);
	return sys_epoll_ctl(
		interest->epfd, op, interest->fd, interest->kernel_events, interest->tag);
}

static int ctl_on_its_way(
	struct conn *conn, struct interest *interest, int op, const struct epoll_event *event)
{
	int r;

	if (op == EPOLL_CTL_DEL) {
		r = sys_epoll_ctl(interest->epfd, op, interest->fd, 0, 0);
		drop(conn, interest);
		return r;
	}
	interest->wanted = *event;
	r = make_mark() ? put_tag(interest, op) : -ENOMEM;
	if (r < 0 && op == EPOLL_CTL_ADD)
		drop(conn, interest);
	return r;
}

/* Nothing is decided yet: the kernel's entry is the program's, and we remember it. */
static int ctl_new(
	struct conn *conn, struct interest *interest, int op, const struct epoll_event *event)
{
	int r = sys_epoll_ctl(interest->epfd, op, interest->fd, event != NULL ? event->events : 0,
		event != NULL ? event->data.u64 : 0);

	if (r < 0 ? op == EPOLL_CTL_ADD : op == EPOLL_CTL_DEL)
		drop(conn, interest);
	else if (r == 0)
		interest->wanted = *event;
	return r;
}

int interest_ctl(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event)
{
	struct interest *interest;
	int r;

	guard_lock(&lock);
	interest = find(conn, epfd, fd);
	/* An entry that was there before we were, or that another process made: modified or
	 * deleted, it becomes known. */
	if (interest == NULL)
		interest = make(conn, epfd, fd);
	if (interest == NULL)
		r = -ENOMEM;
	else if (event == NULL && op != EPOLL_CTL_DEL)
		r = -EFAULT;
	else if (conn_state(conn) == CONN_NEW)
		r = ctl_new(conn, interest, op, event);
	else
		r = ctl_on_its_way(conn, interest, op, event);
	guard_unlock(&lock);
	return r;
}

void interest_begin(struct conn *conn)
{
	guard_lock(&lock);
	for (struct interest *at = conn->interests; at != NULL && make_mark(); at = at->next)
		put_tag(at, EPOLL_CTL_MOD);
	guard_unlock(&lock);
}

void interest_sync(struct conn *conn)
{
	guard_lock(&lock);
	for (struct interest *at = conn->interests; at != NULL; at = at->next)
		if (at->kernel_events != events_now(at))
			put_tag(at, EPOLL_CTL_MOD);
	guard_unlock(&lock);
}

void interest_end(struct conn *conn)
{
	guard_lock(&lock);
	while (conn->interests != NULL) {
		struct interest *at = conn->interests;

		if (at->tagged)
			sys_epoll_ctl(at->epfd, EPOLL_CTL_MOD, at->fd, at->wanted.events,
				at->wanted.data.u64);
		drop(conn, at);
	}
	guard_unlock(&lock);
}

void interest_forget(struct conn *conn, int fd)
{
	struct interest *at, *next;

	guard_lock(&lock);
	for (at = conn->interests; at != NULL; at = next) {
		next = at->next;
		if (at->fd == fd)
			drop(conn, at);
	}
	guard_unlock(&lock);
}

bool interest_any(const struct conn *conn)
{
	return conn->interests != NULL;
}

bool interest_waits_for_peer(struct conn *conn, int epfd)
{
	bool waits = false;

	guard_lock(&lock);
	for (struct interest *at = conn->interests; at != NULL; at = at->next)
		if (at->epfd == epfd && (at->wanted.events & EPOLLIN) != 0 &&
			(conn->out_told || (at->wanted.events & EPOLLOUT) == 0))
			waits = true;
	guard_unlock(&lock);
	return waits;
}

/* The connection of a tag, with a reference; NULL if the entry has changed since. */
static struct conn *resolve(uint64_t tag, struct epoll_event *wanted, int *fd)
{
	uint32_t place = (uint32_t)(tag & MASK(PLACE_BITS));
	struct conn *conn = NULL;

	guard_lock(&lock);
	if (place < place_count && places[place] != NULL && places[place]->tagged &&
		places[place]->tag == tag) {
		conn = conn_ref(places[place]->conn);
		*wanted = places[place]->wanted;
		*fd = places[place]->fd;
	}
	guard_unlock(&lock);
	return conn;
}

/* Whether the event is the program's after all, its own data put in. */
static bool take_event(struct epoll_event *event)
{
	struct epoll_event wanted;
	struct conn *conn;
	bool visible = false;
	int fd;

	conn = resolve(event->data.u64, &wanted, &fd);
	if (conn == NULL)
		return false;
	if (conn_state(conn) == CONN_DEFERRED) {
		event->data = wanted.data;
		visible = true;
		if ((event->events & EPOLLOUT) != 0)
			conn->out_told = true;
	} else if (on_its_way(conn)) {
		conn_establish(conn, fd);
	}
	conn_unref(conn);
	return visible;
}

int interest_filter(struct epoll_event *events, int count, bool *stepped)
{
	uint64_t ours = atomic_load_explicit(&mark, memory_order_relaxed);
	int left = 0;

	*stepped = false;
	if (ours == 0)
		return count;
	for (int i = 0; i < count; i++) {
		if ((events[i].data.u64 & ~MASK(PLACE_BITS + GENERATION_BITS)) == ours) {
			*stepped = true;
			if (!take_event(&events[i]))
				continue;
		}
		events[left++] = events[i];
	}
	return left;
}

void interest_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&lock);
	else
		guard_unlock(&lock);
}
