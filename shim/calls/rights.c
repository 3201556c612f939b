/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SCM_RIGHTS: whoever is passed a protected connection would send and receive past us, so it is
 * passed an end of a relay. The process that serves it starts once the message has gone.
 */
#include "calls/rights.h"

#include "conn/kernel.h"
#include "conn/memory.h"
#include "conn/relay.h"
#include "conn/successor.h"
#include "guard.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PASSED 253 /* SCM_MAX_FD (unix(7)) */

/* A descriptor in the message that has been exchanged for a relay's end. */
struct passed {
	struct conn *conn;
	int fd;
	struct relay_pair pair;
};

struct passing {
	struct passed passed[MOST_PASSED];
	size_t count;
};

/* The descriptors that a control message carries; NULL: it is no SCM_RIGHTS, or malformed. */
static uint8_t *descriptors_of(const struct msghdr *msg, struct cmsghdr *at, size_t *count)
{
	const uint8_t *end = (const uint8_t *)msg->msg_control + msg->msg_controllen;

	*count = 0;
	if (at->cmsg_len < CMSG_LEN(0) || at->cmsg_len > (size_t)(end - (const uint8_t *)at))
		return NULL; /* the kernel refuses it */
	if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
		return NULL;
	*count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	return CMSG_DATA(at);
}

static struct cmsghdr *next_control(const struct msghdr *msg, struct cmsghdr *at)
{
	return CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, at);
}

bool rights_pass_mapped(const struct msghdr *msg)
{
	if (msg->msg_control == NULL ||
		!memory_is_there(msg->msg_control, msg->msg_controllen, false))
		return false;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(msg); at != NULL; at = next_control(msg, at)) {
		size_t count;
		const uint8_t *descriptors = descriptors_of(msg, at, &count);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, descriptors + i * sizeof(fd), sizeof(fd));
			if (is_mapped(fd))
				return true;
		}
	}
	return false;
}

static int exchange(struct passing *passing, uint8_t *place, int through)
{
	struct passed *passed = &passing->passed[passing->count];
	int r;

	memcpy(&passed->fd, place, sizeof(passed->fd));
	passed->conn = mapped_get(passed->fd);
	if (passed->conn == NULL)
		return 0;
	if (kernel_leave(passed->conn, passed->fd, successor_departure_through(through))) {
		conn_put(passed->conn);
		return 0;
	}
	r = passing->count + 1 < MOST_PASSED
		    ? relay_pair_new(passed->conn, passed->fd, &passed->pair)
		    : -ETOOMANYREFS;
	if (r < 0) {
		conn_put(passed->conn);
		return r;
	}
	memcpy(place, &passed->pair.outside, sizeof(passed->pair.outside));
	passing->count++;
	return 0;
}

static int exchange_all(struct passing *passing, const struct msghdr *msg, int through)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(msg); at != NULL; at = next_control(msg, at)) {
		size_t count;
		uint8_t *descriptors = descriptors_of(msg, at, &count);

		for (size_t i = 0; i < count; i++) {
			int r = exchange(passing, descriptors + i * sizeof(int), through);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* A relay that cannot be started leaves the receiver with an end that is at its end. */
static void settle(struct passing *passing, bool sent)
{
	for (size_t i = 0; i < passing->count; i++) {
		struct passed *passed = &passing->passed[i];

		if (sent && relay_pair_start(passed->conn, passed->fd, &passed->pair, true) < 0)
			relay_complain(passed->conn);
		relay_pair_close(&passed->pair);
		conn_put(passed->conn);
	}
}

/* It may wait, and is then the program's to interrupt. */
static ssize_t send_unguarded(int fd, const struct msghdr *msg, int flags)
{
	struct guard guard;
	ssize_t n;

	guard_enter();
	guard_suspend(&guard, true);
	n = libc.sendmsg(fd, msg, flags);
	guard_resume(&guard);
	guard_leave();
	return n;
}

ssize_t rights_send(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr changed = *msg;
	struct passing *passing = calloc(1, sizeof(*passing));
	ssize_t n = -1;
	int r = -ENOMEM, saved = errno;

	changed.msg_control = malloc(msg->msg_controllen);
	if (passing != NULL && changed.msg_control != NULL) {
		memcpy(changed.msg_control, msg->msg_control, msg->msg_controllen);
		r = exchange_all(passing, &changed, fd);
	}
	if (r == 0) {
		errno = saved;
		n = send_unguarded(fd, &changed, flags);
		saved = errno;
	}
	if (passing != NULL)
		settle(passing, n >= 0);
	free(changed.msg_control);
	free(passing);
	errno = saved;
	return r < 0 ? errno_return(r) : n;
}
