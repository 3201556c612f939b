/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libc's own streams go to the kernel from inside libc, where nothing of ours sees it. A protected
 * connection that is on number 0, 1 or 2 by itself (a program that had closed them was given the
 * number) must not be reached that way: the stream finds its descriptor closed.
 */
#ifndef SEAMTLS_CALLS_STREAMS_H
#define SEAMTLS_CALLS_STREAMS_H

#include <stdbool.h>
#include <stdio.h>

/* Whether a stream of libc's own has that number: it would go on writing there. */
bool streams_have(int fd);
/* All streams, with the lock over their list. */
void streams_each(void (*each)(FILE *stream));
/* fd may have become a protected connection: call it with any new descriptor. */
void streams_hold(int fd);
/* At the end of the process: what is in the buffers of streams on connections goes out. */
void streams_flush(void);
/* What streams on connections that are left alone have in their buffers is told (conn.h). */
void streams_look(void);
/* fd is something else from here on. */
void streams_release(int fd);

#endif
