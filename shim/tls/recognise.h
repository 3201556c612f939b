/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What protects a connection that is left alone, told from its first bytes as the program sends and
 * receives them: TLS of the program's own with what its handshake says in the clear, also where it
 * begins in the middle (STARTTLS, a proxy's CONNECT); SSH; or nothing. Pure: no sockets, no policy.
 * The bytes are hostile. Memory is bounded, and in use until it is decided.
 */
#ifndef SEAMTLS_TLS_RECOGNISE_H
#define SEAMTLS_TLS_RECOGNISE_H

#include "handshake.h"
#include "ja4.h"
#include "record.h"

enum recognise_way { RECOGNISE_SENT, RECOGNISE_RECEIVED }; /* by the program */
#define RECOGNISE_WAYS 2

enum recognised {
	RECOGNISED_NOTHING, /* no byte has passed */
	RECOGNISED_TLS,
	RECOGNISED_SSH,
	RECOGNISED_CLEAR,
	RECOGNISED_UNKNOWN, /* bytes have passed that were not seen, or too few to tell */
};

#define RECOGNISE_BANNER_LEN 256 /* RFC 4253 4.2 */

/* What is not known is 0, "" or NULL; `resumed` and alerts -1. */
struct recognition {
	enum recognised protocol;
	const char *application; /* "http", "smtp", ...: what is in the clear, or was before TLS */
	bool upgraded;           /* TLS began in the middle */
	/* TLS: IANA's numbers. `offered`: the client's highest version. */
	unsigned offered, version, suite, group;
	int resumed;
	bool retried;          /* HelloRetryRequest */
	bool asks_certificate; /* the server does, of the client; TLS 1.3 says it encrypted */
	char server_name[TLS_NAME_MAX];
	char alpn[TLS_NAME_MAX];   /* chosen; TLS 1.3 says it encrypted */
	char ja4[JA4_TEXT_LEN];    /* of the client */
	struct tls_peer peer;      /* before TLS 1.3 */
	int alert[RECOGNISE_WAYS]; /* fatal, while the handshake was in the clear */
	char banner[RECOGNISE_WAYS][RECOGNISE_BANNER_LEN]; /* SSH: "SSH-2.0-..." */
};

struct recogniser;

/* NULL: no memory. */
struct recogniser *recogniser_new(void);
void recogniser_free(struct recogniser *recogniser);

/*
 * What one call of the program's has sent or received. True: all that is to be known is known, and
 * further bytes change nothing.
 */
bool recogniser_take(
	struct recogniser *recogniser, enum recognise_way way, const uint8_t *data, size_t len);
/*
 * Bytes have passed this way that were not seen. From here on only what can be nothing else counts
 * there: the beginning of a handshake, a banner, the first word of a protocol. What was in the
 * clear may have become TLS unseen, unless the other way has been seen and has not.
 */
void recogniser_gap(struct recogniser *recogniser, enum recognise_way way);
bool recogniser_has_gap(const struct recogniser *recogniser);
/* Whether it is taken to be in the clear only because nothing else was found. */
bool recogniser_presumes_clear(const struct recogniser *recogniser);
/* The connection is at its end: what is known by now is all. */
void recogniser_end(struct recogniser *recogniser);

/* After one of these, or at any time, with what is known so far. */
const struct recognition *recogniser_result(const struct recogniser *recogniser);

/* "tls", "ssh", "clear", "none", "unknown" */
const char *recognised_name(enum recognised protocol);

#endif
