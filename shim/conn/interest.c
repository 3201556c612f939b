/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entries of epoll sets. While a connection is on its way, "writable" must not be reported and
 * "readable" means the handshake: so the kernel's entry gets the events that the handshake needs,
 * and a tag of ours for its data. When the connection is open the program's own entry is put back,
 * and from then on the kernel alone answers, unless what makes it readable has to be looked at:
 * then the tag stays, with the program's events. A tag is a mark, a place and a generation, so that
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
	bool told;                 /* EPOLLONESHOT: the program has its event */
	bool orphan; /* its number is closed, its file is not: the kernel goes on with it */
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
		if (at->epfd == epfd && at->fd == fd && !at->orphan)
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

/* What the kernel is to watch now: what the handshake needs, or what the program wants.
 * EPOLLEXCLUSIVE is for listeners; an entry with it could not be changed any more. */
static uint32_t events_now(const struct interest *interest)
{
	if (conn_is_on_its_way(interest->conn))
		return from_poll(conn_establish_events(interest->conn));
	/* What can be read is not in the kernel, and there is room to write: that is the sign. */
	if (conn_has_answer(interest->conn) && (interest->wanted.events & EPOLLIN) != 0)
		return (interest->wanted.events & ~(uint32_t)EPOLLEXCLUSIVE) | EPOLLOUT;
	if (conn_waits_for_greeting(interest->conn))
		return interest->wanted.events &
		       ~(uint32_t)(EPOLLEXCLUSIVE | EPOLLIN | EPOLLRDNORM);
	return interest->wanted.events & ~(uint32_t)EPOLLEXCLUSIVE;
}

