/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Epoll sets, for the cases that are about them. */
#ifndef TRANSPARENCY_EPOLL_SET_H
#define TRANSPARENCY_EPOLL_SET_H

#include "harness.h"

#include <errno.h>
#include <sys/epoll.h>

#define MARK UINT64_C(0x5eed5eed5eed0000)

static inline int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	NEED(set >= 0);
	return set;
}

static inline int control(int set, int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = MARK + (unsigned)fd };

	return epoll_ctl(set, op, fd, &event);
}

/* One event of one descriptor, or none within the time; its data is checked. */
static inline unsigned wait_one(int set, int fd, int ms)
{
	struct epoll_event events[4];
	int n = epoll_wait(set, events, 4, ms);

	NEED(n == 0 || n == 1);
	NEED(n == 0 || events[0].data.u64 == MARK + (unsigned)fd);
	return n == 0 ? 0 : events[0].events;
}

static inline void say_now(const char *what, int set, int fd)
{
	say_events(what, wait_one(set, fd, 0));
}

/* A connection that has just begun; its handshake is still to come. */
static inline int begun(void)
{
	struct sockaddr_in at;
	int fd, r;

	if (!is_client)
		return connected_unused();
	at = peer_listens();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r = connect(fd, (struct sockaddr *)&at, sizeof(at));
	NEED(r < 0 && errno == EINPROGRESS);
	return fd;
}

#endif
