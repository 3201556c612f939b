/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of recognise.h. */
#ifndef SEAMTLS_TLS_RECOGNISE_PRIVATE_H
#define SEAMTLS_TLS_RECOGNISE_PRIVATE_H

#include "recognise.h"

#define HEAD_LEN 6    /* a record's header, and the type of the message in it */
#define SAMPLE_LEN 64 /* what a protocol in the clear is known by */

enum way_state {
	WAY_NEW,   /* no byte yet, or too few to tell */
	WAY_CLEAR, /* and may become TLS with any call */
	WAY_SSH,
	WAY_TLS,  /* a handshake in the clear */
	WAY_DONE, /* encrypted from here on, or malformed, or of no more interest */
};

/* One direction. */
struct way {
	enum way_state state;
	uint8_t head[HEAD_LEN]; /* the beginning of what may be TLS or SSH; a record's header */
	size_t head_len;
	uint8_t sample[SAMPLE_LEN];
	size_t sample_len;
	size_t banner_len;
	/* --- WAY_TLS */
	uint8_t record_type;
	size_t record_left;
	uint8_t message_head[4];
	size_t message_head_len;
	uint8_t *message; /* as much of it as is wanted */
	size_t message_len, message_room, message_left;
	uint8_t alert[2];
	size_t alert_len;
	size_t taken; /* bytes of the handshake */
	bool gap;     /* bytes have passed that were not seen */
};

struct recogniser {
	struct way ways[RECOGNISE_WAYS];
	struct recognition result;
	size_t passed; /* bytes, in all */
	size_t clear;  /* those in the clear */
	bool client_hello, server_hello;
	bool offered_session; /* TLS 1.2: the client wants to resume this one */
	uint8_t session_id[32];
	bool certificate; /* the server has sent one */
	bool decided;
};

/* --- recognise_tls.c: takes bytes of WAY_TLS, and decides. */
void recognise_tls(
	struct recogniser *recogniser, enum recognise_way way, const uint8_t *data, size_t len);

/* --- recognise_clear.c */
/* The name of what begins so; NULL: it is not known. *final: it never becomes TLS. */
const char *recognise_application(const struct recogniser *recogniser, bool *final);
/* Whether this cannot be anything else, wherever it stands. */
bool recognise_is_named(const uint8_t *data, size_t len);

#endif
