/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Waiting while connections are on their way: what the poll family needs of them.
 */
#ifndef SEAMTLS_CONN_DRIVER_H
#define SEAMTLS_CONN_DRIVER_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>

/* Anything to drive at all. One load. */
bool driver_active(void);
/*
 * poll() of the program's descriptors: the readiness of those on their way is ours to say.
 * `timeout` NULL: for ever. The count or -errno.
 */
int driver_poll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
/* Whether there is anything that the three below may have to do with. One load. */
bool driver_may_settle(void);
/* What poll() says of fd may not be what the program is to see. */
bool driver_settles(int fd);
/* After a poll() that was not driver_poll(): takes back what is no data. `ready`, less those of
 * which nothing is left. */
int driver_settle(struct pollfd *fds, nfds_t count, int ready);
/* epoll_pwait2(), likewise. */
int driver_epoll(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
	const sigset_t *mask);
/* Whether anything of ours has ever been in an epoll set. One load. */
bool interest_any_set(void);
/*
 * Takes from `events` what is ours: steps it, or puts the program's own data in. Returns how many
 * are left for the program; *stepped whether something of ours was among them.
 */
int interest_filter(struct epoll_event *events, int count, bool *stepped);

#endif
