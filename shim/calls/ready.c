/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waiting. While no connection of the process is on its way these are libc's functions at the price
 * of one load; otherwise the driver waits, and select() is a poll() in other clothes.
 */
#include "calls/border.h"
#include "conn/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- What is left of a time to wait */

struct wait {
	const struct timespec *timeout; /* NULL: for ever */
	bool begun;
	struct timespec start, left;
};

static bool is_valid(const struct timespec *timeout)
{
	return timeout == NULL ||
	       (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1000000000);
}

static void wait_begin(struct wait *wait, const struct timespec *timeout)
{
	*wait = (struct wait){ .timeout = timeout, .begun = true };
	/* Of no time nothing is left, whenever it began. */
	if (timeout != NULL && (timeout->tv_sec > 0 || timeout->tv_nsec > 0))
		clock_gettime(CLOCK_MONOTONIC, &wait->start);
}

static const struct timespec *wait_left(struct wait *wait)
{
	struct timespec now;

	if (wait->timeout == NULL)
		return NULL;
	if (!wait->begun)
		wait_begin(wait, wait->timeout);
	clock_gettime(CLOCK_MONOTONIC, &now);
	wait->left.tv_sec = wait->timeout->tv_sec - (now.tv_sec - wait->start.tv_sec);
	wait->left.tv_nsec = wait->timeout->tv_nsec - (now.tv_nsec - wait->start.tv_nsec);
	if (wait->left.tv_nsec < 0) {
		wait->left.tv_sec--;
		wait->left.tv_nsec += 1000000000;
	} else if (wait->left.tv_nsec >= 1000000000) {
		wait->left.tv_sec++;
		wait->left.tv_nsec -= 1000000000;
	}
	if (wait->left.tv_sec < 0)
		wait->left = (struct timespec){ 0 };
	return &wait->left;
}

static const struct timespec *from_ms(int ms, struct timespec *out)
{
	if (ms < 0)
		return NULL;
	out->tv_sec = ms / 1000;
	out->tv_nsec = (long)(ms % 1000) * 1000000;
	return out;
}

/* --- poll() */

SEAM_EXPORT int ppoll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct wait wait;
	int r;

	if (!is_valid(timeout) || (!driver_active() && !driver_may_settle()))
		return libc.ppoll(fds, count, timeout, mask);
	if (driver_active())
		return (int)errno_return(driver_poll(fds, count, timeout, mask));
	wait_begin(&wait, timeout);
	r = libc.ppoll(fds, count, timeout, mask);
	if (r <= 0)
		return r;
	r = driver_settle(fds, count, r);
	return r > 0 ? r : (int)errno_return(driver_poll(fds, count, wait_left(&wait), mask));
}

SEAM_EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	struct timespec time;

	if (!driver_active() && !driver_may_settle())
		return libc.poll(fds, count, timeout);
	return ppoll(fds, count, from_ms(timeout, &time), NULL);
}
SEAM_ALIAS(__poll, poll);

void __chk_fail(void) __attribute__((noreturn));

SEAM_EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
SEAM_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
	const sigset_t *mask, size_t room);

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	if (room / sizeof(*fds) < count)
		__chk_fail();
	return poll(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
	const sigset_t *mask, size_t room)
{
	if (room / sizeof(*fds) < count)
		__chk_fail();
	return ppoll(fds, count, timeout, mask);
}

/* --- select(): sets may be larger than fd_set, so bits are taken as select(2) lays them out. */

static bool is_set(const fd_set *set, int fd)
{
	return set != NULL &&
	       (((const unsigned long *)set)[fd / NFDBITS] >> (fd % NFDBITS) & 1) != 0;
}

static void put_set(fd_set *set, int fd)
{
	((unsigned long *)set)[fd / NFDBITS] |= 1UL << (fd % NFDBITS);
}

static void clear_set(fd_set *set, int count)
{
	if (set != NULL)
		memset(set, 0, (size_t)((count + NFDBITS - 1) / NFDBITS) * sizeof(unsigned long));
}

/* What select() means by its three sets, in terms of poll (select(2), "Correspondence"). */
static nfds_t to_poll(
	int count, const fd_set *in, const fd_set *out, const fd_set *err, struct pollfd *fds)
{
	nfds_t used = 0;

	for (int fd = 0; fd < count; fd++) {
		short events = (short)((is_set(in, fd) ? POLLIN | POLLRDNORM | POLLRDBAND : 0) |
				       (is_set(out, fd) ? POLLOUT | POLLWRNORM : 0) |
				       (is_set(err, fd) ? POLLPRI : 0));

		if (events != 0)
			fds[used++] = (struct pollfd){ .fd = fd, .events = events };
	}
	return used;
}

static int mark(fd_set *set, bool ready, const struct pollfd *fd)
{
	if (set == NULL || !ready)
		return 0;
	put_set(set, fd->fd);
	return 1;
}

static int from_poll(
	const struct pollfd *fds, nfds_t used, int count, fd_set *in, fd_set *out, fd_set *err)
{
	int ready = 0;

	clear_set(in, count);
	clear_set(out, count);
	clear_set(err, count);
	for (nfds_t i = 0; i < used; i++) {
		short got = fds[i].revents, wanted = fds[i].events;

		ready += mark(in,
			(wanted & POLLIN) != 0 &&
				(got & (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)) != 0,
			&fds[i]);
		ready += mark(out,
			(wanted & POLLOUT) != 0 &&
				(got & (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)) != 0,
			&fds[i]);
		ready += mark(err, (wanted & POLLPRI) != 0 && (got & POLLPRI) != 0, &fds[i]);
	}
	return ready;
}

