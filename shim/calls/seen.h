/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What libc's own calls have moved, for who looks at the first bytes of connections that are left
 * alone. Each takes the call's result and gives it back, and errno stays.
 */
#ifndef SEAMTLS_CALLS_SEEN_H
#define SEAMTLS_CALLS_SEEN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

ssize_t seen_received(int fd, const void *buf, int flags, ssize_t n);
ssize_t seen_received_parts(int fd, const struct iovec *iov, size_t count, int flags, ssize_t n);
ssize_t seen_sent(int fd, const void *buf, ssize_t n);
ssize_t seen_sent_parts(int fd, const struct iovec *iov, size_t count, ssize_t n);
int seen_messages_received(int fd, const struct mmsghdr *msg, int flags, int n);
int seen_messages_sent(int fd, const struct mmsghdr *msg, int n);

/* sendfile(), from the offset where it began. */
ssize_t seen_file_sent(int fd, int in, off_t at, ssize_t n);

/* Before and after splice() out of fd, which may wait as that will. -1 and errno: a signal has
 * ended the wait. */
#define SEEN_PEEK_LEN 4096
ssize_t seen_peek(int fd, void *buf, bool waits);
ssize_t seen_spliced(int fd, const void *buf, ssize_t peeked, ssize_t n);
ssize_t seen_spliced_into(int fd, const void *buf, ssize_t peeked, ssize_t n);

#endif
