/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wolfCrypt's random numbers during a step of a handshake. With our own wolfSSL the kernel is asked
 * for several at once (numbers_ahead.c). */
#ifndef SEAMTLS_TLS_NUMBERS_H
#define SEAMTLS_TLS_NUMBERS_H

#include "tls/handshake.h"

/* What `step` returns. */
int numbers_for_step(int (*step)(struct tls_handshake *handshake), struct tls_handshake *handshake);

#endif
