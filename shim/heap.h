/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory of the library's own. In it are keys, tickets and what wolfSSL makes of them, so it is
 * kept out of core dumps, and every block is wiped when it is freed; and it is not the host
 * program's malloc(), which a signal handler may have interrupted, and whose owner may do with it
 * what he likes. The library's objects are linked so that their malloc() and free() are these
 * (heap_names.c).
 *
 * Not MADV_WIPEONFORK: a child goes on with its parent's certificates, keys and connections.
 */
#ifndef SEAMTLS_HEAP_H
#define SEAMTLS_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, aligned for anything. NULL: no memory; errno is ENOMEM then. */
void *heap_take(size_t len);
/* A block of the heap; it is wiped. */
void heap_give(void *block);
/* At least as much as was asked for. */
size_t heap_len(const void *block);
/* Whether heap_take() gave it. */
bool heap_has(const void *block);

void heap_lock_for_fork(bool on);

#endif
