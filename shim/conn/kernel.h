/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plane `kernel`: records of an open connection by the kernel's own TLS, each direction by
 * itself. A direction is the kernel's from a record boundary on, when nothing of it is with us;
 * where the kernel cannot, it stays ours.
 */
#ifndef SEAMTLS_CONN_KERNEL_H
#define SEAMTLS_CONN_KERNEL_H

#include "conn/relay.h"
#include "tls/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;
struct intake;
struct outgoing;
struct share;
struct sink;

/* --- kernel.c: the hand-over */

/* After the handshake: what the rule asks for, and the kernel can. */
void kernel_plan(struct conn *conn);
/* With the direction's lock, or before anybody else can have it: hands over if it is due and can be
 * now. */
void kernel_take_send(struct conn *conn, int fd);
void kernel_take_receive(struct conn *conn, int fd);
/*
 * The socket itself is to leave our sight: both directions have to be the kernel's for that. False:
 * they cannot be, now or at all, or the rule has a relay for who is to have it.
 */
bool kernel_leave(struct conn *conn, int fd, enum departure departure);
/*
 * What the kernel can is tried as long as the process may: for rules that name it with the first
 * socket, before a sandbox; for those that may come to it when privileges, or the root directory,
 * are about to go (`last_chance`).
 */
void kernel_prepare(bool last_chance);
/* What the rule asks for and is not to be had, in words. False: nothing. */
bool kernel_lacks(const struct conn *conn, char *out, size_t room);
/* Bytes of TCP's stream up to now, acknowledged or not. */
uint64_t kernel_stream_end(int fd);
/* A KeyUpdate has been sent or received, and the share's key is the new one. 0; -EOPNOTSUPP: this
 * kernel cannot; or -errno. */
int kernel_rekey_send(struct share *share, int fd);
int kernel_rekey_receive(struct share *share, int fd);

/* --- kernel_send.c: with the send lock, nothing waits */

/* As outlet_data(). -EILSEQ: the kernel has met a record of the peer's that is bad. */
int kernel_send_data(struct conn *conn, int fd, struct outgoing *out);
/* One control record; an alert that there is no room for is kept for kernel_flush(). 0 or -errno.
 */
int kernel_send_control(
	struct share *share, int fd, enum record_type type, const uint8_t *data, size_t len);
/* What goes before the program's first data. 0, -EAGAIN or -errno. */
int kernel_send_tickets(struct conn *conn, int fd);
/* The estimate of the key's use was too high: it lasts. */
bool kernel_has_left(struct share *share, int fd);
/* 0: nothing is left that FIN would overtake; -EAGAIN. */
int kernel_flush(struct share *share, int fd);
/* `len` bytes more have been given to the kernel. */
void kernel_count(struct share *share, size_t len);
/* An errno of a call that sends, as TCP would have it. After the end of the connection the kernel's
 * TLS takes what nobody will get, so that it is not asked again. */
int kernel_send_error(struct share *share, int fd, int error);

/* --- kernel_move.c: they may wait, and give the reference up meanwhile, as driver_wait() does */

/* Whether the kernel can move data to the connection: it makes its records, or can from now on. */
bool kernel_moves(struct conn *conn, int fd);
/* As conn_sendfile() and splice_from_pipe(). Besides: CONN_PIPE_SIGNALLED. */
ssize_t kernel_send_file(struct conn **held, int fd, int in, off_t *offset, size_t len);
ssize_t kernel_send_pipe(struct conn **held, int fd, int pipe, size_t len);

/* --- kernel_receive.c: with the receive lock, nothing waits */

/* As intake_fill() and intake_peek(). */
int kernel_fill(struct intake *in, struct sink *sink);
int kernel_peek(struct intake *in, struct sink *sink);
/* As conn_settle(). */
int kernel_settle(struct intake *in);
/* The bytes of plaintext that wait, up to 256 KiB. */
size_t kernel_queued(struct intake *in);
/* SO_RCVLOWAT of the kernel's follows the program's, and what is there of a record. */
void kernel_sync_low_water(struct share *share, int fd);
/* The connection has failed, by what a call that reads has said. -ECONNRESET. */
int kernel_receive_failed(struct conn *conn, int fd, int error);
/* The errno is of a record, not of TCP. */
bool kernel_is_record_error(int error);

#endif
