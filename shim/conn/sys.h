/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * System calls as the inside of the library wants them: a result or -errno, and errno as it was,
 * since a call that succeeds for the host program must leave errno alone.
 */
#ifndef SEAMTLS_CONN_SYS_H
#define SEAMTLS_CONN_SYS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

ssize_t sys_recv(int fd, void *buf, size_t len, int flags);
ssize_t sys_send(int fd, const void *buf, size_t len, int flags); /* never raises SIGPIPE */
ssize_t sys_recv_iov(int fd, const struct iovec *iov, size_t count, int flags);
ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags); /* never raises SIGPIPE */
ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags);
int sys_poll(
	struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int sys_close(int fd);
int sys_shutdown(int fd, int how);
int sys_fcntl(int fd, int cmd, long arg);
int sys_getsockopt_int(int fd, int level, int name); /* the value, or -errno */
int sys_setsockopt_int(int fd, int level, int name, int value);
int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int sys_setsockopt(int fd, int level, int name, const void *value, size_t len);
int sys_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data);
int sys_queued(int fd); /* FIONREAD: bytes of ciphertext in the kernel */
int sys_unsent(int fd); /* SIOCOUTQ: bytes that the peer has not acknowledged, or -errno */
/* The same on a number that programs do not look at, if there is one: for descriptors of ours. */
int sys_make_high(int fd);

uint64_t sys_monotonic_us(void);
/* When a call that begins now gives up by the socket's SO_RCVTIMEO or SO_SNDTIMEO (`name`),
 * monotonic; 0: never. */
uint64_t sys_deadline_us(int fd, int name);

#endif
