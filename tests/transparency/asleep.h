/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads of a case, and when one of them waits in a call. */
#ifndef TRANSPARENCY_ASLEEP_H
#define TRANSPARENCY_ASLEEP_H

#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct worker {
	pthread_t thread;
	_Atomic pid_t tid;
	void (*run)(struct worker *worker);
	int fd;
	long result;
	int error;
};

static inline void *worker_main(void *arg)
{
	struct worker *worker = arg;

	atomic_store(&worker->tid, gettid());
	worker->run(worker);
	return NULL;
}

static inline void worker_start(struct worker *worker, void (*run)(struct worker *worker), int fd)
{
	*worker = (struct worker){ .run = run, .fd = fd };
	NEED(pthread_create(&worker->thread, NULL, worker_main, worker) == 0);
}

static inline char state_of(pid_t tid, long *switches)
{
	char path[64], line[256], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "voluntary_ctxt_switches: %ld", switches);
	}
	if (file != NULL)
		fclose(file);
	return state;
}

/* Until the thread has slept for a while without having been woken. */
static inline void worker_until_asleep(struct worker *worker)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	long before = -1, switches = -2;
	pid_t tid;
	int quiet = 0;

	while ((tid = atomic_load(&worker->tid)) == 0)
		nanosleep(&pause, NULL);
	while (quiet < 3) {
		quiet = state_of(tid, &switches) == 'S' && switches == before ? quiet + 1 : 0;
		before = switches;
		nanosleep(&pause, NULL);
	}
}

static inline void worker_join(struct worker *worker)
{
	NEED(pthread_join(worker->thread, NULL) == 0);
}

#endif
