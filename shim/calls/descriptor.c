/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"
#include "calls/streams.h"
#include "conn/memory.h"
#include "conn/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#define CLOSE_RANGE_KNOWN (CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static bool is_own(int fd)
{
	return fd >= 0 && fd == conn_own_descriptor();
}

SEAM_EXPORT int close(int fd)
{
	struct conn *conn = conn_get(fd);
	int r;

	if (conn == NULL)
		return is_own(fd) ? (int)errno_return(-EBADF) : libc.close(fd);
	r = conn_close(conn, fd);
	streams_release(fd);
	conn_put(conn);
	return (int)errno_return(r);
}
SEAM_ALIAS(__close, close);

/*
 * A thread with descriptors of its own: the same number would be a connection to one thread and
 * something else to another, and nobody could say what is to be encrypted. Where it makes no
 * difference, in a process of one thread, it is the kernel's affair.
 */
static bool may_unshare(void)
{
	if (__libc_single_threaded)
		return true;
	conn_stop_observing();
	return !conn_any();
}

SEAM_EXPORT int unshare(int flags)
{
	if ((flags & CLONE_FILES) != 0 && !may_unshare())
		return (int)errno_return(-EPERM);
	return libc.unshare(flags);
}

/* The kernel's own descriptors in one call, around the one that is the library's. */
static int close_others(unsigned first, unsigned last, int flags)
{
	int own = conn_own_descriptor();

	if (own < 0 || (unsigned)own < first || (unsigned)own > last)
		return libc.close_range(first, last, flags);
	if ((unsigned)own > first && libc.close_range(first, (unsigned)own - 1, flags) < 0)
		return -1;
	return (unsigned)own < last ? libc.close_range((unsigned)own + 1, last, flags) : 0;
}

SEAM_EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (first > last || ((unsigned)flags & ~CLOSE_RANGE_KNOWN) != 0)
		return libc.close_range(first, last, flags);
	if (((unsigned)flags & CLOSE_RANGE_UNSHARE) != 0 && !may_unshare())
		return (int)errno_return(-EPERM);
	/* What closes is to be closed with its last words; what this process will not share any
	 * more, too. */
	conn_close_range(first, last, ((unsigned)flags & CLOSE_RANGE_CLOEXEC) != 0);
	return close_others(first, last, flags);
}

SEAM_EXPORT void closefrom(int first)
{
	close_range(first > 0 ? (unsigned)first : 0, ~0U, 0);
}

/*
 * Streams go to the kernel from inside libc, and programs are executed with 0 to 2; and a vfork
 * child copies a descriptor for no other reason than to execute something with it. So what comes
 * there is an end of a relay.
 */
static bool is_for_others(struct conn *conn, int fd, int number)
{
	if (number < 0 || !conn_is_mapped(conn))
		return false;
	return number <= STDERR_FILENO || conn_is_visited(conn, fd) || streams_have(number);
}

/* A vfork child has FD_CLOEXEC taken off. */
static int hand_on(struct conn *conn, int fd)
{
	return relay_onto(conn, fd, fd, DEPARTS_TO_COVERED) < 0 ? (int)errno_return(-EACCES) : 0;
}

/* A copy that the kernel has put on a number of its choice. */
static int copied(struct conn *conn, int fd, int made, bool close_on_exec)
{
	int r;

	if (made < 0)
		return made;
	if (!is_for_others(conn, fd, made)) {
		conn_duplicated(conn, fd, made, close_on_exec);
		return made;
	}
	r = relay_onto(conn, fd, made, DEPARTS_TO_COVERED);
	if (r < 0)
		libc.close(made);
	else if (close_on_exec)
		libc.fcntl(made, F_SETFD, FD_CLOEXEC);
	return (int)errno_return(r);
}

SEAM_EXPORT int dup(int fd)
{
	struct conn *conn = conn_get(fd);
	int made = libc.dup(fd);

	if (conn == NULL)
		return made;
	made = copied(conn, fd, made, false);
	conn_put(conn);
	return made;
}

static int duplicate_mapped(struct conn *conn, int fd, int fd2, int flags)
{
	int r = relay_onto(conn, fd, fd2, DEPARTS_TO_COVERED);

	if (r >= 0 && (flags & O_CLOEXEC) != 0)
		libc.fcntl(fd2, F_SETFD, FD_CLOEXEC);
	return (int)errno_return(r);
}

static int duplicate_to(int fd, int fd2, int flags, bool is_dup3)
{
	struct conn *conn = fd != fd2 ? conn_get(fd) : NULL;
	struct conn *old = fd != fd2 ? conn_get(fd2) : NULL;
	bool hand_on = conn != NULL && is_for_others(conn, fd, fd2);
	int r;

	if (is_own(fd2)) {
		r = (int)errno_return(-EBADF);
	} else {
		/* A bad fd must leave fd2 as it is. */
		if (old != NULL && old != conn && libc.fcntl(fd, F_GETFD, 0) >= 0)
			conn_replaced(fd2);
		if (hand_on && (flags & ~O_CLOEXEC) == 0)
			r = duplicate_mapped(conn, fd, fd2, flags);
		else
			r = is_dup3 ? libc.dup3(fd, fd2, flags) : libc.dup2(fd, fd2);
		if (r >= 0 && conn != NULL && !hand_on)
			conn_duplicated(conn, fd, fd2, (flags & O_CLOEXEC) != 0);
		if (r >= 0)
			streams_release(fd2);
	}
	if (conn != NULL)
		conn_put(conn);
	if (old != NULL)
		conn_put(old);
	return r;
}