/* Whether the tag stays on an open connection. */
static bool is_kept(const struct conn *conn)
{
	return conn_settles(conn) || conn_may_ask(conn);
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

/* The program's entry with our tag. */
static int ctl_tagged(struct interest *interest, int op, const struct epoll_event *event)
{
	const struct epoll_event before = interest->wanted;
	int r;

	interest->wanted = *event;
	interest->told = false;
	r = make_mark() ? put_tag(interest, op) : -ENOMEM;
	if (r < 0)
		interest->wanted = before;
	return r;
}

/* The program's entry as it is. */
static int ctl_plain(struct interest *interest, int op, const struct epoll_event *event)
{
	int r = sys_epoll_ctl(interest->epfd, op, interest->fd, event != NULL ? event->events : 0,
		event != NULL ? event->data.u64 : 0);

	if (r == 0 && op != EPOLL_CTL_DEL) {
		interest->wanted = *event;
		interest->tagged = interest->told = false;
	}
	return r;
}

/* There may be, or be once more, a handshake for which the entry will have to be ours. */
static bool is_to_be_known(const struct conn *conn)
{
	return conn_state(conn) == CONN_NEW ||
	       (conn_is_controlled(conn) && conn_state(conn) != CONN_FAILED);
}

static int ctl_locked(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event)
{
	struct interest *interest = find(conn, epfd, fd);
	/* An entry that was there before we were, or that another process made: modified or
	 * deleted, it becomes known. */
	bool known = interest != NULL;
	bool tagged =
		conn_is_on_its_way(conn) || conn_state(conn) == CONN_DEFERRED || is_kept(conn);
	int r;

	if (event == NULL && op != EPOLL_CTL_DEL)
		return -EFAULT;
	if (!known)
		interest = make(conn, epfd, fd);
	if (interest == NULL)
		return -ENOMEM;
	if (tagged && op != EPOLL_CTL_DEL)
		r = ctl_tagged(interest, op, event);
	else
		r = ctl_plain(interest, op, event);
	if (r < 0 ? !known : op == EPOLL_CTL_DEL || (!tagged && !is_to_be_known(conn)))
		drop(conn, interest);
	return r;
}

int interest_ctl(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event)
{
	int r;

	guard_lock(&lock);
	r = ctl_locked(conn, epfd, op, fd, event);
	guard_unlock(&lock);
	return r;
}

void interest_begin(struct conn *conn)
{
	guard_lock(&lock);
	for (struct interest *at = conn->interests; at != NULL && make_mark(); at = at->next)
		if (!at->orphan)
			put_tag(at, EPOLL_CTL_MOD);
	guard_unlock(&lock);
}

void interest_sync(struct conn *conn)
{
	guard_lock(&lock);
	for (struct interest *at = conn->interests; at != NULL; at = at->next)
		if (at->kernel_events != events_now(at) && !at->orphan)
			put_tag(at, EPOLL_CTL_MOD);
	guard_unlock(&lock);
}

/* The kernel's entry becomes the program's again. One that has fired is not to fire once more. */
static void give_back(struct interest *interest)
{
	if (interest->tagged && !interest->told && !interest->orphan)
		sys_epoll_ctl(interest->epfd, EPOLL_CTL_MOD, interest->fd,
			interest->wanted.events & ~(uint32_t)EPOLLEXCLUSIVE,
			interest->wanted.data.u64);
	interest->tagged = false;
	interest->kernel_events = 0;
}

static void restore(struct interest *interest)
{
	struct conn *conn = interest->conn;

	give_back(interest);
	if (!is_to_be_known(conn))
		drop(conn, interest);
}

void interest_end(struct conn *conn)
{
	guard_lock(&lock);
	while (conn->interests != NULL) {
		give_back(conn->interests);
		drop(conn, conn->interests);
	}
	guard_unlock(&lock);
}

void interest_opened(struct conn *conn)
{
	struct interest *at, *next;

	guard_lock(&lock);
	for (at = conn->interests; at != NULL; at = next) {
		next = at->next;
		if (at->orphan)
			continue;
		if (!is_kept(conn) && !at->told)
			restore(at);
		else if (!at->told)
			put_tag(at, EPOLL_CTL_MOD);
	}
	guard_unlock(&lock);
}

void interest_forget(struct conn *conn, int fd)
{
	struct interest *at, *next;

	guard_lock(&lock);
	for (at = conn->interests; at != NULL; at = next) {
		next = at->next;
		if (at->fd != fd || at->orphan)
			continue;
		if (atomic_load(&conn->descriptors) == 0) {
			drop(conn, at);
			continue;
		}
		/* epoll(7), question 6: the set keeps it as long as a copy is open. */
		if (at->tagged && !at->told)
			sys_epoll_ctl(at->epfd, EPOLL_CTL_MOD, fd,
				at->wanted.events & ~(uint32_t)EPOLLEXCLUSIVE, at->tag);
		at->orphan = true;
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

/* Under the lock. NULL: the entry has changed since. */
static struct interest *resolve(uint64_t tag)
{
	uint32_t place = (uint32_t)(tag & MASK(PLACE_BITS));
	struct interest *interest = place < place_count ? places[place] : NULL;

	return interest != NULL && interest->tagged && interest->tag == tag ? interest : NULL;
}

/* What the kernel calls readable may be no data: then that is not for the program. */
static uint32_t settled(struct conn *conn, uint32_t events)
{
	if ((events & EPOLLIN) == 0 || (events & (EPOLLERR | EPOLLHUP)) != 0 ||
		!conn_settles(conn) || conn_settle(conn, atomic_load(&conn->fd)) != 0)
		return events;
	return events & ~(uint32_t)(EPOLLIN | EPOLLRDNORM);
}

/* What became of an event: told to the program, or the entry is to wait on. */
static void after_event(uint64_t tag, bool visible)
{
	struct interest *interest;

	guard_lock(&lock);
	interest = resolve(tag);
	if (interest == NULL || interest->orphan) {
		guard_unlock(&lock);
		return;
	}
	if ((interest->wanted.events & EPOLLONESHOT) != 0) {
		interest->told = visible;
		if (!visible)
			put_tag(interest, EPOLL_CTL_MOD);
	} else if ((interest->wanted.events & EPOLLET) == 0 &&
		   conn_state(interest->conn) == CONN_OPEN && !is_kept(interest->conn)) {
		restore(interest);
	}
	guard_unlock(&lock);
}

/* Whether the event is the program's after all, its own data put in. */
static bool take_guarded(struct epoll_event *event)
{
	const uint64_t tag = event->data.u64;
	struct epoll_event wanted;
	struct interest *interest;
	struct conn *conn = NULL;

	guard_lock(&lock);
	interest = resolve(tag);
	if (interest != NULL) {
		conn = conn_ref(interest->conn);
		wanted = interest->wanted;
	}
	guard_unlock(&lock);
	if (conn == NULL)
		return false;
	if (conn_is_on_its_way(conn)) {
		conn_establish(conn, atomic_load(&conn->fd));
		conn_unref(conn);
		return false;
	}
	event->data = wanted.data;
	if (conn_has_answer(conn))
		event->events |= EPOLLIN;
	event->events =
		settled(conn, event->events & (wanted.events | (uint32_t)EPOLLERR | EPOLLHUP));
	if (conn_state(conn) == CONN_DEFERRED && (event->events & EPOLLOUT) != 0)
		conn->out_told = true;
	after_event(tag, event->events != 0);
	conn_unref(conn);
	return event->events != 0;
}

static bool take_event(struct epoll_event *event)
{
	bool visible;

	guard_enter();
	visible = take_guarded(event);
	guard_leave();
	return visible;
}

bool interest_any_set(void)
{
	return atomic_load_explicit(&mark, memory_order_relaxed) != 0;
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
