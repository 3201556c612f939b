/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For the sanitizers, which want to know of every stack: on the thread's own. */
#include "deep.h"

#include "guard.h"

#include <errno.h>

void deep_run(void (*run)(void *arg), void *arg)
{
	int saved = errno;

	guard_enter();
	run(arg);
	guard_leave();
	errno = saved;
}

void deep_lock_for_fork(bool on)
{
	(void)on;
}
