/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waits that signals end. The kernel restarts a read or a connect after a handler with SA_RESTART,
 * and ends it with EINTR after one without; a poll in their place always ends, and does not tell
 * which handler it was. If all handlers of the program are of one kind there is nothing to ask.
 * Otherwise the wait is with the signals blocked and a signalfd beside the program's descriptors,
 * so that the one that comes is seen before it is handled.
 */
#include "conn/batch.h"

#include "guard.h"
#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>

#define SIGNAL_FD_LEAST 512

struct handlers {
	sigset_t restarting, interrupting; /* of signals that the program has not blocked */
	bool any_restarting, any_interrupting;
};

static void find_handlers(struct handlers *out, const sigset_t *blocked)
{
	*out = (struct handlers){ 0 };
	sigemptyset(&out->restarting);
	sigemptyset(&out->interrupting);
	for (int number = 1; number <= SIGRTMAX; number++) {
		struct sigaction action;

		if (sigismember(blocked, number) == 1 || sigaction(number, NULL, &action) != 0 ||
			action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
			continue;
		if ((action.sa_flags & SA_RESTART) != 0) {
			sigaddset(&out->restarting, number);
			out->any_restarting = true;
		} else {
			sigaddset(&out->interrupting, number);
			out->any_interrupting = true;
		}
	}
}

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

/* A number above those that programs look at. */
static int make_signal_fd(const struct handlers *handlers)
{
	int saved = errno, made, high;
	sigset_t both;

	sigorset(&both, &handlers->restarting, &handlers->interrupting);
	made = signalfd(-1, &both, SFD_CLOEXEC | SFD_NONBLOCK);
	high = made >= 0 ? sys_fcntl(made, F_DUPFD_CLOEXEC, SIGNAL_FD_LEAST) : -1;
	if (made >= 0 && high >= 0)
		sys_close(made);
	errno = saved;
	return high >= 0 ? high : made;
}

/* What the kernel will deliver first decides (signal(7)); then all of them are handled. 0: another
 * thread has taken it. */
static int handle_pending(const struct handlers *handlers)
{
	struct guard guard;
	sigset_t pending;
	int r = 0;

	sigpending(&pending);
	for (int number = 1; number <= SIGRTMAX && r == 0; number++) {
		if (sigismember(&pending, number) != 1)
			continue;
		if (sigismember(&handlers->restarting, number) == 1)
			r = -ERESTART;
		else if (sigismember(&handlers->interrupting, number) == 1)
			r = -EINTR;
	}
	guard_suspend(&guard, true);
	guard_resume(&guard);
	return r;
}

struct signal_wait {
	struct batch *batch;
	int fd;
};

static void end_signal_wait(void *arg)
{
	const struct signal_wait *wait = arg;

	sys_close(wait->fd);
}

static int poll_with_signals(struct batch *batch, const struct timespec *timeout, int signal_fd,
	const struct handlers *handlers)
{
	struct signal_wait wait = { .batch = batch, .fd = signal_fd };
	size_t at = batch->count;
	sigset_t all;
	bool came;
	int r;

	if (!batch_add(batch, signal_fd, POLLIN, NULL)) {
		sys_close(signal_fd);
		return -ENOMEM;
	}
	sigfillset(&all);
	pthread_cleanup_push(end_signal_wait, &wait);
	r = batch_poll(batch, timeout, &all);
	pthread_cleanup_pop(1);
	came = r > 0 && batch->fds[at].revents != 0;
	batch->count = at;
	/* As the kernel has it: what is ready comes before a signal. */
	if (!came || r > 1)
		return came ? r - 1 : r;
	return handle_pending(handlers);
}

int interruptible_poll(struct batch *batch, const struct timespec *timeout)
{
	struct handlers handlers;
	int r, signal_fd;

	find_handlers(&handlers, guard_mask());
	if (handlers.any_restarting && handlers.any_interrupting) {
		signal_fd = make_signal_fd(&handlers);
		if (signal_fd >= 0)
			return poll_with_signals(batch, timeout, signal_fd, &handlers);
	}
	r = batch_poll(batch, timeout, NULL);
	if (r != -EINTR)
		return r;
	/* One may have been installed meanwhile. In doubt it is the program that tries again. */
	find_handlers(&handlers, guard_mask());
	return handlers.any_restarting && !handlers.any_interrupting ? -ERESTART : -EINTR;
}
