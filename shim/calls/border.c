/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"

#include <errno.h>
#include <signal.h>

/* What the kernel takes for any descriptor. RWF_NOAPPEND, Linux 6.9, has no name in older headers.
 */
#define RWF_OF_SOCKETS (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | 0x20)

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

int socket_flags(int flags, int *out)
{
	*out = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT : 0;
	return (flags & ~RWF_OF_SOCKETS) == 0 ? 0 : -EOPNOTSUPP;
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
