/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Segments of 1 MiB, aligned to their size, so that a block's address leads to its segment. A
 * segment is cut into spans of 16 KiB: one full of blocks of one size, or several in a row that are
 * one block; what is larger than a segment is one of its own. Threads are spread over a few arenas,
 * each a lock and segments of its own; a block goes back to where it came from, whoever frees it.
 *
 * Whatever is free is zero, but for the links between free blocks. So a block is zero when it is
 * given out, and a span may become one of another size. Free spans go back to the kernel when there
 * are many of them, and free segments but one.
 */
#include "heap.h"

#include "guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define SEGMENT_LEN ((size_t)1 << 20)
#define SPAN_LEN 16384
#define SPANS 64 /* a segment; the first is its head */
#define SMALL_MOST 4096
#define CLASSES 36
#define DIRTY_MOST 64 /* free spans of an arena that the kernel does not get back at once */
#define TRIES 16      /* segments that are looked at for a row of spans */
/* Of addresses of segments, by which others' blocks are told from ours; a power of two. */
#define KNOWN 32768
#define GONE 1 /* no segment is there any more; the search goes on */

/* What a span is of. A row is known by its first. */
struct span {
	struct span *next, *before; /* of the arena's with free blocks of that size */
	void **free;                /* each block begins with the address of the next */
	uint32_t block_len;         /* 0: a row, which is one block */
	uint32_t row_len;           /* ... of so many bytes */
	uint32_t used, fresh;       /* blocks; those from `fresh` on were never given out */
	uint32_t row;               /* how many spans */
};

struct segment {
	struct arena *arena;           /* NULL: it is one block */
	struct segment *next, *before; /* of the arena's with free spans */
	size_t len;                    /* all of it, as it was mapped */
	uint64_t used, dirty;          /* a bit for each span; dirty: free, and still there */
	struct span spans[SPANS];
};

_Static_assert(sizeof(struct segment) <= SPAN_LEN, "its head is the first span");

struct arena {
	pthread_mutex_t lock;
	struct span *partial[CLASSES];
	struct segment *segments; /* with free spans */
	struct segment *spare;    /* one that is all free */
	unsigned dirty;
};

static struct arena arenas[] = { { .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER }, { .lock = PTHREAD_MUTEX_INITIALIZER },
	{ .lock = PTHREAD_MUTEX_INITIALIZER } };
#define ARENAS (sizeof(arenas) / sizeof(*arenas))
static _Atomic uintptr_t known[KNOWN];
static _Atomic unsigned threads;
/* Of this thread, from 1; 0: not chosen yet. */
static _Thread_local unsigned chosen __attribute__((tls_model("initial-exec")));

/* --- Segments */

static _Atomic uintptr_t *place_of(uintptr_t number, unsigned try)
{
	return &known[((number * 0x9e3779b97f4a7c15u >> 40) + try) & (KNOWN - 1)];
}

/* False: there are too many. */
static bool remember(uintptr_t segment)
{
	for (unsigned try = 0; try < KNOWN; try++) {
		_Atomic uintptr_t *place = place_of(segment / SEGMENT_LEN, try);
		uintptr_t there = atomic_load(place);

		if (there <= GONE && atomic_compare_exchange_strong(place, &there, segment))
			return true;
	}
	return false;
}

static _Atomic uintptr_t *find(uintptr_t segment)
{
	for (unsigned try = 0; try < KNOWN; try++) {
		_Atomic uintptr_t *place = place_of(segment / SEGMENT_LEN, try);
		uintptr_t there = atomic_load_explicit(place, memory_order_acquire);

		if (there == 0)
			return NULL;
		if (there == segment)
			return place;
	}
	return NULL;
}

static struct segment *segment_of(const void *block)
{
	return (struct segment *)((uintptr_t)block & ~(SEGMENT_LEN - 1));
}

bool heap_has(const void *block)
{
	return find((uintptr_t)segment_of(block)) != NULL;
}

