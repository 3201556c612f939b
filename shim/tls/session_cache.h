/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client's sessions, of all connections, threads and forked processes. Bounded: the one that
 * was used least recently goes. It knows nothing of what it keeps but its key and its end.
 */
#ifndef SEAMTLS_TLS_SESSION_CACHE_H
#define SEAMTLS_TLS_SESSION_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_KEY_LEN 32
#define SESSION_LEN_MOST 8192

/* Makes the memory if there is none yet; children that are forked later share it. 0 or -ENOMEM. */
int session_cache_prepare(void);

/* What is too long or has ended is not kept. `once`: several may be kept under one key, and each is
 * given out only once (RFC 8446 C.4); else there is one. */
void session_cache_put(const uint8_t key[SESSION_KEY_LEN], const void *data, size_t len,
	int64_t until_s, bool once);
/* The latest one into out, of SESSION_LEN_MOST bytes. Its length, or 0: there is none. */
size_t session_cache_take(const uint8_t key[SESSION_KEY_LEN], void *out);
/* None is left under this key. */
void session_cache_drop(const uint8_t key[SESSION_KEY_LEN]);

#endif