static bool any_bad(const struct pollfd *fds, nfds_t used)
{
	for (nfds_t i = 0; i < used; i++)
		if ((fds[i].revents & POLLNVAL) != 0)
			return true;
	return false;
}

static int select_by_poll(int count, fd_set *in, fd_set *out, fd_set *err,
	const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd few[64], *fds = few;
	nfds_t used;
	int r;

	if (count < 0)
		return -EINVAL;
	if ((size_t)count > sizeof(few) / sizeof(*few))
		fds = calloc((size_t)count, sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	used = to_poll(count, in, out, err, fds);
	r = driver_poll(fds, used, timeout, mask);
	if (r >= 0)
		r = any_bad(fds, used) ? -EBADF : from_poll(fds, used, count, in, out, err);
	if (fds != few)
		free(fds);
	return r;
}

/* A select() that a poll() has to stand in for. The kernel overwrites its sets, so they are looked
 * at before. */
static bool by_poll(int count, const fd_set *in)
{
	if (driver_active())
		return true;
	for (int fd = 0; driver_may_settle() && in != NULL && fd < count; fd++)
		if (is_set(in, fd) && driver_settles(fd))
			return true;
	return false;
}

SEAM_EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *err,
	const struct timespec *timeout, const sigset_t *mask)
{
	if (!is_valid(timeout) || !by_poll(count, in))
		return libc.pselect(count, in, out, err, timeout, mask);
	return (int)errno_return(select_by_poll(count, in, out, err, timeout, mask));
}

/* Linux writes back the time that is left (select(2)). */
static void write_back(struct timeval *timeout, const struct timespec *start)
{
	struct timespec now;
	long long left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (long long)timeout->tv_sec * 1000000 + timeout->tv_usec;
	left -= (long long)(now.tv_sec - start->tv_sec) * 1000000 +
		(now.tv_nsec - start->tv_nsec) / 1000;
	if (left < 0)
		left = 0;
	timeout->tv_sec = (time_t)(left / 1000000);
	timeout->tv_usec = (suseconds_t)(left % 1000000);
}

SEAM_EXPORT int select(int count, fd_set *in, fd_set *out, fd_set *err, struct timeval *timeout)
{
	struct timespec time, start;
	int r;

	if ((timeout != NULL && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) ||
		!by_poll(count, in))
		return libc.select(count, in, out, err, timeout);
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (timeout != NULL) {
		time.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
		time.tv_nsec = (long)(timeout->tv_usec % 1000000) * 1000;
	}
	r = select_by_poll(count, in, out, err, timeout != NULL ? &time : NULL, NULL);
	if (timeout != NULL)
		write_back(timeout, &start);
	return (int)errno_return(r);
}
SEAM_ALIAS(__select, select);

/* --- epoll */

SEAM_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct conn *conn = conn_get(fd);
	int r = 1;

	if (conn != NULL) {
		r = conn_epoll_ctl(conn, epfd, op, fd, event);
		conn_put(conn);
	}
	return r > 0 ? libc.epoll_ctl(epfd, op, fd, event) : (int)errno_return(r);
}

/*
 * A wait that began as libc's may end with a tag of ours: another thread has put a connection into
 * the set meanwhile, or what is readable is no data. Then nothing of the program's may have
 * happened, and the wait goes on.
 */
static int after_wait(int epfd, struct epoll_event *events, int max, int got, struct wait *wait,
	const sigset_t *mask)
{
	bool stepped;

	if (got <= 0)
		return got;
	got = interest_filter(events, got, &stepped);
	if (got > 0 || !stepped)
		return got;
	return (int)errno_return(driver_epoll(epfd, events, max, wait_left(wait), mask));
}

/*
 * Before anything of ours is in any set the clock is not read: the one wait in which that changes
 * may last for longer, by as much as it had waited.
 */
static void wait_begin_in_set(struct wait *wait, const struct timespec *timeout)
{
	*wait = (struct wait){ .timeout = timeout };
	if (interest_any_set())
		wait_begin(wait, timeout);
}

/* Nothing of ours can come of it. */
static bool is_plain(const struct epoll_event *events, int max, const struct timespec *timeout)
{
	return events == NULL || max <= 0 || !is_valid(timeout);
}

SEAM_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max,
	const struct timespec *timeout, const sigset_t *mask)
{
	struct wait wait;

	if (is_plain(events, max, timeout))
		return libc.epoll_pwait2(epfd, events, max, timeout, mask);
	if (driver_active())
		return (int)errno_return(driver_epoll(epfd, events, max, timeout, mask));
	wait_begin_in_set(&wait, timeout);
	return after_wait(epfd, events, max, libc.epoll_pwait2(epfd, events, max, timeout, mask),
		&wait, mask);
}

SEAM_EXPORT int epoll_pwait(
	int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	struct timespec time;
	struct wait wait;

	if (is_plain(events, max, NULL))
		return libc.epoll_pwait(epfd, events, max, timeout, mask);
	if (driver_active())
		return (int)errno_return(
			driver_epoll(epfd, events, max, from_ms(timeout, &time), mask));
	wait_begin_in_set(&wait, from_ms(timeout, &time));
	return after_wait(
		epfd, events, max, libc.epoll_pwait(epfd, events, max, timeout, mask), &wait, mask);
}

SEAM_EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	struct timespec time;
	struct wait wait;

	if (is_plain(events, max, NULL))
		return libc.epoll_wait(epfd, events, max, timeout);
	if (driver_active())
		return epoll_pwait(epfd, events, max, timeout, NULL);
	wait_begin_in_set(&wait, from_ms(timeout, &time));
	return after_wait(
		epfd, events, max, libc.epoll_wait(epfd, events, max, timeout), &wait, NULL);
}
