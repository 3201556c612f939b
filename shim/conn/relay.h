/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A connection that leaves our sight: another program's, a process's without the library, or on a
 * number that libc itself writes to. Whoever is to have it gets one end of a pair of Unix sockets,
 * which anybody may use as what it is; the other end is served by a small process that goes on with
 * the connection (DESIGN 5.6).
 */
#ifndef SEAMTLS_CONN_RELAY_H
#define SEAMTLS_CONN_RELAY_H

#include <stdbool.h>
#include <sys/socket.h>

struct conn;

/* To whom it goes, which decides whether it can be the socket itself, with the kernel's TLS
 * (kernel_leave()). */
enum departure {
	DEPARTS_TO_COVERED, /* where the library is too, to libc's own streams, or nobody knows */
	DEPARTS_TO_FOREIGN, /* where it is not */
	DEPARTS_ANYHOW,     /* there can be no relay for it */
};

/*
 * The connection is to be at number `to` as well, where streams of libc and other programs find it
 * (0 to 2, or a descriptor that a program hands to another on purpose). If no other process has the
 * connection, all its descriptors become ends of one relay, so that what is written through any of
 * them keeps its order. Else only `to` becomes one; the peer's data goes there if it is to be
 * another's standard input, or when no other process has the connection any more: a shell's
 * `command >&3` is not to swallow what the shell itself will read. `to` or -errno.
 */
int relay_onto(struct conn *conn, int fd, int to, enum departure departure);
/* The same, in place. 0 or -errno. */
int relay_in_place(struct conn *conn, int fd);

/*
 * A descriptor to give away by other means: the pair, and once the outside end has been given away
 * the process that serves the inside one. 0 or -errno.
 */
struct relay_pair {
	int outside, inside;
};
int relay_pair_new(struct conn *conn, int fd, struct relay_pair *out);
int relay_pair_start(struct conn *conn, int fd, struct relay_pair *pair, bool reads);
void relay_pair_close(struct relay_pair *pair);
/* Says on standard error that there is no process for it. */
void relay_complain(const struct conn *conn);

/*
 * The process is about to become another program, which will not have this connection, and no other
 * process has it. The peer is to hear its end, unless exec() fails: a process waits for that. A
 * descriptor to give to relay_exec_failed(), or -1: it cannot be waited for.
 */
int relay_watch_exec(struct conn *conn, int fd);
void relay_exec_failed(int watch);

/* The TCP address that an end stands for. False: fd is no such end. */
bool relay_address(int fd, bool peer, struct sockaddr *addr, socklen_t *len);
bool relay_is_end(int fd);

#endif
