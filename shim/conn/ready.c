/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program's own waits while connections are on their way. The kernel is asked what the
 * handshakes need, everything that can be stepped is, and the program hears of what it asked for:
 * of such a connection nothing, until it is open or has failed.
 */
#include "conn/batch.h"
#include "conn/permissive.h"

#include "guard.h"
#include "libc.h"

#include <errno.h>
#include <poll.h>
#include <sys/single_threaded.h>

static uint64_t deadline_of(const struct timespec *timeout)
{
	if (timeout == NULL)
		return BATCH_FOR_EVER;
	/* Beyond what a clock will ever show: for ever. */
	if (timeout->tv_sec > INT32_MAX)
		return BATCH_FOR_EVER;
	return sys_monotonic_us() + (uint64_t)timeout->tv_sec * 1000000 +
	       (uint64_t)(timeout->tv_nsec + 999) / 1000;
}

static bool fill_program(struct batch *batch, const struct pollfd *fds, nfds_t count)
{
	if (!batch_grow(batch, count))
		return false;
	for (nfds_t i = 0; i < count; i++) {
		struct conn *conn = fds[i].fd >= 0 ? table_get(fds[i].fd) : NULL;
		short events = fds[i].events;

		if (conn != NULL)
			driver_start_if_deferred(conn, events);
		if (conn != NULL)
			permissive_program_waits(conn, (uint32_t)(uint16_t)events);
		if (conn != NULL && (events & POLLIN) != 0 && conn_has_answer(conn))
			batch->deadline_us = 0; /* it is there already */
		if (conn != NULL && conn_waits_for_greeting(conn))
			events = (short)(events & ~(POLLIN | POLLRDNORM));
		if (conn != NULL && conn_is_on_its_way(conn)) {
			events = conn_establish_events(conn);
			batch->shared |= !__libc_single_threaded;
		}
		batch_add(batch, fds[i].fd, events, conn);
		if (conn != NULL)
			conn_unref(conn);
	}
	return true;
}

/* What is readable for the kernel, and no data: the same without it. */
static short settled(struct conn *conn, int fd, short revents)
{
	if ((revents & (POLLIN | POLLRDNORM)) == 0 || (revents & (POLLERR | POLLHUP)) != 0 ||
		!conn_settles(conn) || conn_settle(conn, fd) != 0)
		return revents;
	return (short)(revents & ~(POLLIN | POLLRDNORM));
}

/* One of the program's descriptors after a poll: what it may see. */
static short visible(
	const struct pollfd *wanted, const struct pollfd *got, struct conn *conn, bool *stepped)
{
	short revents = got->revents;

	if (conn == NULL)
		return revents;
	if (conn_is_on_its_way(conn)) {
		if (revents != 0) {
			conn_establish(conn, wanted->fd);
			*stepped = true;
		}
		return (short)(revents & POLLNVAL);
	}
	if (got->events != wanted->events &&
		!conn_waits_for_greeting(
			conn)) { /* it got there meanwhile: ask again for what the program wants */
		*stepped = true;
		return 0;
	}
	if (conn_state(conn) == CONN_DEFERRED && (revents & POLLOUT) != 0)
		conn->out_told = true;
	if (conn_has_answer(conn))
		revents = (short)(revents | (wanted->events & (POLLIN | POLLRDNORM)));
	if (conn_state(conn) == CONN_FAILED && !atomic_load(&conn->share->error_told))
		revents = (short)(revents | POLLERR);
	revents = settled(conn, wanted->fd, revents);
	*stepped |= revents != got->revents;
	return revents;
}

/* One round. The count of descriptors with something to report, or -errno; *stepped: worth another
 * look at once. */
static int poll_round(struct pollfd *fds, nfds_t count, uint64_t deadline_us, uint64_t *look_us,
	const sigset_t *mask, bool *stepped)
{
	struct timespec left;
	struct batch batch;
	int r, ready = 0;

	batch_init(&batch);
	if (!fill_program(&batch, fds, count)) {
		batch_clear(&batch);
		return -ENOMEM;
	}
	batch_add_list(&batch, false);
	batch_look_again(&batch, look_us);
	r = batch_poll(&batch, batch_time_left(&batch, deadline_us, &left), mask);
	if (r >= 0) {
		for (nfds_t i = 0; i < count; i++) {
			struct conn *conn = batch_regain(&batch, i);

			fds[i].revents = visible(&fds[i], &batch.fds[i], conn, stepped);
			ready += fds[i].revents != 0;
			if (conn != NULL)
				conn_unref(conn);
		}
		*stepped |= batch_step(&batch, count);
	}
	batch_clear(&batch);
	return r < 0 ? r : ready;
}

int driver_poll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	uint64_t deadline_us = deadline_of(timeout), look_us = DRIVER_LOOK_FIRST_US;

	bool stepped;
	int r;

	guard_enter();
	do {
		stepped = false;
		r = poll_round(fds, count, deadline_us, &look_us, mask, &stepped);
	} while (r == 0 && (stepped || sys_monotonic_us() < deadline_us));
	guard_leave();
	return r;
}

bool driver_may_settle(void)
{
	return table_high() > 0;
}

bool driver_settles(int fd)
{
	struct conn *conn = conn_get(fd);
	bool settles = conn != NULL && conn_settles(conn);

	if (conn != NULL)
		conn_put(conn);
	return settles;
}

int driver_settle(struct pollfd *fds, nfds_t count, int ready)
{
	for (nfds_t i = 0; i < count && ready > 0; i++) {
		struct conn *conn =
			(fds[i].revents & (POLLIN | POLLRDNORM)) != 0 ? conn_get(fds[i].fd) : NULL;

		if (conn == NULL)
			continue;
		fds[i].revents = settled(conn, fds[i].fd, fds[i].revents);
		ready -= fds[i].revents == 0;
		conn_put(conn);
	}
	return ready;
}

static int real_epoll(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
	const sigset_t *mask)
{
	int saved = errno, r, ms = -1;

	/* Rounded up: a wait may be longer than asked, never shorter. */
	if (timeout != NULL)
		ms = (int)(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000);
	r = guard_epoll(epfd, events, max, ms, mask);
	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

static int epoll_round(int epfd, struct epoll_event *events, int max, uint64_t deadline_us,
	uint64_t *look_us, const sigset_t *mask, bool *stepped)
{
	static const struct timespec now = { 0 };
	const struct timespec *timeout;
	struct timespec left;
	struct batch batch;
	int r = 0;

	batch_init(&batch);
	batch_add(&batch, epfd, POLLIN, NULL);
	batch_add_list(&batch, true);
	batch_look_again(&batch, look_us);
	timeout = batch_time_left(&batch, deadline_us, &left);
	if (batch.count > 1) {
		r = batch_poll(&batch, timeout, mask);
		timeout = &now;
	}
	if (r >= 0)
		r = real_epoll(epfd, events, max, timeout, mask);
	if (r >= 0) {
		r = interest_filter(events, r, stepped);
		*stepped |= batch_step(&batch, 1);
	}
	batch_clear(&batch);
	return r;
}

int driver_epoll(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
	const sigset_t *mask)
{
	uint64_t deadline_us = deadline_of(timeout), look_us = DRIVER_LOOK_FIRST_US;

	bool stepped;
	int r;

	guard_enter();
	do {
		stepped = false;
		driver_start_deferred(epfd);
		r = epoll_round(epfd, events, max, deadline_us, &look_us, mask, &stepped);
	} while (r == 0 && (stepped || sys_monotonic_us() < deadline_us));
	guard_leave();
	return r;
}
