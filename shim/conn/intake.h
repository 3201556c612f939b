/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of an open connection into plaintext, so that the kernel says "readable" exactly when a
 * read would give something. All with the receive lock held. Results: 0; -EAGAIN: the kernel has no
 * more now; 1: the end of the stream; or failed, -ECONNRESET and others, when the connection has
 * failed (and been reported).
 */
#ifndef SEAMTLS_CONN_INTAKE_H
#define SEAMTLS_CONN_INTAKE_H

#include "tls/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct conn;
struct share;

/* The caller's room, filled from the front. */
struct sink {
	const struct iovec *iov;
	size_t count;  /* parts left */
	size_t offset; /* in the first of them */
	size_t done, total;
	bool discards; /* MSG_TRUNC: the bytes are counted, and go nowhere (tcp(7)) */
};

/* All that one call may take at most, whatever it asks for (read(2)). */
#define SINK_MOST 0x7ffff000U

void sink_init(struct sink *sink, const struct iovec *iov, size_t count, int flags);

/* Of the room that is left at most `len` bytes, in at most `most` parts: the count of those.
 * Whether that is memory of the program's. And `len` bytes of it are filled. */
size_t sink_rest(const struct sink *sink, size_t len, struct iovec *parts, size_t most);
bool sink_is_there(const struct sink *sink, size_t len);
void sink_took(struct sink *sink, size_t len);

/* A call's context. */
struct intake {
	struct conn *conn;
	struct share *share;
	int fd;
	uint8_t *scratch; /* SCRATCH_LEN bytes */
	size_t have;      /* in the scratch: the beginning of a record, or several */
	size_t reach;     /* the most that there was in it */
};

/* Until the sink is full (0) or the kernel is empty. */
int intake_fill(struct intake *in, struct sink *sink);
/* MSG_PEEK: the same bytes come again. 1: no others will come behind them. */
int intake_peek(struct intake *in, struct sink *sink);
/* The next record, whatever its size, parked in the share. Only while nothing is. */
int intake_park_next(struct intake *in);
/* The beginning of a record that is not all there, out of the kernel's queue, where it could keep
 * the receive window shut: the rest would never come. */
int intake_take_beginning(struct intake *in);
/* The plaintext of the whole records that wait in the kernel, behind the parked one. Exact for the
 * first 256 KiB, an upper bound for what comes after them. */
size_t intake_queued(struct intake *in);

/* For the kernel's records, too: data that has come; a record that is none; and what recv() says
 * instead of bytes. */
void intake_count_data(struct intake *in, size_t len);
int intake_control(struct intake *in, enum record_type type, const uint8_t *data, size_t len);
int intake_nothing_came(struct intake *in, int result);

#endif
