/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waits that signals end. The kernel restarts a read or a connect after a handler with SA_RESTART,
 * and ends it with EINTR after one without; a poll in their place always ends. Which handlers have
 * run is known (handlers.h).
 */
#include "conn/batch.h"

#include "guard.h"
#include "handlers.h"

#include <errno.h>

static void clear_batch(void *batch)
{
	batch_clear(batch);
}

int batch_poll(struct batch *batch, const struct timespec *timeout, const sigset_t *mask)
{
	int saved = errno, r;

	pthread_cleanup_push(clear_batch, batch);
	r = guard_poll(batch->fds, batch->count, timeout, mask);
	pthread_cleanup_pop(0);
	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

int interruptible_poll(struct batch *batch, const struct timespec *timeout)
{
	struct handlers_run before = handlers_run(), after;
	int r = batch_poll(batch, timeout, NULL);

	if (r != -EINTR)
		return r;
	after = handlers_run();
	/* In doubt - a handler that was installed without libc - it is the program that tries
	 * again. */
	return after.interrupting == before.interrupting && after.restarting != before.restarting
		       ? -ERESTART
		       : -EINTR;
}
