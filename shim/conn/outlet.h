/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plaintext into records that are sealed and given to the kernel, the counterpart of the intake.
 * All with the send lock held, and nothing here waits for the kernel: who may wait does so outside
 * of the lock, so that another thread can shut the connection down meanwhile, and a handler that
 * never returns leaves nothing locked.
 */
#ifndef SEAMTLS_CONN_OUTLET_H
#define SEAMTLS_CONN_OUTLET_H

#include "tls/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct conn;
struct share;

/* All that one call may send at most, whatever it asks for (write(2)). */
#define OUTGOING_MOST 0x7ffff000U

/* What one call of the program sends, and how far it has come. */
struct outgoing {
	const struct iovec *iov;
	size_t count;
	size_t total, done; /* bytes; done: given to the kernel, or parked */
	bool begun;         /* the byte that an earlier call owed has been looked at */
	bool parked;        /* the end of what is done is parked, sealed as the records before .. */
	uint64_t seq;       /* .. this one */
};

void outgoing_init(struct outgoing *out, const struct iovec *iov, size_t count);
/* Whether the program's buffers are memory, as far as the next records go (EFAULT). */
bool outgoing_is_there(const struct outgoing *out);
/* What is still to go, at most `most` parts of it: the count. */
size_t outgoing_rest(const struct outgoing *out, struct iovec *parts, size_t most);
/* The byte of the program's buffers at `offset`. */
uint8_t outgoing_byte(const struct outgoing *out, size_t offset);

/* 0: locked; -EAGAIN: a signal handler in the middle of this thread's own send; -ECONNRESET: it has
 * failed. Given back with share_unlock(&share->send_lock). */
int outlet_lock(struct conn *conn);

/*
 * Goes on with `out`. 0: all of it is with the kernel; -EAGAIN: the kernel takes no more now, and
 * `done` says how far it has come; or -errno, -EBADMSG: the program did not go on with the byte
 * that a short count had left, -ENOTRECOVERABLE: no memory for the rest of a record. `waits`:
 * whether the caller will wait and come again, asked only when the kernel took a part: then all of
 * a record that was cut counts as done. Otherwise its last byte does not, so that the program comes
 * back.
 */
int outlet_data(struct conn *conn, int fd, struct outgoing *out, int flags,
	bool (*waits)(struct conn *conn, int fd, int flags));
/* A caller that would wait gives up: what is still parked of `out` is the next call's to go on
 * with. */
void outlet_give_up(struct share *share, struct outgoing *out);

/*
 * The end of the handshake may be unacknowledged yet. Nagle's algorithm (RFC 9293 3.7.4) would hold
 * a small first write back for as long as the peer delays its acknowledgement, 40 ms, where over
 * TCP alone it is sent at once. Around such a write: whether outlet_hurry_end() is to follow.
 */
bool outlet_hurry(struct share *share, int fd);
void outlet_hurry_end(int fd);

/* What is parked goes out. 0: nothing is left; -EAGAIN; or -errno. */
int outlet_flush(struct share *share, int fd);
/* Before data: a new key, if it is due. 0 or -errno. */
int outlet_renew_key(struct share *share, int fd);
/* One control record goes out, or is parked. 0 or -errno. */
int outlet_control(
	struct share *share, int fd, enum record_type type, const uint8_t *data, size_t len);
/* Handshake messages, in as many records as they take. 0 or -errno. */
int outlet_messages(struct share *share, int fd, const uint8_t *data, size_t len);
/* Data of which no count is reported: what the kernel does not take is parked, at most
 * CONN_EARLY_MOST bytes. */
int outlet_all(struct conn *conn, int fd, const uint8_t *data, size_t len);

#endif
