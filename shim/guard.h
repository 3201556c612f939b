/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rule for every lock of the library: while one is held, and while a call has anything of a
 * connection in its hands, no code of the program runs in this thread. A signal that comes
 * meanwhile is held back until the thread has left the guard (handlers.h), so that a handler finds
 * nothing half done, may call what we stand in for, and may leave by siglongjmp(); and the thread
 * is not cancelled. A wait in the kernel is outside of the guard: whoever waits holds no lock and
 * no reference. Being in the guard costs no system call, unless a signal does come.
 *
 * The locks, each nested only in those above it:
 *   calls/spawn.c            stand-ins of descriptors for children
 *   share->receive_lock      what was received; between processes, robust
 *   conn->lock               this process's handshake; mostly tried, seldom waited for
 *   the gate of deep.h       shared by who is on a deep stack; fork() has it alone
 *   host_lock                loading of policy and contexts
 *   host_rules.c             which of them apply: held for a look or a swap only
 *   share->send_lock         what is sent; between processes, robust
 *   driver.c, interest.c     connections on their way; entries of epoll sets
 *   names.c, share.c, table.c, deep.c    leaves: a list each
 *   tls/session_cache.c, tls/ticket_key.c    leaves; between processes, robust
 *   heap.c                   a leaf below all of these
 * fork() takes those of this process but conn->lock (fork.c): the child finds nothing half done,
 * and of a handshake that was half way through a step it makes no use.
 *
 * Faults (SIGSEGV and the like) are not held back: they are the program's own, at a buffer of its.
 */
#ifndef SEAMTLS_GUARD_H
#define SEAMTLS_GUARD_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <time.h>

/* In pairs, which may be nested. */
void guard_enter(void);
void guard_leave(void);

/* getpid(), which inside of the guard is asked for once: no fork() and no vfork() comes between. */
pid_t guard_pid(void);

/* In a child, which may have been made inside of the guard. */
void guard_in_child(void);

/* For a process of the library's own, with its signals blocked: no code of the host program is to
 * run in it any more. */
void guard_stay(void);

/* In a handler: whether the signal was held back, to come again when the thread leaves the guard.
 */
bool guard_hold_back(int number, siginfo_t *info, void *context);

/* A lock of this process's threads, with the guard. */
void guard_lock(pthread_mutex_t *lock);
bool guard_try_lock(pthread_mutex_t *lock);
void guard_unlock(pthread_mutex_t *lock);

/*
 * For a wait: out of the guard, all its levels, and into it again. With `deliver` signals are
 * handled from here on; without, they stay blocked until the kernel puts `mask` in place as part of
 * the wait, so that none comes between.
 */
struct guard {
	unsigned depth;
	int cancel, type;
	bool delivers;
	sigset_t mask; /* the program's own, if signals are blocked */
};
void guard_suspend(struct guard *out, bool deliver);
void guard_resume(const struct guard *from);
/* ppoll() and epoll_pwait() as such waits. `mask` NULL: the program's. The count, or -1 and errno.
 */
int guard_poll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int guard_epoll(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask);

#endif
