/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways to install a handler; each is a sigaction() with its own flags. */
#include "calls/border.h"
#include "handlers.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define SIGNALS 65

/* Those that siginterrupt() has said something about, a bit each (signal(2), siginterrupt(3)). */
static _Atomic uint64_t interrupting;

SEAM_EXPORT int sigaction(
	int number, const struct sigaction *restrict action, struct sigaction *restrict old)
{
	return handlers_set(number, action, old);
}
SEAM_ALIAS(__sigaction, sigaction);

static bool is_signal(int number)
{
	return number > 0 && number < SIGNALS;
}

static sighandler_t set(int number, sighandler_t handler, int flags, bool masks_itself)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags }, old;

	if (handler == SIG_ERR || !is_signal(number)) {
		errno = EINVAL;
		return SIG_ERR;
	}
	sigemptyset(&action.sa_mask);
	if (masks_itself)
		sigaddset(&action.sa_mask, number);
	return handlers_set(number, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

SEAM_EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	bool interrupts =
		is_signal(number) && (atomic_load(&interrupting) >> (number - 1) & 1) != 0;

	return set(number, handler, interrupts ? 0 : SA_RESTART, true);
}
SEAM_ALIAS(bsd_signal, signal);
SEAM_ALIAS(ssignal, signal);

SEAM_EXPORT sighandler_t sysv_signal(int number, sighandler_t handler)
{
	return set(number, handler, (int)(SA_RESETHAND | SA_NODEFER), false);
}
SEAM_ALIAS(__sysv_signal, sysv_signal);

SEAM_EXPORT int siginterrupt(int number, int interrupt)
{
	struct sigaction action;
	uint64_t bit;

	if (handlers_set(number, NULL, &action) < 0)
		return -1;
	bit = UINT64_C(1) << (number - 1);
	if (interrupt != 0) {
		atomic_fetch_or(&interrupting, bit);
		action.sa_flags &= ~SA_RESTART;
	} else {
		atomic_fetch_and(&interrupting, ~bit);
		action.sa_flags |= SA_RESTART;
	}
	return handlers_set(number, &action, NULL);
}

/* System V's: with SIG_HOLD it blocks, else it unblocks; and tells what was before (sigset(3)). */
SEAM_EXPORT sighandler_t sigset(int number, sighandler_t disposition)
{
	struct sigaction old;
	sigset_t one, before;
	sighandler_t was;

	sigemptyset(&one);
	if (disposition == SIG_ERR || sigaddset(&one, number) < 0) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (disposition == SIG_HOLD) {
		if (sigprocmask(SIG_BLOCK, &one, &before) < 0 ||
			handlers_set(number, NULL, &old) < 0)
			return SIG_ERR;
		was = old.sa_handler;
	} else {
		was = set(number, disposition, 0, false);
		if (was == SIG_ERR || sigprocmask(SIG_UNBLOCK, &one, &before) < 0)
			return SIG_ERR;
	}
	return sigismember(&before, number) == 1 ? SIG_HOLD : was;
}
