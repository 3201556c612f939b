/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel is asked (madvise(2), Linux 5.14), which touches pages as a copy would and changes
 * nothing in them. Pages that were there once are taken to be still: a program that unmaps its
 * buffer and passes it again crashes, as it would by its own hand. To be written to: only the first
 * page of a range is asked for in that way, since all of them would be made real, and no buffer
 * begins writable and goes on otherwise.
 */
#include "conn/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOWEST 4096 /* no kernel maps anything below for a program */
#define GROUP_SHIFT 4
#define GROUP (1U << GROUP_SHIFT) /* pages that are remembered by one word */
#define KNOWN_COUNT 16384         /* words: 1 GB of pages of 4 KB; a power of 2 */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/*
 * Of a group of pages: its number << 32; a bit for each page that was there to be written to << 16,
 * and one for each that was there. Only what is touched of the table is real, and it is mostly a
 * line or two. Threads that write a word at once lose bits and never make any up.
 */
static _Atomic uint64_t known[KNOWN_COUNT];

static _Atomic uint64_t *place_of(uintptr_t group)
{
	return &known[(group ^ group >> 14) & (KNOWN_COUNT - 1)];
}

/* The bits of pages first..last, as far as they are in the group; of those to be written to `first`
 * alone. */
static uint32_t bits_of(uintptr_t group, uintptr_t first, uintptr_t last, bool to_write)
{
	uintptr_t base = group << GROUP_SHIFT;
	unsigned from = first > base ? (unsigned)(first - base) : 0;
	unsigned to = last - base < GROUP ? (unsigned)(last - base) : GROUP - 1;
	uint32_t bits = (2U << to) - (1U << from);

	return to_write && first >= base ? bits | 1U << (from + GROUP) : bits;
}

static bool are_known(uintptr_t first, uintptr_t last, bool to_write)
{
	for (uintptr_t group = first >> GROUP_SHIFT; group <= last >> GROUP_SHIFT; group++) {
		uint64_t found = atomic_load_explicit(place_of(group), memory_order_relaxed);
		uint32_t bits = bits_of(group, first, last, to_write);

		if (found >> 32 != group || ((uint32_t)found & bits) != bits)
			return false;
	}
	return true;
}

static void remember(uintptr_t first, uintptr_t last, bool to_write)
{
	for (uintptr_t group = first >> GROUP_SHIFT; group <= last >> GROUP_SHIFT; group++) {
		_Atomic uint64_t *place = place_of(group);
		uint64_t found = atomic_load_explicit(place, memory_order_relaxed);

		if (found >> 32 != group)
			found = (uint64_t)group << 32;
		atomic_store_explicit(
			place, found | bits_of(group, first, last, to_write), memory_order_relaxed);
	}
}

/* Every transfer asks: a division, and sysconf() each time, would be a good part of its price. */
static unsigned page_shift(void)
{
	static _Atomic unsigned known_shift;
	unsigned shift = atomic_load_explicit(&known_shift, memory_order_relaxed);

	if (shift == 0) {
		shift = (unsigned)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
		atomic_store_explicit(&known_shift, shift, memory_order_relaxed);
	}
	return shift;
}

/* `count` pages from `page` on. */
static int advise(uintptr_t page, size_t count, int advice)
{
	unsigned shift = page_shift();

	return madvise((void *)(page << shift), count << shift, advice);
}

/* A kernel that does not know the question says EINVAL of everything, even of this. */
static bool kernel_answers(void)
{
	static _Atomic int answers; /* 0: not known yet; 1: yes; -1: no */
	uintptr_t here = (uintptr_t)&answers >> page_shift();

	if (atomic_load_explicit(&answers, memory_order_relaxed) == 0)
		atomic_store(&answers, advise(here, 1, MADV_POPULATE_READ) == 0 ? 1 : -1);
	return atomic_load_explicit(&answers, memory_order_relaxed) > 0;
}

/* ENOMEM: not mapped; EINVAL: mapped, but not for this; EFAULT: nothing is behind the mapping. */
static bool ask(uintptr_t page, size_t count, int advice)
{
	int saved = errno, r = advise(page, count, advice);
	bool there = r == 0 ||
		     (errno != ENOMEM && errno != EFAULT && (errno != EINVAL || !kernel_answers()));

	errno = saved;
	return there;
}

bool memory_is_in_reach(uintptr_t at, size_t len)
{
	return at + len >= at && at + len <= (uintptr_t)INTPTR_MAX;
}

bool memory_is_there(const void *at, size_t len, bool to_write)
{
	unsigned shift = page_shift();
	uintptr_t from = (uintptr_t)at, first = from >> shift, last;

	if (len == 0)
		return true;
	if (from < LOWEST || !memory_is_in_reach(from, len))
		return false;
	last = (from + len - 1) >> shift;
	if (are_known(first, last, to_write))
		return true;
	if (!ask(first, last - first + 1, MADV_POPULATE_READ) ||
		(to_write && !ask(first, 1, MADV_POPULATE_WRITE)))
		return false;
	remember(first, last, to_write);
	return true;
}

int memory_check_parts(const struct iovec *iov, size_t count)
{
	if (!memory_is_there(iov, count * sizeof(*iov), false))
		return -EFAULT;
	for (size_t i = 0; i < count; i++)
		if (iov[i].iov_len > (size_t)SSIZE_MAX)
			return -EINVAL;
	return 0;
}

bool memory_parts_are_there(
	const struct iovec *iov, size_t count, size_t skip, size_t len, bool to_write)
{
	for (; count > 0 && len > 0; iov++, count--) {
		size_t part = iov->iov_len > skip ? iov->iov_len - skip : 0;

		if (part > len)
			part = len;
		if (!memory_is_there((const char *)iov->iov_base + skip, part, to_write))
			return false;
		skip -= iov->iov_len < skip ? iov->iov_len : skip;
		len -= part;
	}
	return true;
}
