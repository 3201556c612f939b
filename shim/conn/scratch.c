/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two buffers a thread, kept for its life; a call that interrupts another in the same thread (a
 * signal handler) gets one of its own. mmap, not malloc: the allocator is the host program's, and a
 * handler may have interrupted it.
 */
#include "conn/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT 2
/* What is as cheap to wipe as it is to have the kernel take it, and give it anew to the next. */
#define WIPE_MOST 32768

struct kept {
	uint8_t *buffer[KEPT];
	bool lent[KEPT];
	size_t reach[KEPT]; /* what of it was used since it was empty, from its start */
};

static _Thread_local struct kept kept __attribute__((tls_model("initial-exec")));
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void unmap_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < KEPT; i++) {
		if (kept.buffer[i] != NULL && !kept.lent[i])
			munmap(kept.buffer[i], SCRATCH_LEN);
		kept.buffer[i] = NULL;
	}
}

static void make_key(void)
{
	pthread_key_create(&key, unmap_all);
}

static uint8_t *map(void)
{
	int saved = errno;
	void *made =
		mmap(NULL, SCRATCH_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Plaintext passes through it, and wiping it would cost each call as much as a copy: it is
	 * emptied when the thread has done with a connection. */
	if (made != MAP_FAILED)
		madvise(made, SCRATCH_LEN, MADV_DONTDUMP);
	errno = saved;
	return made != MAP_FAILED ? made : NULL;
}

uint8_t *scratch_get(void)
{
	for (int i = 0; i < KEPT; i++) {
		if (kept.lent[i])
			continue;
		kept.lent[i] = true;
		if (kept.buffer[i] == NULL) {
			kept.buffer[i] = map();
			pthread_once(&key_once, make_key);
			pthread_setspecific(key, &kept);
		}
		kept.lent[i] = kept.buffer[i] != NULL;
		return kept.buffer[i];
	}
	return map();
}

void scratch_put(uint8_t *scratch)
{
	scratch_put_used(scratch, SCRATCH_LEN);
}

void scratch_put_used(uint8_t *scratch, size_t used)
{
	if (scratch == NULL)
		return;
	for (int i = 0; i < KEPT; i++)
		if (scratch == kept.buffer[i]) {
			kept.lent[i] = false;
			if (used > kept.reach[i])
				kept.reach[i] = used;
			return;
		}
	munmap(scratch, SCRATCH_LEN);
}

void scratch_empty(void)
{
	int saved = errno;

	for (int i = 0; i < KEPT; i++) {
		if (kept.reach[i] == 0 || kept.lent[i])
			continue;
		if (kept.reach[i] <= WIPE_MOST)
			explicit_bzero(kept.buffer[i], kept.reach[i]);
		else
			madvise(kept.buffer[i], SCRATCH_LEN, MADV_DONTNEED);
		kept.reach[i] = 0;
	}
	errno = saved;
}
