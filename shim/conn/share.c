/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slots and buffers lie in chunks, each one mapping, made when those before are full: one
 * reservation for all that may ever come would eat up the address space of a program that limits
 * it (RLIMIT_AS). Forked children inherit the chunks that are there; those made later are their
 * maker's. Pages become real when they are first used. Free slots and buffers are kept in two lists
 * under the chunk's robust lock. A slot knows which processes hold it, so that those of a killed
 * process can be found again when no more can be had.
 */
#include "conn/share.h"

#include "guard.h"
#include "shared.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SLOT_LEN 1024
#define CHUNK_SLOTS 128 /* the first is the chunk's own head */
#define CHUNK_BUFFERS                                                                              \
	((CHUNK_SLOTS - 1) * 3) /* three a slot: a connection never lacks one. From index 1 */
#define CHUNK_LEN ((size_t)CHUNK_SLOTS * SLOT_LEN + (size_t)CHUNK_BUFFERS * SHARE_BUFFER_LEN)
#define CHUNKS_MOST 520     /* some 65,000 connections */
#define HOLDER_FORKING (-1) /* a child that has not said its pid yet */
#define HOLDER_LEFT                                                                                \
	(1 << 30) /* with a pid: has closed its descriptors, but calls may still run               \
		   */

_Static_assert(sizeof(struct share) <= SLOT_LEN, "a slot holds a share");

struct chunk {
	pthread_mutex_t lock;
	uint32_t slots_used, buffers_used; /* never handed out beyond these */
	uint32_t free_slot, free_buffer; /* heads of the lists; index 0 is no slot and no buffer */
};

static struct chunk *_Atomic chunks[CHUNKS_MOST];
static _Atomic uint32_t chunk_count;
static _Atomic uint32_t likely; /* the chunk that had a free slot last */
static pthread_mutex_t chunk_making = PTHREAD_MUTEX_INITIALIZER;

static struct chunk *chunk_at(uint32_t number)
{
	return atomic_load_explicit(&chunks[number], memory_order_acquire);
}

/* The chunk that a share, or something inside of it, lies in. */
static struct chunk *chunk_of(const void *inside, uint32_t *number)
{
	for (*number = 0;; (*number)++) {
		struct chunk *chunk = chunk_at(*number);

		if ((uintptr_t)inside - (uintptr_t)chunk < CHUNK_LEN)
			return chunk;
	}
}

static struct share *slot_at(struct chunk *chunk, uint32_t index)
{
	return (struct share *)((uint8_t *)chunk + (size_t)index * SLOT_LEN);
}

static uint8_t *buffer_at(struct chunk *chunk, uint32_t index)
{
	return (uint8_t *)chunk + (size_t)CHUNK_SLOTS * SLOT_LEN +
	       (size_t)(index - 1) * SHARE_BUFFER_LEN;
}

static struct chunk *chunk_of_bytes(const struct share_bytes *bytes)
{
	uint32_t number;

	return chunk_of(bytes, &number);
}

int share_lock(pthread_mutex_t *lock)
{
	int r;

	guard_enter();
	r = shared_lock(lock);
	if (r != 0 && r != -EOWNERDEAD)
		guard_leave();
	return r;
}

void share_unlock(pthread_mutex_t *lock)
{
	shared_unlock(lock);
	guard_leave();
}

static struct chunk *chunk_map(void)
{
	struct chunk *made = shared_map(CHUNK_LEN);

	if (made == NULL)
		return NULL;
	shared_lock_init(&made->lock);
	made->slots_used = 1;
	made->buffers_used = 1;
	return made;
}

/* One more than `count`, unless another thread has been here. False: there cannot be. */
static bool chunk_add(uint32_t count)
{
	struct chunk *made = NULL;
	bool more;

	guard_lock(&chunk_making);
	more = atomic_load(&chunk_count) > count;
	if (!more && count < CHUNKS_MOST)
		made = chunk_map();
	if (made != NULL) {
		atomic_store_explicit(&chunks[count], made, memory_order_release);
		atomic_store(&chunk_count, count + 1);
		more = true;
	}
	guard_unlock(&chunk_making);
	return more;
}

/* A process that was killed between two steps of a list operation leaks one element at most:
 * nothing to repair. */
static bool chunk_lock(struct chunk *chunk)
{
	int r = share_lock(&chunk->lock);

	return r == 0 || r == -EOWNERDEAD;
}

/* This very process is there, which needs no question (a sandbox may not allow one). */
static bool holder_is_gone(pid_t pid, pid_t self)
{
	return pid > 0 && (pid & ~HOLDER_LEFT) != self && kill(pid & ~HOLDER_LEFT, 0) != 0 &&
	       errno == ESRCH;
}

