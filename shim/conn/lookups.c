/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ring: the oldest are forgotten first. A name that is not remembered is one that is not verified
 * against, so that the connection fails. */
#include "conn/lookups.h"

#include "conn/names.h"

#include "guard.h"

#include <pthread.h>
#include <stddef.h>

#define LOOKUPS_MOST 256

static const struct gaicb *ring[LOOKUPS_MOST];
static unsigned newest;
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;

static bool forget(const struct gaicb *request)
{
	bool found = false;

	for (unsigned i = 0; i < LOOKUPS_MOST; i++)
		if (ring[i] == request) {
			ring[i] = NULL;
			found = true;
		}
	return found;
}

void lookups_begin(struct gaicb *const list[], int count)
{
	guard_lock(&ring_lock);
	for (int i = 0; i < count; i++)
		if (list[i] != NULL) {
			/* One that ended without having been told, and is used again. */
			forget(list[i]);
			newest = (newest + 1) % LOOKUPS_MOST;
			ring[newest] = list[i];
		}
	guard_unlock(&ring_lock);
}

void lookups_found(const struct gaicb *request)
{
	bool first;

	guard_lock(&ring_lock);
	first = forget(request);
	guard_unlock(&ring_lock);
	if (first)
		names_learn(request->ar_name, request->ar_result);
}

void lookups_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&ring_lock);
	else
		guard_unlock(&ring_lock);
}
