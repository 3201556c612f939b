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

#define KNOWN_COUNT 4096 /* pages that are remembered; a power of 2 */
#define LOWEST 4096      /* no kernel maps anything below for a program */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* Page number * 2, and 1 if it was there to be written to. */
static _Atomic uintptr_t known[KNOWN_COUNT];

static _Atomic uintptr_t *place_of(uintptr_t page)
{
	return &known[(page ^ page >> 12) & (KNOWN_COUNT - 1)];
}

static bool is_known(uintptr_t page, bool to_write)
{
	uintptr_t found = atomic_load_explicit(place_of(page), memory_order_relaxed);

	return found == (page << 1 | 1) || (!to_write && found == page << 1);
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
	uintptr_t from = (uintptr_t)at, first = from >> shift, last, page;

	if (len == 0)
		return true;
	if (from < LOWEST || !memory_is_in_reach(from, len))
		return false;
	last = (from + len - 1) >> shift;
	for (page = first; page <= last && is_known(page, to_write && page == first); page++)
		continue;
	if (page > last)
		return true;
	if (!ask(first, last - first + 1, MADV_POPULATE_READ) ||
		(to_write && !ask(first, 1, MADV_POPULATE_WRITE)))
		return false;
	for (page = first; page <= last; page++)
		atomic_store_explicit(place_of(page), page << 1 | (to_write && page == first),
			memory_order_relaxed);
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
