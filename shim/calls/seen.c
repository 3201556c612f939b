/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/seen.h"
#include "calls/border.h"
#include "conn/table.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

/* Nothing was taken out of the connection, or nothing that belongs to its stream. */
static bool is_beside(int flags)
{
	return (flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)) != 0;
}

ssize_t seen_received_parts(int fd, const struct iovec *iov, size_t count, int flags, ssize_t n)
{
	if (n <= 0 || table_is_foreign(fd) || is_beside(flags))
		return n;
	if ((flags & MSG_TRUNC) != 0) /* tcp(7): thrown away */
		conn_saw_not(fd, CAUSE_UNSEEN);
	else
		conn_saw_received(fd, iov, count, (size_t)n);
	return n;
}

ssize_t seen_received(int fd, const void *buf, int flags, ssize_t n)
{
	const struct iovec iov = { (void *)(uintptr_t)buf, n > 0 ? (size_t)n : 0 };

	return seen_received_parts(fd, &iov, 1, flags, n);
}

ssize_t seen_sent_parts(int fd, const struct iovec *iov, size_t count, ssize_t n)
{
	if (n > 0 && !table_is_foreign(fd))
		conn_saw_sent(fd, iov, count, (size_t)n);
	return n;
}

ssize_t seen_sent(int fd, const void *buf, ssize_t n)
{
	const struct iovec iov = { (void *)(uintptr_t)buf, n > 0 ? (size_t)n : 0 };

	return seen_sent_parts(fd, &iov, 1, n);
}

int seen_messages_received(int fd, const struct mmsghdr *msg, int flags, int n)
{
	for (int i = 0; i < n && !table_is_foreign(fd); i++)
		seen_received_parts(fd, msg[i].msg_hdr.msg_iov, msg[i].msg_hdr.msg_iovlen, flags,
			msg[i].msg_len);
	return n;
}

int seen_messages_sent(int fd, const struct mmsghdr *msg, int n)
{
	for (int i = 0; i < n && !table_is_foreign(fd); i++)
		seen_sent_parts(
			fd, msg[i].msg_hdr.msg_iov, msg[i].msg_hdr.msg_iovlen, msg[i].msg_len);
	return n;
}

ssize_t seen_file_sent(int fd, int in, off_t at, ssize_t n)
{
	uint8_t buf[SEEN_PEEK_LEN];
	int saved = errno;
	ssize_t len;

	if (n <= 0 || !conn_is_observed(fd))
		return n;
	len = pread(in, buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf), at);
	if (len > 0)
		seen_sent(fd, buf, len);
	if (len < n)
		conn_saw_not(fd, CAUSE_UNSEEN);
	errno = saved;
	return n;
}

ssize_t seen_peek(int fd, void *buf, bool waits)
{
	int saved = errno;
	ssize_t n = 0;

	if (conn_is_observed(fd))
		n = libc.recv(fd, buf, SEEN_PEEK_LEN, MSG_PEEK | (waits ? 0 : MSG_DONTWAIT));
	if (n < 0 && errno == EINTR)
		return n;
	errno = saved;
	return n > 0 ? n : 0;
}

ssize_t seen_spliced(int fd, const void *buf, ssize_t peeked, ssize_t n)
{
	if (n <= 0 || table_is_foreign(fd))
		return n;
	if (peeked > 0)
		seen_received(fd, buf, 0, peeked < n ? peeked : n);
	if (peeked < n)
		conn_saw_not(fd, CAUSE_UNSEEN);
	return n;
}

ssize_t seen_spliced_into(int fd, const void *buf, ssize_t peeked, ssize_t n)
{
	if (n > 0 && peeked > 0)
		seen_sent(fd, buf, peeked < n ? peeked : n);
	if (peeked < n)
		conn_saw_not(fd, CAUSE_UNSEEN);
	return n;
}