/* Drops the holders that died without saying so. */
static void forget_dead_holders(struct share *share, pid_t self)
{
	int saved = errno;

	for (int i = 0; i < SHARE_HOLDERS; i++) {
		pid_t pid = atomic_load(&share->holder[i]);

		if (holder_is_gone(pid, self))
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
	uint32_t number;
	struct chunk *chunk = chunk_of(share, &number);

	explicit_bzero(share, SLOT_LEN);
	if (!chunk_lock(chunk))
		return;
	share->next_free = chunk->free_slot;
	chunk->free_slot = (uint32_t)(((uint8_t *)share - (uint8_t *)chunk) / SLOT_LEN);
	share_unlock(&chunk->lock);
	atomic_store(&likely, number);
}

static void reclaim_from(struct chunk *chunk)
{
	for (uint32_t i = 1; i < chunk->slots_used; i++) {
		struct share *share = slot_at(chunk, i);

		if (share->id == 0)
			continue;
		forget_dead_holders(share, guard_pid());
		if (!is_held(share))
			share_free(share);
	}
}

/* There are no more: what processes held that were killed comes back. */
static void reclaim(void)
{
	uint32_t count = atomic_load(&chunk_count);

	for (uint32_t number = 0; number < count; number++)
		reclaim_from(chunk_at(number));
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

static struct share *slot_take_from(struct chunk *chunk)
{
	uint32_t index;

	if (!chunk_lock(chunk))
		return NULL;
	index = take(&chunk->free_slot, &chunk->slots_used, CHUNK_SLOTS,
		slot_at(chunk, chunk->free_slot)->next_free);
	share_unlock(&chunk->lock);
	return index != 0 ? slot_at(chunk, index) : NULL;
}

static struct share *slot_take(uint32_t count)
{
	uint32_t first = atomic_load(&likely);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = (first + i) % count;
		struct share *share = slot_take_from(chunk_at(number));

		if (share == NULL)
			continue;
		if (i > 0)
			atomic_store(&likely, number);
		return share;
	}
	return NULL;
}

struct share *share_new(void)
{
	struct share *share;
	uint32_t count;

	do {
		count = atomic_load(&chunk_count);
		share = slot_take(count);
	} while (share == NULL && chunk_add(count));
	if (share == NULL) {
		reclaim();
		share = slot_take(count);
	}
	if (share == NULL)
		return NULL;
	memset(share, 0, sizeof(*share));
	shared_lock_init(&share->receive_lock);
	shared_lock_init(&share->send_lock);
	share->alert_sent = share->alert_received = -1;
	share->low_water = 1;
	atomic_store(&share->timeout_changes, 1);
	atomic_store(&share->holder[0], guard_pid());
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

static bool has_others(struct share *share, pid_t self)
{
	forget_dead_holders(share, self);
	for (int i = 0; i < SHARE_HOLDERS; i++) {
		pid_t pid = atomic_load(&share->holder[i]);

		if (pid == HOLDER_FORKING || (pid != 0 && pid != self && (pid & HOLDER_LEFT) == 0))
			return true;
	}
	return atomic_load(&share->more_holders) != 0;
}

bool share_has_others(struct share *share)
{
	return has_others(share, guard_pid());
}

bool share_leave(struct share *share)
{
	pid_t self = guard_pid();

	replace_holder(share, self, self | HOLDER_LEFT);
	return !has_others(share, self);
}

void share_forget(struct share *share, pid_t pid)
{
	replace_holder(share, pid, 0);
}

void share_return(struct share *share)
{
	pid_t self = guard_pid();

	replace_holder(share, self | HOLDER_LEFT, self);
}

bool share_release(struct share *share)
{
	pid_t self = guard_pid();

	record_key_forget(&share->send_key);
	record_key_forget(&share->receive_key);
	if (!replace_holder(share, self | HOLDER_LEFT, 0))
		unhold(share, self);
	forget_dead_holders(share, self);
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
	hold(share, guard_pid());
	unhold(share, HOLDER_FORKING);
}

void share_fork_failed(struct share *share)
{
	unhold(share, HOLDER_FORKING);
}

uint8_t *share_bytes_start(struct share_bytes *bytes)
{
	struct chunk *chunk = chunk_of_bytes(bytes);

	if (bytes->buffer == SHARE_NO_BUFFER) {
		if (!chunk_lock(chunk))
			return NULL;
		bytes->buffer = take(&chunk->free_buffer, &chunk->buffers_used, CHUNK_BUFFERS + 1,
			chunk->free_buffer != 0 ? *(uint32_t *)buffer_at(chunk, chunk->free_buffer)
						: 0);
		share_unlock(&chunk->lock);
		bytes->offset = 0;
		share_bytes_set_len(bytes, 0);
	}
	return bytes->buffer != SHARE_NO_BUFFER ? buffer_at(chunk, bytes->buffer) : NULL;
}

uint8_t *share_bytes_data(const struct share_bytes *bytes)
{
	return buffer_at(chunk_of_bytes(bytes), bytes->buffer) + bytes->offset;
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
	share_bytes_set_len(bytes, bytes->len + len);
	return 0;
}

void share_bytes_drop(struct share_bytes *bytes, size_t len)
{
	struct chunk *chunk;
	uint8_t *start;

	share_bytes_set_len(bytes, bytes->len - len);
	bytes->offset += (uint32_t)len;
	if (bytes->len > 0 || bytes->buffer == SHARE_NO_BUFFER)
		return;
	chunk = chunk_of_bytes(bytes);
	start = buffer_at(chunk, bytes->buffer);
	explicit_bzero(start, bytes->offset);
	if (chunk_lock(chunk)) {
		memcpy(start, &chunk->free_buffer, sizeof(chunk->free_buffer));
		chunk->free_buffer = bytes->buffer;
		share_unlock(&chunk->lock);
	}
	bytes->buffer = SHARE_NO_BUFFER;
	bytes->offset = 0;
}

void share_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&chunk_making);
	else
		guard_unlock(&chunk_making);
}
