/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One reservation of address space holds all slots and buffers; pages become real when they are
 * first used. Free ones are kept in two lists under one robust lock. A slot knows which processes
 * hold it, so that those of a killed process can be found again when the lists run dry.
 */
#include "conn/share.h"

#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_LEN 1024
#define SLOTS_MOST 65536
#define SLOTS_LEAST 64
#define HOLDER_FORKING (-1) /* a child that has not said its pid yet */
#define HOLDER_LEFT                                                                                \
	(1 << 30) /* with a pid: has closed its descriptors, but calls may still run               \
		   */

_Static_assert(sizeof(struct share) <= SLOT_LEN, "a slot holds a share");

struct arena {
	pthread_mutex_t lock;
	uint32_t slots, buffers;           /* how many there are */
	uint32_t slots_used, buffers_used; /* never handed out beyond these */
	uint32_t free_slot, free_buffer; /* heads of the lists; index 0 is no slot and no buffer */
};

static struct arena *arena; /* NULL until the first connection */
static pthread_mutex_t arena_making = PTHREAD_MUTEX_INITIALIZER;

static struct share *slot_at(uint32_t index)
{
	return (struct share *)((uint8_t *)arena + (size_t)index * SLOT_LEN);
}

static uint8_t *buffer_at(uint32_t index)
{
	return (uint8_t *)arena + (size_t)arena->slots * SLOT_LEN +
	       (size_t)(index - 1) * SHARE_BUFFER_LEN;
}

static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

int share_lock(pthread_mutex_t *lock)
{
	int r;

	guard_enter();
	r = pthread_mutex_lock(lock);
	if (r == EOWNERDEAD)
		pthread_mutex_consistent(lock);
	else if (r != 0)
		guard_leave();
	return -r;
}

void share_unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
	guard_leave();
}

/* Slot 0's place is the arena's own head. Fewer slots when the address space is limited (RLIMIT_AS,
 * strict overcommit). */
static struct arena *arena_map(void)
{
	for (uint32_t slots = SLOTS_MOST; slots >= SLOTS_LEAST; slots /= 4) {
		size_t len = (size_t)slots * (SLOT_LEN + SHARE_BUFFER_LEN);
		struct arena *made = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (made == MAP_FAILED)
			continue;
		/* Keys have no place in a core dump. */
		madvise(made, len, MADV_DONTDUMP);
		lock_init(&made->lock);
		made->slots = made->buffers = slots;
		made->slots_used = 1;
		made->buffers_used = 1;
		return made;
	}
	return NULL;
}

static bool arena_ready(void)
{
	bool ready;

	guard_lock(&arena_making);
	if (arena == NULL)
		arena = arena_map();
	ready = arena != NULL;
	guard_unlock(&arena_making);
	return ready;
}

/* A process that was killed between two steps of a list operation leaks one element at most:
 * nothing to repair. */
static bool arena_lock(void)
{
	int r = share_lock(&arena->lock);

	return r == 0 || r == -EOWNERDEAD;
}

static bool holder_is_gone(pid_t pid)
{
	return pid > 0 && kill(pid & ~HOLDER_LEFT, 0) != 0 && errno == ESRCH;
}

/* Drops the holders that died without saying so. */
static void forget_dead_holders(struct share *share)
{
	int saved = errno;

	for (int i = 0; i < SHARE_HOLDERS; i++) {
		pid_t pid = atomic_load(&share->holder[i]);

		if (holder_is_gone(pid))
			atomic_compare_exchange_strong(&share->holder[i], &pid, 0);
	}
	errno = saved;
}

static bool is_held(const struct share *share)
{
	for (int i = 0; i < SHARE_HOLDERS; i++)
		if (atomic_load(&share->holder[i]) != 0)
			return true;
	return atomic_load(&share->more_holders) != 0;
}

static void free_locked(struct share *share)
{
	share_bytes_drop(&share->partial, share->partial.len);
	share_bytes_drop(&share->plaintext, share->plaintext.len);
	share_bytes_drop(&share->tail, share->tail.len);
}

static void slot_put(struct share *share)
{
	explicit_bzero(share, SLOT_LEN);
	if (!arena_lock())
		return;
	share->next_free = arena->free_slot;
	arena->free_slot = (uint32_t)(((uint8_t *)share - (uint8_t *)arena) / SLOT_LEN);
	share_unlock(&arena->lock);
}

/* The lists are dry: what processes held that were killed comes back. */
static void reclaim(void)
{
	for (uint32_t i = 1; i < arena->slots_used; i++) {
		struct share *share = slot_at(i);

		if (share->id == 0)
			continue;
		forget_dead_holders(share);
		if (!is_held(share))
			share_free(share);
	}
}

static uint32_t take(uint32_t *head, uint32_t *used, uint32_t most, uint32_t next)
{
	uint32_t index = *head;

	if (index != 0)
		*head = next;
	else if (*used < most)
		index = (*used)++;
	return index;
}

static struct share *slot_take(void)
{
	uint32_t index;

