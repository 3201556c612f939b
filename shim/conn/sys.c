/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/sys.h"

#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define KERNEL_SET_LEN 8 /* bytes of the kernel's own set of signals */
#define OWN_LEAST 512    /* descriptors of ours are no lower, if there are as many */

/* -1 with errno becomes -errno, and errno what it was. */
static ssize_t settle(ssize_t n, int saved)
{
	if (n < 0) {
		n = -errno;
		errno = saved;
	}
	return n;
}

/*
 * None of these is a point of cancellation. libc's own are, and there glibc 2.36 obeys a request
 * that was sent before the thread forbade cancellation: the thread would end in here, with what it
 * holds locked for ever.
 */
static long call(long number, int fd, const void *at, size_t len, long flags)
{
	int saved = errno;

	return settle(libc.syscall(number, fd, (long)at, (long)len, flags, 0, 0), saved);
}

ssize_t sys_recv(int fd, void *buf, size_t len, int flags)
{
	return call(SYS_recvfrom, fd, buf, len, flags);
}

/* One that does not wait has nothing to be woken from, and may be the last that says something. */
ssize_t sys_send(int fd, const void *buf, size_t len, int flags)
{
	ssize_t n;

	do
		n = call(SYS_sendto, fd, buf, len, flags | MSG_NOSIGNAL);
	while (n == -EINTR && (flags & MSG_DONTWAIT) != 0);
	return n;
}

ssize_t sys_recv_iov(int fd, const struct iovec *iov, size_t count, int flags)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count };

	return sys_recvmsg(fd, &msg, flags);
}

ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return call(SYS_recvmsg, fd, msg, (size_t)(unsigned)flags, 0);
}

ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return call(SYS_sendmsg, fd, msg, (size_t)(unsigned)(flags | MSG_NOSIGNAL), 0);
}

int sys_poll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left = timeout != NULL ? *timeout : (struct timespec){ 0 };
	int saved = errno;

	return (int)settle(
		libc.syscall(SYS_ppoll, (long)fds, (long)count, timeout != NULL ? (long)&left : 0,
			(long)mask, KERNEL_SET_LEN, 0),
		saved);
}

int sys_close(int fd)
{
	return (int)call(SYS_close, fd, NULL, 0, 0);
}

int sys_shutdown(int fd, int how)
{
	int saved = errno;

	return (int)settle(libc.shutdown(fd, how), saved);
}

int sys_fcntl(int fd, int cmd, long arg)
{
	int saved = errno;

	return (int)settle(libc.fcntl(fd, cmd, arg), saved);
}

int sys_getsockopt_int(int fd, int level, int name)
{
	int saved = errno, value = 0;
	socklen_t len = sizeof(value);
	int r = (int)settle(libc.getsockopt(fd, level, name, &value, &len), saved);

	return r < 0 ? r : value;
}

int sys_setsockopt_int(int fd, int level, int name, int value)
{
	int saved = errno;

	return (int)settle(libc.setsockopt(fd, level, name, &value, sizeof(value)), saved);
}

int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int saved = errno;

	return (int)settle(libc.getsockopt(fd, level, name, value, len), saved);
}

int sys_setsockopt(int fd, int level, int name, const void *value, size_t len)
{
	int saved = errno;

	return (int)settle(libc.setsockopt(fd, level, name, value, (socklen_t)len), saved);
}

int sys_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	int saved = errno;
	struct epoll_event event = { .events = events, .data.u64 = data };

	return (int)settle(libc.epoll_ctl(epfd, op, fd, &event), saved);
}

int sys_queued(int fd)
{
	int saved = errno, bytes = 0;
	int r = (int)settle(libc.ioctl(fd, FIONREAD, &bytes), saved);

	return r < 0 ? r : bytes;
}

int sys_unsent(int fd)
{
	int saved = errno, bytes = 0;
	int r = (int)settle(libc.ioctl(fd, SIOCOUTQ, &bytes), saved);

	return r < 0 ? r : bytes;
}

int sys_make_high(int fd)
{
	int high = sys_fcntl(fd, F_DUPFD_CLOEXEC, OWN_LEAST);

	if (high < 0)
		return fd;
	sys_close(fd);
	return high;
}

uint64_t sys_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t sys_deadline_us(int fd, int name)
{
	struct timeval timeout = { 0 };
	socklen_t len = sizeof(timeout);
	int saved = errno;
	int r = (int)settle(libc.getsockopt(fd, SOL_SOCKET, name, &timeout, &len), saved);

	if (r < 0 || (timeout.tv_sec == 0 && timeout.tv_usec == 0))
		return 0;
	return sys_monotonic_us() + (uint64_t)timeout.tv_sec * 1000000 + (uint64_t)timeout.tv_usec;
}
