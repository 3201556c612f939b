/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A counter a thread, which its own signal handlers look at. Who comes while it is not 0 puts his
 * signal back, to himself, and has the kernel block all of them when the handler returns: they are
 * pending then, and come when the thread takes the mask back as it leaves.
 */
#include "guard.h"

#include "libc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* The kernel's own set: what of a sigset_t is in a ucontext_t. */
#define KERNEL_SET_LEN sizeof(uint64_t)
/* libc's own, for cancellation and setuid() in all threads. */
#define LIBC_FIRST 32
#define LIBC_LAST 33

struct inside {
	_Atomic unsigned depth;
	int cancel; /* the program's own state and type of cancellation, while depth > 0 */
	int type;
	pid_t pid;     /* while depth > 0; 0: nobody has asked */
	bool blocked;  /* signals are, until the thread leaves .. */
	sigset_t mask; /* .. and gets this one back */
};

static _Thread_local struct inside inside __attribute__((tls_model("initial-exec")));

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

static bool is_fault(int number)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (faults[i] == number)
			return true;
	return false;
}

static uint64_t most_signals(void)
{
	uint64_t most = UINT64_MAX;

	for (int number = LIBC_FIRST; number <= LIBC_LAST; number++)
		most &= ~(UINT64_C(1) << (number - 1));
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		most &= ~(UINT64_C(1) << (faults[i] - 1));
	return most;
}

static void block(sigset_t *before)
{
	uint64_t most = most_signals();
	sigset_t set;

	sigemptyset(&set);
	memcpy(&set, &most, sizeof(most));
	sigprocmask(SIG_BLOCK, &set, before);
}

/* Only this thread and its handlers, which leave it as they have found it. */
static unsigned depth(void)
{
	return atomic_load_explicit(&inside.depth, memory_order_relaxed);
}

static void set_depth(unsigned to)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&inside.depth, to, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static void unblock(void)
{
	sigset_t mask = inside.mask;

	if (!inside.blocked)
		return;
	inside.blocked = false;
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* The type as well: a cancellation that was sent before asks for nothing but that (glibc). */
static void forbid_cancel(int *state, int *type)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, state);
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, type);
}

static void allow_cancel(int state, int type)
{
	pthread_setcancelstate(state, NULL);
	pthread_setcanceltype(type, NULL); /* last: this is where it leaves PTHREAD_CANCELED */
}

void guard_enter(void)
{
	set_depth(depth() + 1);
	if (depth() > 1)
		return;
	inside.pid = 0;
	forbid_cancel(&inside.cancel, &inside.type);
}

void guard_leave(void)
{
	if (depth() == 1)
		allow_cancel(inside.cancel, inside.type);
	set_depth(depth() - 1);
	if (depth() == 0)
		unblock();
}

pid_t guard_pid(void)
{
	if (depth() == 0)
		return getpid();
	if (inside.pid == 0)
		inside.pid = getpid();
	return inside.pid;
}

void guard_in_child(void)
{
	inside.pid = 0;
}

void guard_stay(void)
{
	guard_enter();
	guard_in_child();
	inside.cancel = PTHREAD_CANCEL_DISABLE;
	inside.blocked = false;
}

static void put_back(int number, siginfo_t *info)
{
	long pid = getpid(), tid = libc.syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);

	if (libc.syscall(SYS_rt_tgsigqueueinfo, pid, tid, number, (long)info, 0, 0) < 0)
		libc.syscall(SYS_tgkill, pid, tid, number, 0, 0, 0);
}

bool guard_hold_back(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	uint64_t most = most_signals(), now;
	int saved = errno;
	sigset_t before;

	if (depth() == 0 || (is_fault(number) && info->si_code > 0))
		return false;
	block(&before);
	memcpy(&now, &at->uc_sigmask, KERNEL_SET_LEN);
	if (!inside.blocked) {
		sigemptyset(&inside.mask);
		memcpy(&inside.mask, &now, KERNEL_SET_LEN);
		inside.blocked = true;
	}
	now |= most;
	memcpy(&at->uc_sigmask, &now, KERNEL_SET_LEN);
	put_back(number, info);
	errno = saved;
	return true;
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
	*out = (struct guard){
		.depth = depth(), .cancel = inside.cancel, .type = inside.type, .delivers = deliver
	};
	if (!deliver) {
		/* After a wait, and after a signal that was held back, they are. */
		if (inside.blocked)
			out->mask = inside.mask;
		else
			block(&out->mask);
		inside.blocked = false; /* not to be undone by a handler that comes in the wait */
	}
	allow_cancel(out->cancel, out->type);
	set_depth(0);
	unblock();
}

void guard_resume(const struct guard *from)
{
	set_depth(from->depth);
	forbid_cancel(NULL, NULL);
	inside.cancel = from->cancel;
	inside.type = from->type;
	inside.pid = 0; /* a handler may have forked, and this be the child */
	if (!from->delivers) {
		inside.mask = from->mask;
		inside.blocked = true;
	}
}

/* A wait without `delivers` was ended by cancellation: the thread's mask as the program left it. */
static void cancelled(void *from)
{
	const struct guard *guard = from;

	if (!guard->delivers)
		sigprocmask(SIG_SETMASK, &guard->mask, NULL);
}

int guard_poll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct guard guard;
	int r;

	guard_suspend(&guard, false);
	pthread_cleanup_push(cancelled, &guard);
	r = libc.ppoll(fds, count, timeout, mask != NULL ? mask : &guard.mask);
	pthread_cleanup_pop(0);
	guard_resume(&guard);
	return r;
}

int guard_epoll(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	struct guard guard;
	int r;

	guard_suspend(&guard, false);
	pthread_cleanup_push(cancelled, &guard);
	r = libc.epoll_pwait(epfd, events, max, timeout, mask != NULL ? mask : &guard.mask);
	pthread_cleanup_pop(0);
	guard_resume(&guard);
	return r;
}
