/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* False: `fd` is libc's affair. */
static bool receive(int fd, const struct iovec *iov, size_t count, int flags, ssize_t *out)
{
	do {
		struct conn *conn = (flags & MSG_ERRQUEUE) == 0 ? mapped_get(fd) : NULL;

		if (conn == NULL)
			return false;
		*out = conn_receive(conn, fd, iov, count, flags);
	} while (*out == CONN_AGAIN);
	return true;
}

static bool receive_one(int fd, void *buf, size_t len, int flags, ssize_t *out)
{
	const struct iovec iov = { .iov_base = buf, .iov_len = len };

	return receive(fd, &iov, 1, flags, out);
}

SEAM_EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	ssize_t n;

	/* read(2): with a length of 0 nothing is waited for. */
	if (len == 0 || !receive_one(fd, buf, len, 0, &n))
		return libc.read(fd, buf, len);
	return errno_return(n);
}
SEAM_ALIAS(__read, read);

/* As read(2), also readv() of nothing asks nothing of the socket, unlike recvmsg(). */
static bool receive_parts(int fd, const struct iovec *iov, int count, int flags, ssize_t *out)
{
	return count > 0 && count <= IOV_MAX && is_mapped(fd) &&
	       iov_bytes(iov, (size_t)count) > 0 && receive(fd, iov, (size_t)count, flags, out);
}

SEAM_EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	if (!receive_parts(fd, iov, count, 0, &n))
		return libc.readv(fd, iov, count);
	return errno_return(n);
}

SEAM_EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	int as_flags;
	ssize_t n;

	if (!socket_flags(offset, flags, &as_flags) || !receive_parts(fd, iov, count, as_flags, &n))
		return libc.preadv2(fd, iov, count, offset, flags);
	return errno_return(n);
}
SEAM_ALIAS(preadv64v2, preadv2);

SEAM_EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n;

	if (!receive_one(fd, buf, len, flags, &n))
		return libc.recv(fd, buf, len, flags);
	return errno_return(n);
}

SEAM_EXPORT ssize_t recvfrom(
	int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG address, socklen_t *addr_len)
{
	struct sockaddr *addr = address.__sockaddr__;
	ssize_t n;

	if (!receive_one(fd, buf, len, flags, &n))
		return libc.recvfrom(fd, buf, len, flags, addr, addr_len);
	/* TCP has no address to give here (tcp(7)). */
	if (n >= 0 && addr != NULL && addr_len != NULL)
		*addr_len = 0;
	return errno_return(n);
}

SEAM_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n;

	if (msg == NULL || msg->msg_iovlen > IOV_MAX ||
		!receive(fd, msg->msg_iov, msg->msg_iovlen, flags, &n))
		return libc.recvmsg(fd, msg, flags);
	if (n >= 0) {
		msg->msg_namelen = 0;
		msg->msg_controllen = 0;
		msg->msg_flags = 0;
	}
	return errno_return(n);
}

/* An error that is pending comes before what there is to read, unlike in recvmsg(). */
static int pending_error(struct conn *conn, int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return conn_getsockopt(conn, fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : 0;
}

/* One message after the other; the first may wait, and an error after it is left for the next call
 * (recvmmsg(2)). After the end of the stream each message is an empty one. */
static int receive_messages(int fd, struct mmsghdr *msg, unsigned count, int flags)
{
	int saved = errno;
	unsigned done;

	for (done = 0; done < count; done++) {
		ssize_t n = recvmsg(fd, &msg[done].msg_hdr, flags & ~MSG_WAITFORONE);

		if (n < 0)
			break;
		msg[done].msg_len = (unsigned)n;
		if ((flags & MSG_WAITFORONE) != 0)
			flags |= MSG_DONTWAIT;
	}
	if (done == 0 && count > 0)
		return -1;
	errno = saved;
	return (int)done;
}

SEAM_EXPORT int recvmmsg(
	int fd, struct mmsghdr *msg, unsigned count, int flags, struct timespec *timeout)
{
	struct conn *conn = (flags & MSG_ERRQUEUE) == 0 ? mapped_get(fd) : NULL;
	int error;

	if (conn == NULL)
		return libc.recvmmsg(fd, msg, count, flags, timeout);
	error = pending_error(conn, fd);
	conn_put(conn);
	return error != 0 ? (int)errno_return(-error) : receive_messages(fd, msg, count, flags);
}

/* The fortified forms: the check is libc's own, which ends the program as it would have. */
void __chk_fail(void) __attribute__((noreturn));

SEAM_EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
SEAM_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
SEAM_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
	struct sockaddr *addr, socklen_t *addr_len);

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		__chk_fail();
	return read(fd, buf, len);
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	if (len > room)
		__chk_fail();
	return recv(fd, buf, len, flags);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags, struct sockaddr *addr,
	socklen_t *addr_len)
{
	if (len > room)
		__chk_fail();
	return recvfrom(fd, buf, len, flags, addr, addr_len);
}
