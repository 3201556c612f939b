/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A connection that policy has mapped, as the interposed functions see it. All results are 0 or a
 * count, or -errno; errno itself is never touched. A non-blocking descriptor never waits here.
 */
#ifndef SEAMTLS_CONN_CONN_H
#define SEAMTLS_CONN_CONN_H

#include "audit/cause.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct conn;

/* The connection of a descriptor, with a reference that conn_put() gives back, and in the guard
 * (guard.h) until then. NULL: not ours; errno as it was. */
struct conn *conn_get(int fd);
void conn_put(struct conn *conn);

/*
 * Whether bytes of the program go through us (established or on the way there). False for a socket
 * that is not connected yet: its calls are libc's.
 */
bool conn_is_mapped(const struct conn *conn);
/* Whether this process has any TCP socket that may be or become a connection of ours. */
bool conn_any(void);

/* A new TCP socket: remembered, so that what the program does before connect() is known. */
void conn_socket_made(int fd, int domain, int type);

/*
 * Calls that may wait take the reference and the guard over. CONN_AGAIN: meanwhile the descriptor
 * has become another's, or libc's; as the kernel would, the call begins again.
 */
#define CONN_AGAIN (-ESTALE)

/* -EPIPE of a call that has raised SIGPIPE already. */
#define CONN_PIPE_SIGNALLED (-ESHUTDOWN)

/* Decides, connects, establishes. `conn` may be NULL, and then there is nothing to take over. 1:
 * not ours, call libc. */
int conn_connect(struct conn *conn, int fd, const struct sockaddr *addr, socklen_t len);

/* Credentials and audit of what listens on fd are loaded. 0, or -EACCES when they cannot be. */
int conn_listen(int fd);

/* Whether fd listens, and a rule has what it accepts protected. */
bool conn_protects_listener(int fd);

/* At the start of the process: TCP connections on 0 to 2, which inetd and service managers hand on,
 * are decided about as if they had just been accepted. */
void conn_inherit(void);

/* accept4() with everything that policy says. The new descriptor or -errno. */
int conn_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags);

ssize_t conn_receive(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags);
ssize_t conn_send(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags);
/* Waits too, and takes over. From a file's offset, or its position if offset is NULL. */
ssize_t conn_sendfile(struct conn *conn, int fd, int in, off_t *offset, size_t len);

/* What the pipe holds, if the kernel makes the records; waits for the connection, and takes over. A
 * count; 0: the pipe's end; -ENODATA: the pipe is empty; or -errno. */
ssize_t conn_splice_from(struct conn *conn, int fd, int pipe, size_t len);
bool conn_splices(struct conn *conn, int fd);

/* What a blocking send waits for; takes over. 0: look again; -EAGAIN: SO_SNDTIMEO has passed; or
 * -EINTR, CONN_AGAIN, or why there is no connection. */
int conn_wait_writable(struct conn *conn, int fd, bool has_some);
/* A descriptor that is not a connection, with those on their way driven meanwhile. 0: look again;
 * or -EINTR. */
int conn_wait_beside(int fd, short events);

int conn_shutdown(struct conn *conn, int fd, int how);

/* close(): takes the descriptor away and closes it. Only for descriptors of ours. */
int conn_close(struct conn *conn, int fd);
/* The descriptors first..last that are ours are about to be closed, and their last bytes go out
 * now; or they are marked close-on-exec. */
void conn_close_range(unsigned first, unsigned last, bool on_exec_only);

/* newfd became a copy of fd (kernel side done). */
void conn_duplicated(struct conn *conn, int fd, int newfd, bool close_on_exec);
/* What newfd was is about to be replaced by dup2(): its last bytes go out now. */
void conn_replaced(int newfd);
/* The library's own descriptor, which the program cannot close; -1: there is none. */
int conn_own_descriptor(void);

/* FD_CLOEXEC as the program set it; ours is always set, since a new program image could not go on
 * with the connection. */
bool conn_close_on_exec(const struct conn *conn, int fd);
void conn_set_close_on_exec(struct conn *conn, int fd, bool on);

void conn_set_nonblock(struct conn *conn, bool on);
/* The program wants SIGIO, which comes for data only while nothing else is the next to be read. */
void conn_expect_signals(struct conn *conn, int fd);

/* Bytes of plaintext that a read would give now. */
int conn_readable_bytes(struct conn *conn, int fd);

/* The failure of the connection, which the program was told just now, is to be told once more: the
 * call had something else to report. */
void conn_repeat_error(struct conn *conn);

/* SIOCOUTQ, SIOCOUTQNSD: of what was sent, the bytes of plaintext that may still be on their way.
 */
int conn_unsent_bytes(struct conn *conn, int fd, unsigned long request);

/* 1: the answer is libc's. */
int conn_getsockopt(struct conn *conn, int fd, int level, int name, void *value, socklen_t *len);
int conn_setsockopt(
	struct conn *conn, int fd, int level, int name, const void *value, socklen_t len);
/* -ENOTCONN while the connection is on its way, else 0. */
int conn_getpeername(struct conn *conn);

int conn_epoll_ctl(struct conn *conn, int epfd, int op, int fd, struct epoll_event *event);

/* In a vfork child: fd is still the connection that the parent has there. What the child does with
 * it is for the program that it will execute. */
bool conn_is_visited(struct conn *conn, int fd);
/* The program that is to be executed. Its file is opened if a connection is handed on to it. */
struct conn_next {
	int (*open)(const void *how); /* a descriptor, or -1: it cannot be looked at */
	const void *how;
	bool preloads; /* its environment names the library */
};
/* Before a child is made that executes a program: what is handed on to it on purpose. */
void conn_before_spawn(const struct conn_next *next);
/* Before and, if it comes back, after exec(). The count of `watches`. */
size_t conn_before_exec(int *watches, size_t most, const struct conn_next *next);
void conn_exec_failed(const int *watches, size_t count);

/*
 * A connection that is left alone, whose first bytes are still looked at (observe.h). What libc's
 * own call has moved on it. errno stays. False and nothing for all other descriptors.
 */
/* From here on none of this process's is looked at any more. */
void conn_stop_observing(void);
bool conn_is_observed(int fd);
bool conn_any_observed(void); /* there is one, or has been */
void conn_saw_sent(int fd, const struct iovec *iov, size_t count, size_t len);
void conn_saw_received(int fd, const struct iovec *iov, size_t count, size_t len);
/* Bytes go past from here on, or have gone, for this cause: what is seen may have gaps. */
void conn_saw_not(int fd, enum cause cause);
/* The last bytes that a stream of libc's own has read, however often they are told. */
void conn_saw_read(int fd, const void *data, size_t len);
/* Bytes that are about to be sent, after others that may have gone past for this cause. */
void conn_sees_sent(int fd, const struct iovec *iov, size_t count, size_t len, enum cause cause);

/* Process events. conn_before_fork(), then one of the next two in either process. */
void conn_before_fork(void);
void conn_after_fork(void);
void conn_in_child(void);
void conn_fork_failed(void);
void conn_at_exit(void);

#endif
