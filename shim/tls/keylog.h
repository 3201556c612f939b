/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The secrets of handshakes for Wireshark and its like, in the NSS key log format
 * (draft-ietf-tls-keylogfile), where a policy says `keylog`. Whoever can read the file can read the
 * connections, so it is made for its owner alone, and one that others may read is not written to.
 */
#ifndef SEAMTLS_TLS_KEYLOG_H
#define SEAMTLS_TLS_KEYLOG_H

#include "tls/why.h"
#include <stddef.h>
#include <stdint.h>

struct tls_handshake;

/* Whether `path` can be written to, which makes the file. 0, or -errno with the reason. */
int keylog_check(const char *path, const struct why *why);

/* Has wolfSSL tell its TLS 1.2 secret, for a handshake whose context logs keys. */
void keylog_begin(struct tls_handshake *handshake);

/* One of the TLS 1.3 secrets, by its place in struct tls_handshake. */
void keylog_secret(struct tls_handshake *handshake, int which, const uint8_t *secret, size_t len);

#endif
