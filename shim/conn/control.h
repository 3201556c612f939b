/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of an open connection that carry no data. Called with the receive lock held. All return 0
 * or, when the connection has failed (and been reported, and the peer told), -ECONNRESET.
 */
#ifndef SEAMTLS_CONN_CONTROL_H
#define SEAMTLS_CONN_CONTROL_H

#include "tls/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

struct share;

/* Whether a record of this type, with so much in it, is for conn_control_record(). */
bool control_takes(const struct share *share, enum record_type type, size_t len);
int conn_control_record(
	struct conn *conn, int fd, enum record_type type, const uint8_t *data, size_t len);
/* What a handshake record holds is one whole KeyUpdate. */
bool control_is_key_update(const uint8_t *data, size_t len);
/* A record that cannot be opened, or parked: `error` as record_open() and friends give it. */
int conn_control_failed(struct conn *conn, int fd, int error);
/* The kernel has ended it: what recv() gave (the kernel says it once). */
int conn_control_broken(struct conn *conn, int fd, int error);
/* FIN without close_notify. */
int conn_control_truncated(struct conn *conn, int fd);

#endif
