/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who is to have a connection next. A program or a process that certainly is without the library is
 * foreign: it makes its system calls past us. Of whatever cannot be looked at nobody knows, and it
 * is not called foreign.
 */
#ifndef SEAMTLS_CONN_SUCCESSOR_H
#define SEAMTLS_CONN_SUCCESSOR_H

#include "conn/conn.h"
#include "conn/relay.h"

/* A program is foreign if the loader will not put the library into it: it is static, of another
 * machine or C library, gains privileges, or its environment does not name the library. Nothing is
 * allocated. */
enum departure successor_departure(const struct conn_next *next);
/* Whoever has connected this Unix socket, or listens at its other end. */
enum departure successor_departure_through(int fd);

#endif
