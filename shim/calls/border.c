/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>

#define RWF_NOSIGNAL_BIT 0x100 /* Linux 6.18; older headers have no name for it */

ssize_t errno_return(ssize_t n)
{
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

ssize_t errno_return_sent(ssize_t n, int flags)
{
	if (n == CONN_PIPE_SIGNALLED)
		return errno_return(-EPIPE);
	/* Ours never raise it themselves; the program's call would have (send(2), EPIPE). */
	if (n == -EPIPE && (flags & MSG_NOSIGNAL) == 0)
		raise(SIGPIPE);
	return errno_return(n);
}

ssize_t socket_tries(const struct iovec *iov, int count, off_t offset, int flags, bool writes)
{
	int ends[2], saved = errno;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		n = -errno;
		errno = saved;
		return n;
	}
	n = writes ? libc.pwritev2(ends[0], iov, count, offset, flags)
		   : libc.preadv2(ends[0], iov, count, offset, flags);
	if (n < 0)
		n = -errno;
	libc.close(ends[0]);
	libc.close(ends[1]);
	errno = saved;
	return n;
}

/* Whether a kernel knows a flag, and for sockets, depends on its age: so it is asked, once. */
static bool kernel_takes(int flag, bool writes)
{
	static _Atomic uint32_t asked[2], taken[2];
	uint8_t byte = 0;
	const struct iovec part = { &byte, 1 };
	ssize_t n;

	if ((asked[writes] & (uint32_t)flag) == 0) {
		n = socket_tries(&part, 1, -1, flag, writes);
		if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
			return true; /* there was no socket to ask it on */
		if (n != -EOPNOTSUPP)
			taken[writes] |= (uint32_t)flag;
		asked[writes] |= (uint32_t)flag;
	}
	return (taken[writes] & (uint32_t)flag) != 0;
}

int socket_flags(int flags, bool writes, int *out)
{
	*out = ((flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0) |
	       (writes && (flags & RWF_NOSIGNAL_BIT) != 0 ? MSG_NOSIGNAL : 0);
	for (uint32_t left = (uint32_t)flags; left != 0; left &= left - 1)
		if (!kernel_takes((int)(left & -left), writes))
			return -EOPNOTSUPP;
	return 0;
}

size_t iov_bytes(const struct iovec *iov, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

struct conn *mapped_get(int fd)
{
	struct conn *conn = conn_get(fd);

	if (conn == NULL || conn_is_mapped(conn))
		return conn;
	conn_put(conn);
	return NULL;
}

bool is_mapped(int fd)
{
	struct conn *conn = mapped_get(fd);

	if (conn != NULL)
		conn_put(conn);
	return conn != NULL;
}
