/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"
#include "calls/seen.h"
#include "conn/memory.h"
#include "conn/table.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/* False: it is libc's affair, as are no bytes at all, unless `even_nothing` asks for them. */
static bool receive(
	int fd, const struct iovec *iov, size_t count, int flags, bool even_nothing, ssize_t *out)
{
	do {
		struct conn *conn = (flags & MSG_ERRQUEUE) == 0 ? mapped_get(fd) : NULL;

		if (conn == NULL)
			return false;
		*out = memory_check_parts(iov, count);
		if (*out == 0 && (even_nothing || iov_bytes(iov, count) > 0)) {
			*out = conn_receive(conn, fd, iov, count, flags);
			continue;
		}
		conn_put(conn);
		return *out != 0;
	} while (*out == CONN_AGAIN);
	return true;
}

static bool receive_one(int fd, void *buf, size_t len, int flags, ssize_t *out)
{
	const struct iovec iov = { .iov_base = buf, .iov_len = len };

	if (!memory_is_in_reach((uintptr_t)buf, len) && is_mapped(fd) &&
		(flags & MSG_ERRQUEUE) == 0) {
		*out = -EFAULT;
		return true;
	}
	return receive(fd, &iov, 1, flags, true, out);
}

SEAM_EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.read(fd, buf, len);
	/* read(2): with a length of 0 nothing is waited for. */
	if (len == 0 || !receive_one(fd, buf, len, 0, &n))
		return seen_received(fd, buf, 0, libc.read(fd, buf, len));
	return errno_return(n);
}
SEAM_ALIAS(__read, read);

/* As read(2), also readv() of nothing asks nothing of the socket, unlike recvmsg(). */
static bool receive_parts(int fd, const struct iovec *iov, int count, int flags, ssize_t *out)
{
	return count > 0 && count <= IOV_MAX && receive(fd, iov, (size_t)count, flags, false, out);
}

SEAM_EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.readv(fd, iov, count);
	if (!receive_parts(fd, iov, count, 0, &n))
		return seen_received_parts(fd, iov, (size_t)count, 0, libc.readv(fd, iov, count));
	return errno_return(n);
}

SEAM_EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	int as_flags, r = socket_flags(flags, false, &as_flags);
	ssize_t n;

	if (r < 0 && is_mapped(fd))
		return errno_return(socket_tries(iov, count, offset, flags, false));
	/* A socket has no offset: the kernel refuses it. */
	if (r < 0 || offset != -1 || !receive_parts(fd, iov, count, as_flags, &n))
		return seen_received_parts(
			fd, iov, (size_t)count, 0, libc.preadv2(fd, iov, count, offset, flags));
	return errno_return(n);
}
SEAM_ALIAS(preadv64v2, preadv2);

SEAM_EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.recv(fd, buf, len, flags);
	if (!receive_one(fd, buf, at_most(len), flags, &n))
		return seen_received(fd, buf, flags, libc.recv(fd, buf, len, flags));
	return errno_return(n);
}

SEAM_EXPORT ssize_t recvfrom(
	int fd, void *buf, size_t len, int flags, __SOCKADDR_ARG address, socklen_t *addr_len)
{
	struct sockaddr *addr = address.__sockaddr__;
	ssize_t n;

	if (table_is_foreign(fd))
		return libc.recvfrom(fd, buf, len, flags, addr, addr_len);
	if (!receive_one(fd, buf, at_most(len), flags, &n))
		return seen_received(
			fd, buf, flags, libc.recvfrom(fd, buf, len, flags, addr, addr_len));
	/* TCP has no address to give here (tcp(7)). */
	if (n >= 0 && addr != NULL && memory_is_there(addr_len, sizeof(*addr_len), true))
		*addr_len = 0;
	return errno_return(n);
}

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* As TCP fills it in: no name, no ancillary data (tcp(7)). */
static void fill_message(struct msghdr *msg, int flags)
{
	if (msg->msg_name != NULL)
		msg->msg_namelen = 0;
	msg->msg_controllen = 0;
	msg->msg_flags = flags & MSG_CMSG_CLOEXEC;
}

SEAM_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n;

	if (!memory_is_there(msg, sizeof(*msg), true))
		return is_mapped(fd) ? errno_return(-EFAULT) : libc.recvmsg(fd, msg, flags);
	if (msg->msg_iovlen > IOV_MAX ||
		!receive(fd, msg->msg_iov, msg->msg_iovlen, flags, true, &n)) {
		n = libc.recvmsg(fd, msg, flags);
		return n > 0 ? seen_received_parts(fd, msg->msg_iov, msg->msg_iovlen, flags, n) : n;
	}
	if (n >= 0)
		fill_message(msg, flags);
	return errno_return(n);
}

/* An error that is pending comes before what there is to read, unlike in recvmsg(). */
static int pending_error(struct conn *conn, int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return conn_getsockopt(conn, fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : 0;
}

/* 0: until when, in *until_us (0: for ever); or -errno. */
static int time_limit(const struct timespec *timeout, uint64_t *until_us)
{
	*until_us = 0;
	if (timeout == NULL)
		return 0;
	if (!memory_is_there(timeout, sizeof(*timeout), true))
		return -EFAULT;
	if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
		return -EINVAL;
	*until_us = monotonic_us() + (uint64_t)timeout->tv_sec * 1000000 +
		    (uint64_t)timeout->tv_nsec / 1000;
	return 0;
}

/* Looked at after each message, and no bound for the wait before it (recvmmsg(2), BUGS). */
static bool is_over(struct timespec *timeout, uint64_t until_us)
{
	uint64_t now, left;

	if (timeout == NULL)
		return false;
	now = monotonic_us();
	left = until_us > now ? until_us - now : 0;
	timeout->tv_sec = (time_t)(left / 1000000);
	timeout->tv_nsec = (long)(left % 1000000) * 1000;
	return left == 0;
}

/* One message after the other; the first may wait, and an error after it is left for the next call
 * (recvmmsg(2)). After the end of the stream each message is an empty one. */
static int receive_messages(int fd, struct mmsghdr *msg, unsigned count, int flags,
	struct timespec *timeout, uint64_t until_us)
{
	int saved = errno;
	unsigned done = 0;

	while (done < count) {
		ssize_t n = memory_is_there(&msg[done], sizeof(*msg), true)
				    ? recvmsg(fd, &msg[done].msg_hdr, flags & ~MSG_WAITFORONE)
				    : errno_return(-EFAULT);

		if (n < 0)
			break;
		msg[done++].msg_len = (unsigned)n;
		if ((flags & MSG_WAITFORONE) != 0)
			flags |= MSG_DONTWAIT;
		if (is_over(timeout, until_us))
			break;
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
	uint64_t until_us;
	int r;

	if (conn == NULL)
		return seen_messages_received(
			fd, msg, flags, libc.recvmmsg(fd, msg, count, flags, timeout));
	r = time_limit(timeout, &until_us);
	if (r == 0)
		r = -pending_error(conn, fd);
	if (r == 0) {
		r = receive_messages(fd, msg, count, flags, timeout, until_us);
		if (r > 0 && (unsigned)r < count)
			conn_repeat_error(conn);
	} else {
		r = (int)errno_return(r);
	}
	conn_put(conn);
	return r;
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
