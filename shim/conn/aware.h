/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SOL_SEAMTLS (seamtls.h): for programs that want to know, and for those that say when TLS begins.
 * Results are 0 or -errno; 1: the answer is the kernel's.
 */
#ifndef SEAMTLS_CONN_AWARE_H
#define SEAMTLS_CONN_AWARE_H

#include <sys/socket.h>

struct conn;

/* `conn` may be NULL: the descriptor is not in the table. */
int conn_aware_get(struct conn *conn, int fd, int name, void *value, socklen_t *len);
/* Waits, and takes the reference over if there is one. */
int conn_aware_set(struct conn *conn, int fd, int name, const void *value, socklen_t len);

/* For both. What is to be said of a descriptor that is not in the table, and of one of which
 * nothing is decided: 0: a connection that policy leaves alone; -ENOTCONN; 1: no TCP socket, or
 * nothing of ours here. */
int conn_aware_of_others(int fd);

#endif
