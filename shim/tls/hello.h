/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) says of the certificates that would do for
 * the client, and of what comes behind it. Pure; the input is hostile; nothing is copied but the
 * name. */
#ifndef SEAMTLS_TLS_HELLO_H
#define SEAMTLS_TLS_HELLO_H

#include "handshake.h"
#include "x509.h"

struct hello {
	char name[TLS_NAME_MAX]; /* server_name; "": none */
	bool asks_for_name;      /* server_name was sent, whatever is in it */
	bool tls13;              /* among the versions that it supports */
	bool early_data;         /* is offered, and may follow */
	unsigned legacy_version; /* of who knows no supported_versions */
	/* Numbers of two bytes each. NULL: not sent. */
	struct x509_bytes suites, signatures, groups, versions;
	struct x509_bytes protocols;  /* ALPN: vectors, each with its length in a byte */
	struct x509_bytes session_id; /* may be empty */
	struct x509_bytes extensions; /* for hello_next_extension() */
};

/*
 * `message`: handshake messages as they came, without the headers of their records. 0 and *out;
 * -EAGAIN: the first is not whole yet; -EBADMSG: it is no ClientHello, or cannot be parsed.
 */
int hello_parse(const uint8_t *message, size_t len, struct hello *out);

/* Takes the next extension off `extensions`, also those of a ServerHello. False: there is none, or
 * it is malformed. */
bool hello_next_extension(struct x509_bytes *extensions, size_t *type, struct x509_bytes *body);

/* Whether the list, of two bytes each, has the number. */
bool hello_lists(struct x509_bytes list, unsigned number);

#endif
