/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a ServerHello (RFC 8446 4.1.3, RFC 5246 7.4.1.3) chose. Pure; the input is hostile; nothing
 * is copied. */
#ifndef SEAMTLS_TLS_SERVER_HELLO_H
#define SEAMTLS_TLS_SERVER_HELLO_H

#include "x509.h"

struct server_hello {
	bool retry; /* a HelloRetryRequest: the client begins again, with `group` */
	unsigned version, suite;
	unsigned group; /* TLS 1.3; 0: none, or not said here */
	bool resumes;   /* TLS 1.3: goes on with a key that both had */
	struct x509_bytes session_id;
	struct x509_bytes protocol;   /* ALPN; TLS 1.3 says it encrypted */
	struct x509_bytes extensions; /* for hello_next_extension() */
};

/* `body`: of the message, without its header. False: it is malformed. */
bool server_hello_parse(struct x509_bytes body, struct server_hello *out);

#endif