SEAM_EXPORT int dup2(int fd, int fd2)
{
	return duplicate_to(fd, fd2, 0, false);
}
SEAM_ALIAS(__dup2, dup2);

SEAM_EXPORT int dup3(int fd, int fd2, int flags)
{
	return duplicate_to(fd, fd2, flags, true);
}

static int control(struct conn *conn, int fd, int cmd, long arg)
{
	int r;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return copied(conn, fd, libc.fcntl(fd, cmd, arg), cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return conn_is_mapped(conn) ? (conn_close_on_exec(conn, fd) ? FD_CLOEXEC : 0)
					    : libc.fcntl(fd, cmd, arg);
	case F_SETFD:
		if ((arg & FD_CLOEXEC) == 0 && conn_is_visited(conn, fd))
			return hand_on(conn, fd);
		conn_set_close_on_exec(conn, fd, (arg & FD_CLOEXEC) != 0);
		return libc.fcntl(fd, cmd, conn_is_mapped(conn) ? FD_CLOEXEC : arg);
	case F_SETFL:
		r = libc.fcntl(fd, cmd, arg);
		if (r >= 0)
			conn_set_nonblock(conn, (arg & O_NONBLOCK) != 0);
		if (r >= 0 && (arg & O_ASYNC) != 0)
			conn_expect_signals(conn, fd);
		return r;
	default:
		return libc.fcntl(fd, cmd, arg);
	}
}

static int fcntl_any(int fd, int cmd, long arg)
{
	struct conn *conn = conn_get(fd);
	int r;

	if (conn == NULL)
		return libc.fcntl(fd, cmd, arg);
	r = control(conn, fd, cmd, arg);
	conn_put(conn);
	return r;
}

/* The third argument is fetched whether it was passed or not, as libc itself does. */
SEAM_EXPORT int fcntl(int fd, int cmd, ...)
{
	va_list args;
	long arg;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
	return fcntl_any(fd, cmd, arg);
}
SEAM_ALIAS(__fcntl, fcntl);
SEAM_ALIAS(fcntl64, fcntl);

/* A number into the program's memory. */
static int answer_int(void *arg, int value)
{
	if (value < 0)
		return (int)errno_return(value);
	if (!memory_is_there(arg, sizeof(value), true))
		return (int)errno_return(-EFAULT);
	memcpy(arg, &value, sizeof(value));
	return 0;
}

static int ioctl_mapped(struct conn *conn, int fd, unsigned long request, void *arg)
{
	int r;

	if (arg == NULL && request != FIOCLEX && request != FIONCLEX)
		return libc.ioctl(fd, request, arg);
	switch (request) {
	case FIONREAD:
		return answer_int(arg, conn_readable_bytes(conn, fd));
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		return answer_int(arg, conn_unsent_bytes(conn, fd, request));
	case SIOCATMARK:
		return answer_int(arg, 0); /* TLS has no urgent data */
	case FIONBIO:
		r = libc.ioctl(fd, request, arg);
		if (r == 0)
			conn_set_nonblock(conn, *(const int *)arg != 0);
		return r;
	case FIOASYNC:
		r = libc.ioctl(fd, request, arg);
		if (r == 0 && *(const int *)arg != 0)
			conn_expect_signals(conn, fd);
		return r;
	case FIOCLEX:
	case FIONCLEX:
		if (request == FIONCLEX && conn_is_visited(conn, fd))
			return hand_on(conn, fd);
		conn_set_close_on_exec(conn, fd, request == FIOCLEX);
		return 0;
	default:
		return libc.ioctl(fd, request, arg);
	}
}

/* Of a socket that is not connected yet, or left alone for now. */
static int ioctl_aside(int fd, unsigned long request, void *arg)
{
	struct conn *conn = request == FIOCLEX || request == FIONCLEX ? conn_get(fd) : NULL;
	int r = libc.ioctl(fd, request, arg);

	if (conn == NULL)
		return r;
	if (r == 0)
		conn_set_close_on_exec(conn, fd, request == FIOCLEX);
	conn_put(conn);
	return r;
}

SEAM_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct conn *conn = mapped_get(fd);
	va_list args;
	void *arg;
	int r;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (conn == NULL)
		return ioctl_aside(fd, request, arg);
	r = ioctl_mapped(conn, fd, request, arg);
	conn_put(conn);
	return r;
}

SEAM_EXPORT int sockatmark(int fd)
{
	int at_mark;

	return ioctl(fd, SIOCATMARK, &at_mark) < 0 ? -1 : at_mark;
}
