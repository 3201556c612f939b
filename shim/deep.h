/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What needs more stack than a thread of the host program may have (16 KiB is enough for a read or
 * a write of its own): handshakes, loading, audit. It runs on a stack of the library's, in the same
 * thread and in the guard; nothing that waits may be in there. errno stays (wolfSSL clears it).
 */
#ifndef SEAMTLS_DEEP_H
#define SEAMTLS_DEEP_H

#include <stdbool.h>

void deep_run(void (*run)(void *arg), void *arg);
void deep_lock_for_fork(bool on);

#endif
