/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One wait: the descriptors that it asks the kernel about, the program's and those of connections
 * on their way, and until when.
 */
#ifndef SEAMTLS_CONN_BATCH_H
#define SEAMTLS_CONN_BATCH_H

#include "conn/internal.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define BATCH_ON_STACK 64
#define BATCH_FOR_EVER UINT64_MAX

struct batch {
	struct pollfd *fds;
	struct conn_mark *conns; /* .conn NULL: not one of ours */
	size_t count, room;
	uint64_t deadline_us; /* the earliest of the connections', monotonic */
	bool shared;          /* somebody else may finish one of the handshakes */
	struct pollfd few_fds[BATCH_ON_STACK];
	struct conn_mark few_conns[BATCH_ON_STACK];
};

void batch_init(struct batch *batch);
void batch_clear(struct batch *batch);
/* Room for as many in all. False: no memory. */
bool batch_grow(struct batch *batch, size_t room);
/* `conn` may be NULL. False: no memory. */
bool batch_add(struct batch *batch, int fd, short events, struct conn *conn);
/* Everything on the driver's list that nobody else drives. `set`: an epoll set drives those that
 * are registered in one. */
void batch_add_list(struct batch *batch, bool set);
/* If somebody else may bring a handshake to its end, when to look whether that has happened. */
void batch_look_again(struct batch *batch, uint64_t *look_us);
/* The time from now to `until_us` or the batch's own deadline; NULL: for ever. */
const struct timespec *batch_time_left(
	const struct batch *batch, uint64_t until_us, struct timespec *out);
/* The connection of an entry after a wait, with a reference; NULL: none, or it is gone. */
struct conn *batch_regain(const struct batch *batch, size_t at);
/* Steps what is ready, from index `from` on, and what is overdue. Whether there was any. */
bool batch_step(struct batch *batch, size_t from);

/* --- wait.c. Out of the guard: nothing may be held. */
/* ppoll(). `mask` NULL: the program's. The count or -errno. */
int batch_poll(struct batch *batch, const struct timespec *timeout, const sigset_t *mask);
/* The same in place of a call that the kernel restarts: -EINTR after a handler without SA_RESTART,
 * -ERESTART after one with it. */
int interruptible_poll(struct batch *batch, const struct timespec *timeout);

#endif
