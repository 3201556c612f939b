/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The real functions, behind the names that the library stands in for. Each member starts as a
 * resolver that fills the whole table at its first call, so that it works before any constructor
 * ran (allocators and sanitizers call that early) and costs nothing afterwards. Code in shim/ calls
 * these and never the plain names.
 */
#ifndef SEAMTLS_LIBC_H
#define SEAMTLS_LIBC_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct hostent;

/* X(result, name, parameters, arguments). Variadic functions have the one shape in which they are
 * called here. */
#define LIBC_FUNCTIONS(X)                                                                          \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol))             \
	X(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))     \
	X(int, listen, (int fd, int backlog), (fd, backlog))                                       \
	X(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))           \
	X(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),                \
		(fd, addr, len, flags))                                                            \
	X(int, getsockname, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))      \
	X(int, getpeername, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))      \
	X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),             \
		(fd, level, name, value, len))                                                     \
	X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),        \
		(fd, level, name, value, len))                                                     \
	X(int, shutdown, (int fd, int how), (fd, how))                                             \
	X(int, close, (int fd), (fd))                                                              \
	X(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags))      \
	X(int, dup, (int fd), (fd))                                                                \
	X(int, dup2, (int fd, int fd2), (fd, fd2))                                                 \
	X(int, dup3, (int fd, int fd2, int flags), (fd, fd2, flags))                               \
	X(int, fcntl, (int fd, int cmd, long arg), (fd, cmd, arg))                                 \
	X(int, fcntl64, (int fd, int cmd, long arg), (fd, cmd, arg))                               \
	X(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))              \
	X(ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len))                          \
	X(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len))                   \
	X(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count))          \
	X(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count))         \
	X(ssize_t, preadv2, (int fd, const struct iovec *iov, int count, off_t offset, int flags), \
		(fd, iov, count, offset, flags))                                                   \
	X(ssize_t, pwritev2,                                                                       \
		(int fd, const struct iovec *iov, int count, off_t offset, int flags),             \
		(fd, iov, count, offset, flags))                                                   \
	X(ssize_t, recv, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))        \
	X(ssize_t, recvfrom,                                                                       \
		(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,                  \
			socklen_t *addr_len),                                                      \
		(fd, buf, len, flags, addr, addr_len))                                             \
	X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))             \
	X(int, recvmmsg,                                                                           \
		(int fd, struct mmsghdr *msg, unsigned count, int flags,                           \
			struct timespec *timeout),                                                 \
		(fd, msg, count, flags, timeout))                                                  \
	X(ssize_t, send, (int fd, const void *buf, size_t len, int flags), (fd, buf, len, flags))  \
	X(ssize_t, sendto,                                                                         \
		(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,      \
			socklen_t addr_len),                                                       \
		(fd, buf, len, flags, addr, addr_len))                                             \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))       \
	X(int, sendmmsg, (int fd, struct mmsghdr *msg, unsigned count, int flags),                 \
		(fd, msg, count, flags))                                                           \
	X(ssize_t, sendfile, (int out, int in, off_t *offset, size_t count),                       \
		(out, in, offset, count))                                                          \
	X(ssize_t, splice,                                                                         \
		(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t len,             \
			unsigned flags),                                                           \
		(in, in_offset, out, out_offset, len, flags))                                      \
	X(ssize_t, tee, (int in, int out, size_t len, unsigned flags), (in, out, len, flags))      \
	X(ssize_t, vmsplice, (int fd, const struct iovec *iov, size_t count, unsigned flags),      \
		(fd, iov, count, flags))                                                           \
	X(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old),     \
		(number, action, old))                                                             \
	X(int, setuid, (uid_t uid), (uid))                                                         \
	X(int, setreuid, (uid_t real, uid_t effective), (real, effective))                         \
	X(int, setresuid, (uid_t real, uid_t effective, uid_t saved), (real, effective, saved))    \
	X(int, seteuid, (uid_t effective), (effective))                                            \
	X(int, unshare, (int flags), (flags))                                                      \
	X(int, chroot, (const char *path), (path))                                                 \
	X(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))      \
	X(int, ppoll,                                                                              \
		(struct pollfd * fds, nfds_t count, const struct timespec *timeout,                \
			const sigset_t *mask),                                                     \
		(fds, count, timeout, mask))                                                       \
	X(int, select, (int count, fd_set *in, fd_set *out, fd_set *err, struct timeval *timeout), \
		(count, in, out, err, timeout))                                                    \
	X(int, pselect,                                                                            \
		(int count, fd_set *in, fd_set *out, fd_set *err, const struct timespec *timeout,  \
			const sigset_t *mask),                                                     \
		(count, in, out, err, timeout, mask))                                              \
	X(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event),                   \
		(epfd, op, fd, event))                                                             \
	X(int, epoll_wait, (int epfd, struct epoll_event *events, int max, int timeout),           \
		(epfd, events, max, timeout))                                                      \
	X(int, epoll_pwait,                                                                        \
		(int epfd, struct epoll_event *events, int max, int timeout,                       \
			const sigset_t *mask),                                                     \
		(epfd, events, max, timeout, mask))                                                \
	X(int, epoll_pwait2,                                                                       \
		(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,    \
			const sigset_t *mask),                                                     \
		(epfd, events, max, timeout, mask))                                                \
	X(int, getaddrinfo,                                                                        \
		(const char *node, const char *service, const struct addrinfo *hints,              \
			struct addrinfo **out),                                                    \
		(node, service, hints, out))                                                       \
	X(int, getaddrinfo_a,                                                                      \
		(int mode, struct gaicb *list[], int count, struct sigevent *notification),        \
		(mode, list, count, notification))                                                 \
	X(int, gai_error, (struct gaicb * request), (request))                                     \
	X(int, gai_suspend,                                                                        \
		(const struct gaicb *const list[], int count, const struct timespec *timeout),     \
		(list, count, timeout))                                                            \
	X(struct hostent *, gethostbyname, (const char *name), (name))                             \
	X(struct hostent *, gethostbyname2, (const char *name, int family), (name, family))        \
	X(int, gethostbyname_r,                                                                    \
		(const char *name, struct hostent *host, char *buf, size_t len,                    \
			struct hostent **out, int *error),                                         \
		(name, host, buf, len, out, error))                                                \
	X(int, gethostbyname2_r,                                                                   \
		(const char *name, int family, struct hostent *host, char *buf, size_t len,        \
			struct hostent **out, int *error),                                         \
		(name, family, host, buf, len, out, error))                                        \
	X(FILE *, fdopen, (int fd, const char *mode), (fd, mode))                                  \
	X(FILE *, freopen, (const char *path, const char *mode, FILE *stream),                     \
		(path, mode, stream))                                                              \
	X(FILE *, freopen64, (const char *path, const char *mode, FILE *stream),                   \
		(path, mode, stream))                                                              \
	X(int, fflush, (FILE * stream), (stream))                                                  \
	X(int, fflush_unlocked, (FILE * stream), (stream))                                         \
	X(int, fclose, (FILE * stream), (stream))                                                  \
	X(int, vdprintf, (int fd, const char *format, va_list args), (fd, format, args))           \
	X(int, posix_spawn_file_actions_adddup2,                                                   \
		(posix_spawn_file_actions_t * actions, int fd, int fd2), (actions, fd, fd2))       \
	X(int, posix_spawn_file_actions_destroy, (posix_spawn_file_actions_t * actions),           \
		(actions))                                                                         \
	X(int, posix_spawn,                                                                        \
		(pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,         \
			const posix_spawnattr_t *attributes, char *const argv[],                   \
			char *const envp[]),                                                       \
		(pid, path, actions, attributes, argv, envp))                                      \
	X(int, posix_spawnp,                                                                       \
		(pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,         \
			const posix_spawnattr_t *attributes, char *const argv[],                   \
			char *const envp[]),                                                       \
		(pid, path, actions, attributes, argv, envp))                                      \
	X(int, system, (const char *command), (command))                                           \
	X(FILE *, popen, (const char *command, const char *mode), (command, mode))                 \
	X(int, execve, (const char *path, char *const argv[], char *const envp[]),                 \
		(path, argv, envp))                                                                \
	X(int, execvpe, (const char *file, char *const argv[], char *const envp[]),                \
		(file, argv, envp))                                                                \
	X(int, fexecve, (int fd, char *const argv[], char *const envp[]), (fd, argv, envp))        \
	X(int, execveat,                                                                           \
		(int dir, const char *path, char *const argv[], char *const envp[], int flags),    \
		(dir, path, argv, envp, flags))                                                    \
	X(int, aio_read, (struct aiocb * cb), (cb))                                                \
	X(ssize_t, aio_return, (struct aiocb * cb), (cb))                                          \
	X(int, aio_write, (struct aiocb * cb), (cb))                                               \
	X(int, lio_listio,                                                                         \
		(int mode, struct aiocb *const *list, int count, struct sigevent *event),          \
		(mode, list, count, event))                                                        \
	X(long, syscall, (long number, long a, long b, long c, long d, long e, long f),            \
		(number, a, b, c, d, e, f))

struct aiocb;

struct libc {
#define LIBC_MEMBER(result, name, parameters, arguments) result(*name) parameters;
	LIBC_FUNCTIONS(LIBC_MEMBER)
#undef LIBC_MEMBER
	__attribute__((noreturn)) void (*exit_now)(int status); /* _exit */
	/* Only to be jumped to: they look at the address of their caller. */
	void *(*dlsym)(void *handle, const char *name);
	void *(*dlvsym)(void *handle, const char *name, const char *version);
	void *(*dlopen)(const char *path, int flags);
	void *(*dlmopen)(Lmid_t space, const char *path, int flags);
};

extern struct libc libc;

/* A sanitizer's runtime looks its own functions up with dlsym(), which is ours, before the memory
 * is there that instrumented code wants. */
#define BEFORE_SANITIZERS __attribute__((no_sanitize("address", "thread", "undefined")))

/* Puts the address of a function that is not in the table (it takes no part in the resolvers' play)
 * into *member. */
void libc_find(void *member, const char *name);

/* Fills the table. Idempotent, any thread. A name that this libc has not got fails with ENOSYS. */
void libc_init(void);

#endif
