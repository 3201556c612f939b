/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files and pipes at the other end of a connection: the steps in which data goes from one to the
 * other. No byte is taken from where it is before it has arrived where it goes, and nothing is
 * waited for.
 */
#ifndef SEAMTLS_CONN_SPLICE_H
#define SEAMTLS_CONN_SPLICE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;

/* 0; or -errno, as sendfile(2) checks its arguments, but for what reading at *offset tells anyway.
 */
int splice_check_file(int in, const off_t *offset, size_t count);

/* What there is to read goes into the pipe, as far as it fits. A count; 0: there is nothing, or
 * only the end; -EAGAIN: the pipe is full; or -errno. */
ssize_t splice_to_pipe(struct conn *conn, int fd, int pipe, size_t len);

/* What the pipe holds is sent, as far as the connection takes it now. A count; 0: the pipe's end;
 * -ENODATA: the pipe is empty; -EAGAIN: the connection takes nothing now; or -errno. */
ssize_t splice_from_pipe(struct conn *conn, int fd, int pipe, size_t len, int flags);

/* What the pipe holds now, which stays there. A count; -EAGAIN: nothing; or -errno. */
ssize_t splice_peek(int pipe, uint8_t *buf, size_t len);

#endif
