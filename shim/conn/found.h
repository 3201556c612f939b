/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a handshake has found, for programs that ask: texts and the peer's certificate, packed in
 * one piece of memory. It is this process's own, and is inherited over fork(); what is a number is
 * in the share.
 */
#ifndef SEAMTLS_CONN_FOUND_H
#define SEAMTLS_CONN_FOUND_H

#include "tls/handshake.h"

#include <stddef.h>

enum found_item {
	FOUND_REASON,
	FOUND_SERVER_NAME,
	FOUND_ALPN,
	FOUND_CIPHER,
	FOUND_GROUP,
	FOUND_VERIFY,
	FOUND_PEER_SUBJECT,
	FOUND_PEER_ISSUER,
	FOUND_PEER_SERIAL,
	FOUND_PEER_SHA256,
	FOUND_PEER_SAN,
	FOUND_PEER_CERTIFICATE,
	FOUND_COUNT,
};

struct found;

/* Either may be NULL. NULL: no memory. To be given back with free(). */
struct found *found_new(const struct tls_result *result, const char *reason);

/* Its bytes, and how many; 0: there is none. */
const void *found_get(const struct found *found, enum found_item item, size_t *len);

#endif