	if (!arena_lock())
		return NULL;
	index = take(&arena->free_slot, &arena->slots_used, arena->slots,
		slot_at(arena->free_slot)->next_free);
	share_unlock(&arena->lock);
	return index != 0 ? slot_at(index) : NULL;
}

struct share *share_new(void)
{
	struct share *share;

	if (!arena_ready())
		return NULL;
	share = slot_take();
	if (share == NULL) {
		reclaim();
		share = slot_take();
	}
	if (share == NULL)
		return NULL;
	memset(share, 0, sizeof(*share));
	lock_init(&share->receive_lock);
	lock_init(&share->send_lock);
	share->alert_sent = share->alert_received = -1;
	share->low_water = 1;
	atomic_store(&share->holder[0], getpid());
	return share;
}

static void hold(struct share *share, pid_t pid)
{
	for (int i = 0; i < SHARE_HOLDERS; i++) {
		pid_t none = 0;

		if (atomic_compare_exchange_strong(&share->holder[i], &none, pid))
			return;
	}
	atomic_fetch_add(&share->more_holders, 1);
}

/* Whether one of the known places changed hands. */
static bool replace_holder(struct share *share, pid_t from, pid_t to)
{
	for (int i = 0; i < SHARE_HOLDERS; i++) {
		pid_t expected = from;

		if (atomic_compare_exchange_strong(&share->holder[i], &expected, to))
			return true;
	}
	return false;
}

static void unhold(struct share *share, pid_t pid)
{
	if (!replace_holder(share, pid, 0))
		atomic_fetch_sub(&share->more_holders, 1);
}

bool share_has_others(struct share *share)
{
	pid_t self = getpid();

	forget_dead_holders(share);
	for (int i = 0; i < SHARE_HOLDERS; i++) {
		pid_t pid = atomic_load(&share->holder[i]);

		if (pid == HOLDER_FORKING || (pid != 0 && pid != self && (pid & HOLDER_LEFT) == 0))
			return true;
	}
	return atomic_load(&share->more_holders) != 0;
}

bool share_leave(struct share *share)
{
	pid_t self = getpid();

	replace_holder(share, self, self | HOLDER_LEFT);
	return !share_has_others(share);
}

void share_forget(struct share *share, pid_t pid)
{
	replace_holder(share, pid, 0);
}

void share_return(struct share *share)
{
	pid_t self = getpid();

	replace_holder(share, self | HOLDER_LEFT, self);
}

bool share_release(struct share *share)
{
	pid_t self = getpid();

	if (!replace_holder(share, self | HOLDER_LEFT, 0))
		unhold(share, self);
	forget_dead_holders(share);
	return !is_held(share);
}

void share_free(struct share *share)
{
	free_locked(share);
	slot_put(share);
}

void share_before_fork(struct share *share)
{
	hold(share, HOLDER_FORKING);
}

void share_in_child(struct share *share)
{
	hold(share, getpid());
	unhold(share, HOLDER_FORKING);
}

void share_fork_failed(struct share *share)
{
	unhold(share, HOLDER_FORKING);
}

uint8_t *share_bytes_start(struct share_bytes *bytes)
{
	if (bytes->buffer == SHARE_NO_BUFFER) {
		if (!arena_lock())
			return NULL;
		bytes->buffer = take(&arena->free_buffer, &arena->buffers_used, arena->buffers,
			arena->free_buffer != 0 ? *(uint32_t *)buffer_at(arena->free_buffer) : 0);
		share_unlock(&arena->lock);
		bytes->offset = bytes->len = 0;
	}
	return bytes->buffer != SHARE_NO_BUFFER ? buffer_at(bytes->buffer) : NULL;
}

uint8_t *share_bytes_data(const struct share_bytes *bytes)
{
	return buffer_at(bytes->buffer) + bytes->offset;
}

int share_bytes_put(struct share_bytes *bytes, const uint8_t *data, size_t len)
{
	uint8_t *start;

	if (len == 0)
		return 0;
	start = share_bytes_start(bytes);
	if (start == NULL)
		return -ENOBUFS;
	if (bytes->offset + bytes->len + len > SHARE_BUFFER_LEN) {
		memmove(start, start + bytes->offset, bytes->len);
		bytes->offset = 0;
	}
	if (bytes->len + len > SHARE_BUFFER_LEN)
		return -ENOBUFS;
	memcpy(start + bytes->offset + bytes->len, data, len);
	bytes->len += (uint32_t)len;
	return 0;
}

void share_bytes_drop(struct share_bytes *bytes, size_t len)
{
	uint8_t *start;

	bytes->len -= (uint32_t)len;
	bytes->offset += (uint32_t)len;
	if (bytes->len > 0 || bytes->buffer == SHARE_NO_BUFFER)
		return;
	start = buffer_at(bytes->buffer);
	explicit_bzero(start, bytes->offset);
	if (arena_lock()) {
		memcpy(start, &arena->free_buffer, sizeof(arena->free_buffer));
		arena->free_buffer = bytes->buffer;
		share_unlock(&arena->lock);
	}
	memset(bytes, 0, sizeof(*bytes));
}

void share_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&arena_making);
	else
		guard_unlock(&arena_making);
}
