/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guard.h"

#include "libc.h"

struct inside {
	unsigned depth;
	int cancel;    /* the program's own setting, while depth > 0 */
	sigset_t mask; /* ... and mask */
};

static _Thread_local struct inside inside __attribute__((tls_model("initial-exec")));

static void block(sigset_t *before)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t most;

	sigfillset(&most);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&most, faults[i]);
	sigprocmask(SIG_BLOCK, &most, before);
}

void guard_enter(void)
{
	sigset_t mask;
	int cancel;

	if (inside.depth > 0) {
		inside.depth++;
		return;
	}
	/* A handler may come at any point until the signals are blocked, and use all this itself.
	 */
	block(&mask);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	inside.mask = mask;
	inside.cancel = cancel;
	inside.depth = 1;
}

void guard_leave(void)
{
	sigset_t mask = inside.mask;

	if (--inside.depth > 0)
		return;
	pthread_setcancelstate(inside.cancel, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

void guard_stay(void)
{
	guard_enter();
	sigfillset(&inside.mask);
	inside.cancel = PTHREAD_CANCEL_DISABLE;
}

void guard_lock(pthread_mutex_t *lock)
{
	guard_enter();
	pthread_mutex_lock(lock);
}

bool guard_try_lock(pthread_mutex_t *lock)
{
	guard_enter();
	if (pthread_mutex_trylock(lock) == 0)
		return true;
	guard_leave();
	return false;
}

void guard_unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
	guard_leave();
}

void guard_suspend(struct guard *out, bool deliver)
{
	*out = (struct guard){ .depth = inside.depth,
		.cancel = inside.cancel,
		.delivers = deliver,
		.mask = inside.mask };
	inside.depth = 0;
	pthread_setcancelstate(out->cancel, NULL);
	if (deliver)
		sigprocmask(SIG_SETMASK, &out->mask, NULL);
}

void guard_resume(const struct guard *from)
{
	sigset_t mask;

	if (from->delivers)
		block(&mask);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	inside.mask = from->mask;
	inside.cancel = from->cancel;
	inside.depth = from->depth;
}

const sigset_t *guard_mask(void)
{
	return &inside.mask;
}

void guard_cancelled(void *from)
{
	const struct guard *guard = from;

	sigprocmask(SIG_SETMASK, &guard->mask, NULL);
}

int guard_poll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct guard guard;
	int r;

	guard_suspend(&guard, false);
	pthread_cleanup_push(guard_cancelled, &guard);
	r = libc.ppoll(fds, count, timeout, mask != NULL ? mask : &guard.mask);
	pthread_cleanup_pop(0);
	guard_resume(&guard);
	return r;
}
