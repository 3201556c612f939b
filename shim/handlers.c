/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "handlers.h"

#include "guard.h"
#include "libc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#define SIGNALS 65
/* What our own handler is installed with or without, whatever the program's says. */
#define SHOWN_FLAGS (SA_SIGINFO | (int)SA_RESETHAND)

typedef void handler_function(int number, siginfo_t *info, void *context);

/* What the program has asked for, where the kernel has ours. */
struct handler {
	_Atomic(handler_function *) function;
	_Atomic int flags;
};

static struct handler handlers[SIGNALS];
static _Atomic pid_t owner;
static _Thread_local struct handlers_run run __attribute__((tls_model("initial-exec")));

void handlers_own(void)
{
	atomic_store(&owner, getpid());
}

struct handlers_run handlers_run(void)
{
	return run;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	static const struct sigaction by_default = { .sa_handler = SIG_DFL };
	handler_function *function = atomic_load(&handlers[number].function);
	int flags = atomic_load(&handlers[number].flags);

	if (guard_hold_back(number, info, context))
		return;
	if ((flags & (int)SA_RESETHAND) != 0)
		libc.sigaction(number, &by_default, NULL);
	if ((flags & SA_RESTART) != 0)
		run.restarting++;
	else
		run.interrupting++;
	/* With all three arguments whatever it takes, as the kernel itself calls it. */
	function(number, info, context);
}

static bool is_function(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN &&
	       action->sa_handler != SIG_ERR;
}

static int install(int number, const struct sigaction *action, struct sigaction *was)
{
	struct sigaction ours = *action;

	ours.sa_sigaction = on_signal;
	ours.sa_flags = (ours.sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO;
	atomic_store(&handlers[number].flags, action->sa_flags);
	atomic_store(&handlers[number].function, action->sa_sigaction);
	return libc.sigaction(number, &ours, was);
}

int handlers_set(int number, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction was;
	handler_function *function;
	int flags, r;

	/* A vfork child's table is its parent's. */
	if (number < 1 || number >= SIGNALS || atomic_load(&owner) != getpid())
		return libc.sigaction(number, action, old);
	function = atomic_load(&handlers[number].function);
	flags = atomic_load(&handlers[number].flags);
	if (action != NULL && is_function(action))
		r = install(number, action, &was);
	else
		r = libc.sigaction(number, action, &was);
	if (r < 0) {
		atomic_store(&handlers[number].function, function);
		atomic_store(&handlers[number].flags, flags);
		return r;
	}
	if (was.sa_sigaction == on_signal) {
		was.sa_sigaction = function;
		was.sa_flags = (was.sa_flags & ~SHOWN_FLAGS) | (flags & SHOWN_FLAGS);
	}
	if (old != NULL)
		*old = was;
	return 0;
}
