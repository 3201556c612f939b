/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections that policy leaves alone and has audited: what protects them, told from their first
 * bytes (tls/recognise.h), goes into a second event. Their calls are libc's own; we look at what
 * those have moved. Then the descriptor is as foreign as any other.
 */
#ifndef SEAMTLS_CONN_OBSERVE_H
#define SEAMTLS_CONN_OBSERVE_H

#include "tls/recognise.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct conn;
struct observed;

/*
 * Begins, for a connection whose first event, of that type and id, is written. Nothing that goes
 * wrong is anybody's affair: then there is no second event.
 */
void observe_begin(struct conn *conn, int type, uint64_t id);
void observe_begin_locked(struct conn *conn, int type, uint64_t id); /* with conn->lock held */

/* The next `len` bytes of these have passed. With conn->lock held. */
void observe_bytes(struct conn *conn, enum recognise_way way, const struct iovec *iov, size_t count,
	size_t len);
/* The next bytes are not let pass, but say what it is. With conn->lock held. */
void observe_name(struct conn *conn, enum recognise_way way, const struct iovec *iov, size_t count,
	size_t len);
/* What was seen so far; NULL: nothing. */
const struct recognition *observe_found(const struct conn *conn);
/* This process will see no more of it: its last descriptor is about to be closed (fd; -1: was), or
 * handed on. What is known by now is written. */
void observe_end(struct conn *conn, int fd);
/* Ends without a word: there is no connection. */
void observe_forget(struct conn *conn);
void observe_forget_locked(struct conn *conn); /* with conn->lock held */

/* Around fork(): nobody knows which of the two will go on. */
void observe_before_fork(struct conn *conn);
void observe_in_child(struct conn *conn);

#endif