/* Aligned; what is too much at either end goes back. */
static uint8_t *map(size_t len)
{
	uint8_t *made = mmap(NULL, len + SEGMENT_LEN, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *begin;
	size_t before;

	if (made == MAP_FAILED)
		return NULL;
	begin = (uint8_t *)(((uintptr_t)made + SEGMENT_LEN - 1) & ~(SEGMENT_LEN - 1));
	before = (size_t)(begin - made);
	if (before > 0)
		munmap(made, before);
	if (before < SEGMENT_LEN)
		munmap(begin + len, SEGMENT_LEN - before);
	madvise(begin, len, MADV_DONTDUMP);
	return begin;
}

static struct segment *segment_new(struct arena *arena, size_t len)
{
	struct segment *segment;
	int saved = errno;

	len = (len + SPAN_LEN - 1) & ~(size_t)(SPAN_LEN - 1);
	segment = (struct segment *)map(len);
	if (segment != NULL && !remember((uintptr_t)segment)) {
		munmap(segment, len);
		segment = NULL;
	}
	errno = saved;
	if (segment == NULL)
		return NULL;
	segment->arena = arena;
	segment->len = len;
	segment->used = 1;
	return segment;
}

static void segment_free(struct segment *segment)
{
	int saved = errno;

	atomic_store(find((uintptr_t)segment), GONE);
	munmap(segment, segment->len);
	errno = saved;
}

static void segment_link(struct segment *segment)
{
	struct arena *arena = segment->arena;

	segment->before = NULL;
	segment->next = arena->segments;
	if (segment->next != NULL)
		segment->next->before = segment;
	arena->segments = segment;
}

static void segment_unlink(struct segment *segment)
{
	if (segment->before != NULL)
		segment->before->next = segment->next;
	else
		segment->arena->segments = segment->next;
	if (segment->next != NULL)
		segment->next->before = segment->before;
	segment->next = segment->before = NULL;
}

/* --- Spans. The arena's lock is held. */

static uint8_t *memory_of(const struct span *span)
{
	struct segment *segment = segment_of(span);

	return (uint8_t *)segment + (size_t)(span - segment->spans) * SPAN_LEN;
}

static uint64_t bits(unsigned first, unsigned count)
{
	return (count == SPANS ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << first;
}

/* The first of `row` free spans; 0: there are not so many in a row. */
static unsigned find_row(const struct segment *segment, unsigned row)
{
	uint64_t begins = ~segment->used;

	/* A bit stays where this and the next ones are free. */
	for (unsigned i = 1; i < row && begins != 0; i++)
		begins &= ~segment->used >> i;
	return begins != 0 ? (unsigned)__builtin_ctzll(begins) : 0;
}

static struct span *span_cut(struct segment *segment, unsigned first, unsigned row)
{
	uint64_t taken = bits(first, row);

	segment->arena->dirty -= (unsigned)__builtin_popcountll(segment->dirty & taken);
	segment->dirty &= ~taken;
	segment->used |= taken;
	if (~segment->used == 0)
		segment_unlink(segment);
	segment->spans[first] = (struct span){ .row = row };
	return &segment->spans[first];
}

static struct span *span_take(struct arena *arena, unsigned row)
{
	struct segment *segment = arena->segments;

	for (unsigned i = 0; segment != NULL && i < TRIES; segment = segment->next, i++) {
		unsigned first = find_row(segment, row);

		if (first != 0)
			return span_cut(segment, first, row);
	}
	segment = arena->spare;
	arena->spare = NULL;
	if (segment == NULL)
		segment = segment_new(arena, SEGMENT_LEN);
	if (segment == NULL)
		return NULL;
	segment_link(segment);
	return span_cut(segment, 1, row);
}

/* Free spans are given back to the kernel, those in a row at once. */
static void clean(struct segment *segment)
{
	int saved = errno;

	while (segment->dirty != 0) {
		unsigned first = (unsigned)__builtin_ctzll(segment->dirty);
		uint64_t after = ~(segment->dirty >> first);
		unsigned row = after != 0 ? (unsigned)__builtin_ctzll(after) : SPANS - first;

		madvise((uint8_t *)segment + (size_t)first * SPAN_LEN, (size_t)row * SPAN_LEN,
			MADV_DONTNEED);
		segment->dirty &= ~bits(first, row);
		segment->arena->dirty -= row;
	}
	errno = saved;
}

static void give_back(struct arena *arena)
{
	for (struct segment *at = arena->segments; at != NULL; at = at->next)
		clean(at);
}

/* All of it is zero. */
static void span_give(struct span *span)
{
	struct segment *segment = segment_of(span);
	struct arena *arena = segment->arena;
	uint64_t given = bits((unsigned)(span - segment->spans), span->row);

	if (~segment->used == 0)
		segment_link(segment);
	segment->used &= ~given;
	segment->dirty |= given;
	arena->dirty += span->row;
	if (segment->used == 1) {
		segment_unlink(segment);
		clean(segment);
		if (arena->spare == NULL)
			arena->spare = segment;
		else
			segment_free(segment);
	} else if (arena->dirty > DIRTY_MOST) {
		give_back(arena);
	}
}

/* --- Blocks of one size. The arena's lock is held. */

/* 16 to 128 in steps of 16, then four steps to each doubling. */
static unsigned class_of(size_t len)
{
	unsigned top;

	if (len <= 128)
		return len > 0 ? (unsigned)(len - 1) / 16 : 0;
	top = 63u - (unsigned)__builtin_clzll(len - 1);
	return 8 + (top - 7) * 4 + (unsigned)((len - 1) >> (top - 2) & 3);
}

static uint32_t class_len(unsigned class)
{
	unsigned doubling = (class - 8) / 4, step = (class - 8) % 4;

	return class < 8 ? (class + 1) * 16 : (128u << doubling) + ((step + 1) * 32u << doubling);
}

static void partial_link(struct span *span, struct span **list)
{
	span->before = NULL;
	span->next = *list;
	if (span->next != NULL)
		span->next->before = span;
	*list = span;
}

static void partial_unlink(struct span *span, struct span **list)
{
	if (span->before != NULL)
		span->before->next = span->next;
	else
		*list = span->next;
	if (span->next != NULL)
		span->next->before = span->before;
	span->next = span->before = NULL;
}

static bool is_full(const struct span *span)
{
	return span->free == NULL && (span->fresh + 1) * span->block_len > SPAN_LEN;
}

static void *small_take(struct arena *arena, unsigned class)
{
	struct span **list = &arena->partial[class], *span = *list;
	void **block;

	if (span == NULL) {
		span = span_take(arena, 1);
		if (span == NULL)
			return NULL;
		span->block_len = class_len(class);
		partial_link(span, list);
	}
	block = span->free;
	if (block != NULL) {
		span->free = *block;
		*block = NULL;
	} else {
		block = (void **)(memory_of(span) + (size_t)span->fresh++ * span->block_len);
	}
	span->used++;
	if (is_full(span))
		partial_unlink(span, list);
	return block;
}

/* The last one of its size stays: the next block is not far. */
static void small_give(struct arena *arena, struct span *span, void **block)
{
	struct span **list = &arena->partial[class_of(span->block_len)];

	if (is_full(span))
		partial_link(span, list);
	*block = span->free;
	span->free = block;
	if (--span->used > 0 || (span->next == NULL && span->before == NULL))
		return;
	partial_unlink(span, list);
	for (void **at = span->free, **next; at != NULL; at = next) {
		next = *at;
		*at = NULL;
	}
	span_give(span);
}

/* --- Blocks */

static struct span *span_of(const void *block)
{
	struct segment *segment = segment_of(block);

	return &segment->spans[((uintptr_t)block - (uintptr_t)segment) / SPAN_LEN];
}

static struct arena *arena_of_thread(void)
{
	if (chosen == 0)
		chosen = atomic_fetch_add(&threads, 1) % ARENAS + 1;
	return &arenas[chosen - 1];
}

static void *take_shared(size_t len)
{
	struct arena *arena = arena_of_thread();
	struct span *span;
	void *block;

	guard_lock(&arena->lock);
	if (len <= SMALL_MOST) {
		block = small_take(arena, class_of(len));
	} else {
		span = span_take(arena, (unsigned)((len + SPAN_LEN - 1) / SPAN_LEN));
		block = span != NULL ? memory_of(span) : NULL;
		if (span != NULL)
			span->row_len = (uint32_t)len;
	}
	guard_unlock(&arena->lock);
	return block;
}

/* Behind its head. */
static void *take_alone(size_t len)
{
	struct segment *segment = len < SIZE_MAX / 2 ? segment_new(NULL, len + SPAN_LEN) : NULL;

	return segment != NULL ? (uint8_t *)segment + SPAN_LEN : NULL;
}

void *heap_take(size_t len)
{
	void *block = len <= (SPANS - 1) * SPAN_LEN ? take_shared(len) : take_alone(len);

	if (block == NULL)
		errno = ENOMEM;
	return block;
}

size_t heap_len(const void *block)
{
	const struct segment *segment = segment_of(block);
	const struct span *span = span_of(block);

	if (segment->arena == NULL)
		return segment->len - SPAN_LEN;
	return span->block_len != 0 ? span->block_len : span->row_len;
}

void heap_give(void *block)
{
	struct segment *segment = segment_of(block);
	struct arena *arena = segment->arena;
	struct span *span = span_of(block);

	if (arena == NULL) {
		segment_free(segment); /* which leaves nothing behind */
		return;
	}
	explicit_bzero(block, heap_len(block));
	guard_lock(&arena->lock);
	if (span->block_len != 0)
		small_give(arena, span, block);
	else
		span_give(span);
	guard_unlock(&arena->lock);
}

void heap_lock_for_fork(bool on)
{
	for (unsigned i = 0; i < ARENAS; i++)
		if (on)
			guard_lock(&arenas[i].lock);
		else
			guard_unlock(&arenas[ARENAS - 1 - i].lock);
}
