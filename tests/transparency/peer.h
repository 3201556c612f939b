/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the peer's commands share: its one connection, and its answers. */
#ifndef TRANSPARENCY_PEER_H
#define TRANSPARENCY_PEER_H

#include "peer_link.h"

#define LINE_MOST 1024
#define CHUNK 65536

extern struct link self;
extern int listener;            /* -1: none */
extern uint64_t sent, received; /* bytes of the pattern */

/* The line that the program waits for. "error ..." is the case's end. */
void answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "ok", or the name of the errno of -errno. */
void outcome(int r);
void take_connection(void);
/* Until the program has connected, and the handshake is done. */
void need_open(void);

/* --- peer_data.c: commands that send and receive */
void do_send(const char *arg);
void do_text(const char *arg);
void do_text_line(const char *arg);
void do_line(const char *arg);
void do_partial(const char *arg);
void do_rest(const char *arg);
void do_raw(const char *arg);
void do_recv(const char *arg);
void do_until_end(const char *arg);
void do_read_text(const char *arg);
void do_text_until_end(const char *arg);
void do_runs(const char *arg);
void do_blocks(const char *arg);
void do_both(const char *arg);

#endif
