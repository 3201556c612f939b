/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"
#include "calls/rights.h"
#include "calls/seen.h"
#include "conn/memory.h"
#include "conn/table.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* False: it is libc's affair, as are no bytes at all, unless `even_nothing` sends them. */
static bool transmit(
	int fd, const struct iovec *iov, size_t count, int flags, bool even_nothing, ssize_t *out)
{
	do {
		struct conn *conn = mapped_get(fd);

		if (conn == NULL)
			return false;
		*out = memory_check_parts(iov, count);
		if (*out == 0 && (even_nothing || iov_bytes(iov, count) > 0)) {
			*out = conn_send(conn, fd, iov, count, flags);
			continue;
		}
		conn_put(conn);
		return *out != 0;
	} while (*out == CONN_AGAIN);
	return true;
}

static bool transmit_one(int fd, const void *buf, size_t len, int flags, ssize_t *out)
{
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };

	if (!memory_is_in_reach((uintptr_t)buf, len) && is_mapped(fd)) {
		*out = -EFAULT;
		return true;
	}
	return transmit(fd, &iov, 1, flags, true, out);
}

SEAM_EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.write(fd, buf, len);
	if (!transmit_one(fd, buf, len, 0, &n))
		return seen_sent(fd, buf, libc.write(fd, buf, len));
	return errno_return_sent(n, 0);
}
SEAM_ALIAS(__write, write);

/* Unlike sendmsg(), writev() of nothing asks nothing of the socket: not even whether it may send.
 */
static bool transmit_parts(int fd, const struct iovec *iov, int count, int flags, ssize_t *out)
{
	return count > 0 && count <= IOV_MAX && transmit(fd, iov, (size_t)count, flags, false, out);
}

SEAM_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.writev(fd, iov, count);
	if (!transmit_parts(fd, iov, count, 0, &n))
		return seen_sent_parts(fd, iov, (size_t)count, libc.writev(fd, iov, count));
	return errno_return_sent(n, 0);
}

SEAM_EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	int as_flags, r = socket_flags(flags, true, &as_flags);
	ssize_t n;

	if (r < 0 && is_mapped(fd))
		return errno_return(socket_tries(iov, count, offset, flags, true));
	/* A socket has no offset: the kernel refuses it. */
	if (r < 0 || offset != -1 || !transmit_parts(fd, iov, count, as_flags, &n))
		return seen_sent_parts(
			fd, iov, (size_t)count, libc.pwritev2(fd, iov, count, offset, flags));
	return errno_return_sent(n, as_flags);
}
SEAM_ALIAS(pwritev64v2, pwritev2);

SEAM_EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.send(fd, buf, len, flags);
	if (!transmit_one(fd, buf, at_most(len), flags, &n))
		return seen_sent(fd, buf, libc.send(fd, buf, len, flags));
	return errno_return_sent(n, flags);
}
SEAM_ALIAS(__send, send);

SEAM_EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags,
	__CONST_SOCKADDR_ARG address, socklen_t addr_len)
{
	const struct sockaddr *addr = address.__sockaddr__;
	ssize_t n;

	/* MSG_FASTOPEN is connect() and send() in one; the data does not go into the SYN. */
	if ((flags & MSG_FASTOPEN) != 0 && addr != NULL) {
		if (connect(fd, addr, addr_len) < 0)
			return -1;
		return send(fd, buf, len, flags & ~MSG_FASTOPEN);
	}
	if (!transmit_one(fd, buf, at_most(len), flags, &n))
		return seen_sent(fd, buf, libc.sendto(fd, buf, len, flags, addr, addr_len));
	return errno_return_sent(n, flags);
}

SEAM_EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr connected;
	ssize_t n;

	if (!memory_is_there(msg, sizeof(*msg), false))
		return is_mapped(fd) ? errno_return(-EFAULT) : libc.sendmsg(fd, msg, flags);
	if (msg->msg_iovlen > IOV_MAX)
		return libc.sendmsg(fd, msg, flags); /* which refuses it */
	if ((flags & MSG_FASTOPEN) != 0 && msg->msg_name != NULL) {
		if (connect(fd, msg->msg_name, msg->msg_namelen) < 0)
			return -1;
		connected = *msg;
		connected.msg_name = NULL;
		connected.msg_namelen = 0;
		msg = &connected;
		flags &= ~MSG_FASTOPEN;
	}
	if (transmit(fd, msg->msg_iov, msg->msg_iovlen, flags, true, &n))
		return errno_return_sent(n, flags);
	n = rights_pass_mapped(msg) ? rights_send(fd, msg, flags) : libc.sendmsg(fd, msg, flags);
	return seen_sent_parts(fd, msg->msg_iov, msg->msg_iovlen, n);
}

/* Whether libc may have all messages at once: none of them connects, or passes descriptors on. */
static bool are_plain(const struct mmsghdr *msg, unsigned count, int flags)
{
	for (unsigned i = 0; i < count; i++)
		if (!memory_is_there(&msg[i], sizeof(*msg), true) ||
			msg[i].msg_hdr.msg_controllen > 0)
			return false;
	return (flags & MSG_FASTOPEN) == 0;
}

/* Nothing comes after a message that went in part: its rest has to be next. */
SEAM_EXPORT int sendmmsg(int fd, struct mmsghdr *msg, unsigned count, int flags)
{
	int saved = errno;
	unsigned done = 0;
	bool whole = true;

	if (count > IOV_MAX)
		count = IOV_MAX; /* as the kernel does (sendmmsg(2)) */
	if (!is_mapped(fd) && are_plain(msg, count, flags))
		return seen_messages_sent(fd, msg, libc.sendmmsg(fd, msg, count, flags));
	while (whole && done < count) {
		ssize_t n = memory_is_there(&msg[done], sizeof(*msg), true)
				    ? sendmsg(fd, &msg[done].msg_hdr, flags)
				    : errno_return(-EFAULT);

		if (n < 0)
			break;
		whole = (size_t)n ==
			iov_bytes(msg[done].msg_hdr.msg_iov, msg[done].msg_hdr.msg_iovlen);
		msg[done++].msg_len = (unsigned)n;
	}
	if (done == 0 && count > 0)
		return -1;
	errno = saved;
	return (int)done;
}
SEAM_ALIAS(__sendmmsg, sendmmsg);
