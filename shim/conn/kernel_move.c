/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sendfile() and splice() to a connection whose records the kernel makes: calls of the kernel's
 * that may wait, so that nothing is held. The other way splice() is not left to it: before Linux
 * 6.7 it loses what a pipe has no room for.
 */
#include "conn/kernel.h"

#include "conn/internal.h"
#include "conn/outlet.h"
#include "guard.h"
#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>

/* What goes before data. 0, -EAGAIN or -errno; *hurries as outlet_hurry(). */
static int prepare(struct conn *conn, int fd, bool *hurries)
{
	struct share *share = conn->share;
	int r = outlet_lock(conn);

	*hurries = false;
	if (r < 0)
		return r;
	r = share->send_closed || share->kernel_send_over ? -EPIPE : outlet_flush(share, fd);
	if (r == 0)
		r = outlet_renew_key(share, fd);
	if (r == 0) {
		*hurries = outlet_hurry(share, fd);
		r = kernel_send_tickets(conn, fd);
	}
	share_unlock(&share->send_lock);
	return r;
}

static void settle(struct conn *conn, int fd, ssize_t n, bool hurries)
{
	if (hurries)
		outlet_hurry_end(fd);
	if (n <= 0)
		return;
	atomic_fetch_add_explicit(&conn->share->bytes_out, (uint64_t)n, memory_order_relaxed);
	if (outlet_lock(conn) < 0)
		return;
	kernel_count(conn->share, (size_t)n);
	share_unlock(&conn->share->send_lock);
}

struct move {
	int from, to;
	off_t *offset;
	size_t len;
	unsigned flags;
};

static ssize_t move_file(const struct move *move)
{
	return libc.sendfile(move->to, move->from, move->offset, move->len);
}

static ssize_t move_pipe(const struct move *move)
{
	return libc.splice(move->from, NULL, move->to, NULL, move->len, move->flags);
}

static ssize_t run(
	struct conn **held, const struct move *move, ssize_t (*call)(const struct move *))
{
	struct conn_mark mark = conn_mark(*held);
	int fd = move->to, saved = errno, r;
	struct guard guard;
	bool hurries;
	ssize_t n;

	r = prepare(*held, fd, &hurries);
	if (r < 0)
		return r;
	conn_unref(*held);
	guard_suspend(&guard, true);
	n = call(move);
	guard_resume(&guard);
	if (n < 0)
		n = -errno;
	errno = saved;
	*held = conn_regain(mark);
	if (*held == NULL || !table_has(fd, *held))
		return n;
	settle(*held, fd, n, hurries);
	if (n < 0)
		r = kernel_send_error((*held)->share, fd, (int)n);
	if (n == -EPIPE)
		return CONN_PIPE_SIGNALLED;
	n = n < 0 ? r : n;
	return n == -EILSEQ ? kernel_receive_failed(*held, fd, -EBADMSG) : n;
}

bool kernel_moves(struct conn *conn, int fd)
{
	struct share *share = conn->share;

	if (share->kernel_send_due && outlet_lock(conn) == 0) {
		if (outlet_flush(share, fd) == 0)
			kernel_take_send(conn, fd);
		share_unlock(&share->send_lock);
	}
	return share->kernel_sends;
}

ssize_t kernel_send_file(struct conn **held, int fd, int in, off_t *offset, size_t len)
{
	const struct move move = { .from = in, .to = fd, .offset = offset, .len = len };

	return run(held, &move, move_file);
}

/* No SPLICE_F_MORE, as no MSG_MORE. */
ssize_t kernel_send_pipe(struct conn **held, int fd, int pipe, size_t len)
{
	const struct move move = { .from = pipe, .to = fd, .len = len, .flags = SPLICE_F_NONBLOCK };
	struct pollfd ready = { .fd = pipe, .events = POLLIN };
	const struct timespec now = { 0 };
	ssize_t n = run(held, &move, move_pipe);

	/* Which of the two it was that had nothing, or no room. */
	if (n == -EAGAIN && sys_poll(&ready, 1, &now, NULL) <= 0)
		return -ENODATA;
	return n;
}
