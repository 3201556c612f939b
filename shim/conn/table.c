/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Descriptor -> connection. One flat array, reserved as address space and made real page by page,
 * so that the look-up that every call pays is one load. Connections are never given back to the
 * allocator: a reader that meets a stale pointer finds an object with no references, or another's,
 * and looks again.
 */
#include "conn/internal.h"

#include "conn/table.h"

#include "guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEEP_ON_EXEC 1U /* the program did not ask for FD_CLOEXEC */
#define HAND_ON 2U      /* ... and has said so: it is for the next program */

_Atomic(struct table_entry *) table_entries;
static _Atomic unsigned high; /* one above the highest number ever entered */
static _Atomic bool any_handed_on;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct conn *pool; /* free ones */

static struct table_entry *table_make(void)
{
	size_t len = sizeof(struct table_entry) * TABLE_LEN;
	struct table_entry *made, *other = NULL;

	made = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (made == MAP_FAILED)
		return NULL;
	if (atomic_compare_exchange_strong(&table_entries, &other, made))
		return made;
	munmap(made, len);
	return other;
}

/* A reference on an object that may be free by now: only if somebody else has one. */
static bool ref_if_alive(struct conn *conn)
{
	uint32_t refs = atomic_load_explicit(&conn->refs, memory_order_relaxed);

	while (refs != 0)
		if (atomic_compare_exchange_weak_explicit(&conn->refs, &refs, refs + 1,
			    memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

static struct conn *get_from(struct table_entry *entry)
{
	for (;;) {
		struct conn *conn = atomic_load_explicit(&entry->conn, memory_order_acquire);

		if (conn == NULL)
			return NULL;
		if (!ref_if_alive(conn))
			continue;
		if (atomic_load_explicit(&entry->conn, memory_order_acquire) == conn)
			return conn;
		conn_unref(conn);
	}
}

struct conn *table_get(int fd)
{
	struct table_entry *entry = table_entry_at(fd);

	return entry != NULL ? get_from(entry) : NULL;
}

struct conn *conn_get(int fd)
{
	struct conn *conn;

	if (table_is_foreign(fd))
		return NULL;
	guard_enter();
	conn = get_from(table_entry_at(fd));
	if (conn == NULL)
		guard_leave();
	return conn;
}

void conn_put(struct conn *conn)
{
	conn_unref(conn);
	guard_leave();
}

struct conn *conn_ref(struct conn *conn)
{
	atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
	return conn;
}

void conn_put_held(struct conn *conn)
{
	if (conn != NULL)
		conn_unref(conn);
	guard_leave();
}

struct conn_mark conn_mark(struct conn *conn)
{
	return (struct conn_mark){ .conn = conn, .life = atomic_load(&conn->life) };
}

struct conn *conn_regain(struct conn_mark mark)
{
	if (!ref_if_alive(mark.conn))
		return NULL;
	if (atomic_load(&mark.conn->life) == mark.life)
		return mark.conn;
	conn_unref(mark.conn);
	return NULL;
}

void conn_unref(struct conn *conn)
{
	if (atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) != 1)
		return;
	conn_recycle(conn);
	atomic_fetch_add(&conn->life, 1);
	guard_lock(&pool_lock);
	conn->next_free = pool;
	pool = conn;
	guard_unlock(&pool_lock);
}

struct conn *conn_new(void)
{
	struct conn *conn;

	guard_lock(&pool_lock);
	conn = pool;
	if (conn != NULL)
		pool = conn->next_free;
	guard_unlock(&pool_lock);
	if (conn == NULL) {
		conn = calloc(1, sizeof(*conn));
		if (conn == NULL)
			return NULL;
		pthread_mutex_init(&conn->lock, NULL);
	}
	conn->fd = -1;
	atomic_store_explicit(&conn->refs, 1, memory_order_release);
	return conn;
}

static void raise_high(unsigned to)
{
	unsigned now = atomic_load(&high);

	while (now < to && !atomic_compare_exchange_weak(&high, &now, to))
		continue;
}

int table_set(int fd, struct conn *conn, bool close_on_exec)
{
	struct table_entry *entry;
	struct conn *stale;

	if (atomic_load(&table_entries) == NULL && table_make() == NULL)
		return -ENOMEM;
	entry = table_entry_at(fd);
	if (entry == NULL)
		return -EMFILE;
	stale = table_take(fd);
	if (stale != NULL)
		conn_abandon(stale);
	atomic_store(&entry->flags, close_on_exec ? 0 : KEEP_ON_EXEC);
	atomic_fetch_add(&conn->descriptors, 1);
	atomic_store(&conn->fd, fd);
	raise_high((unsigned)fd + 1);
	atomic_store_explicit(&entry->conn, conn, memory_order_release);
	return 0;
}

struct conn *table_take(int fd)
{
	struct table_entry *entry = table_entry_at(fd);
	struct conn *conn = entry != NULL ? atomic_exchange(&entry->conn, NULL) : NULL;

	if (conn != NULL)
		atomic_fetch_sub(&conn->descriptors, 1);
	return conn;
}

bool table_has(int fd, const struct conn *conn)
{
	struct table_entry *entry = table_entry_at(fd);

	return entry != NULL && atomic_load_explicit(&entry->conn, memory_order_relaxed) == conn;
}

unsigned table_high(void)
{
	return atomic_load_explicit(&high, memory_order_relaxed);
}

struct conn *table_next(int *fd)
{
	for (; (unsigned)*fd < table_high(); ++*fd) {
		struct conn *conn = table_get(*fd);

		if (conn != NULL)
			return conn;
	}
	return NULL;
}

bool conn_any(void)
{
	struct conn *conn;
	int fd = 0;

	guard_enter();
	conn = table_next(&fd);
	if (conn != NULL)
		conn_unref(conn);
	guard_leave();
	return conn != NULL;
}

bool table_kept_on_exec(int fd)
{
	struct table_entry *entry = table_entry_at(fd);

	return entry != NULL && (atomic_load(&entry->flags) & KEEP_ON_EXEC) != 0;
}

void table_keep_on_exec(int fd, bool keep)
{
	struct table_entry *entry = table_entry_at(fd);

	if (entry != NULL)
		atomic_store(&entry->flags, keep ? KEEP_ON_EXEC | HAND_ON : 0);
	if (entry != NULL && keep)
		atomic_store(&any_handed_on, true);
}

bool table_any_handed_on(void)
{
	return atomic_load_explicit(&any_handed_on, memory_order_relaxed);
}

bool table_handed_on(int fd)
{
	struct table_entry *entry = table_entry_at(fd);

	return entry != NULL && (atomic_load(&entry->flags) & HAND_ON) != 0;
}

void table_reduce(int fd)
{
	struct table_entry *entry;

	for (unsigned other = 0; other < table_high(); other++) {
		entry = table_entry_at((int)other);
		if ((int)other != fd)
			atomic_store(&entry->conn, NULL);
	}
}

void table_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&pool_lock);
	else
		guard_unlock(&pool_lock);
}
