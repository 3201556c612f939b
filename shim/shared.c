/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shared.h"

#include <errno.h>
#include <sys/mman.h>

void *shared_map(size_t len)
{
	void *made = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (made == MAP_FAILED)
		return NULL;
	/* Keys have no place in a core dump. */
	madvise(made, len, MADV_DONTDUMP);
	return made;
}

void shared_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

int shared_lock(pthread_mutex_t *lock)
{
	int r = pthread_mutex_lock(lock);

	if (r == EOWNERDEAD)
		pthread_mutex_consistent(lock);
	return -r;
}

void shared_unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
}
