/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two measured programs share: a TCP connection on loopback, plain (seamtls may be under
 * it) or with OpenSSL's TLS on it, and the account of what it cost. For measuring only: every
 * failure ends the program with a message.
 */
#ifndef SEAMTLS_BENCH_LINK_H
#define SEAMTLS_BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>

struct link;

/*
 * Opens the connection that `arg` asks for: { "serve"|"connect", PORT, "plain"|"openssl", CERT, KEY
 * } for serve, { "connect", PORT, "plain"|"openssl", CA } for connect. A server accepts one
 * connection. The clocks start when it is open.
 */
struct link *link_open(char **arg);
bool link_is_server(const struct link *link);
/* All of buf, or the program ends. */
void link_write(struct link *link, const void *buf, size_t len);
/* At least one byte; 0 at the end of the stream. */
size_t link_read(struct link *link, void *buf, size_t len);
/* Exactly len bytes. */
void link_read_all(struct link *link, void *buf, size_t len);
/* Says that nothing more is written. */
void link_end(struct link *link);
/* Closes, frees, and prints one line: wall seconds and CPU seconds since the connection was open.
 */
void link_finish(struct link *link);

#endif
