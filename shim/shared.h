/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that the forked children of a process share with it, and locks that lie in it. */
#ifndef SEAMTLS_SHARED_H
#define SEAMTLS_SHARED_H

#include <pthread.h>
#include <stddef.h>

/* Zeroed, kept out of core dumps; pages become real when they are first used. NULL: no memory. */
void *shared_map(size_t len);

/* A lock that survives the death of its holder, and says so when its own thread asks again. */
void shared_lock_init(pthread_mutex_t *lock);
/* 0; -EOWNERDEAD: locked, but a holder died inside; -EDEADLK: this thread has it. */
int shared_lock(pthread_mutex_t *lock);
void shared_unlock(pthread_mutex_t *lock);

#endif
