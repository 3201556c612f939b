/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL knows nothing of the records that have gone since the handshake. The request is sealed
 * for it, by copies of the keys of the handshake's end, as if it were the first record after that;
 * what it writes is opened again. To wolfSSL this is an ordinary stream, and none of these records
 * leaves the process. The Finished among the answers is made from the traffic secret that is in
 * use, so our KeyUpdates are repeated here before.
 */
#include "tls/post_auth.h"
#include "tls/handshake_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/internal.h>

struct tls_post_auth {
	WOLFSSL *ssl;
	struct record_key send, receive; /* as wolfSSL has them */
	uint32_t updates;                /* of `send` */
	const uint8_t *in;               /* what it is to read */
	size_t in_len;
	uint8_t *out; /* what it has written, opened */
	size_t out_len;
	int error;
};

static int on_read(WOLFSSL *ssl, char *buf, int len, void *arg)
{
	struct tls_post_auth *auth = arg;
	size_t n = (size_t)len < auth->in_len ? (size_t)len : auth->in_len;

	(void)ssl;
	if (n == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(buf, auth->in, n);
	auth->in += n;
	auth->in_len -= n;
	return (int)n;
}

/* One record of what it writes. Its length, or -errno. */
static ssize_t open_record(struct tls_post_auth *auth, const uint8_t *at, size_t len)
{
	struct record_header header;
	enum record_type type;
	size_t whole;
	ssize_t n;

	if (record_parse_header(&auth->send, at, len, &header) < 0)
		return -EPROTO;
	whole = RECORD_HEADER_LEN + (size_t)header.length;
	if (whole > len)
		return -EPROTO;
	n = record_open(&auth->send, at, whole, auth->out + auth->out_len, &type);
	/* It complains by an alert. */
	if (n < 0 || type != RECORD_HANDSHAKE)
		return -EPROTO;
	auth->out_len += (size_t)n;
	return (ssize_t)whole;
}

static int on_write(WOLFSSL *ssl, char *buf, int len, void *arg)
{
	struct tls_post_auth *auth = arg;
	uint8_t *out = realloc(auth->out, auth->out_len + (size_t)len);

	(void)ssl;
	if (out == NULL)
		auth->error = -ENOMEM;
	else
		auth->out = out;
	for (int at = 0; at < len && auth->error == 0;) {
		ssize_t n = open_record(auth, (const uint8_t *)buf + at, (size_t)(len - at));

		if (n < 0)
			auth->error = (int)n;
		else
			at += (int)n;
	}
	return auth->error == 0 ? len : WOLFSSL_CBIO_ERR_GENERAL;
}

struct tls_post_auth *tls_handshake_post_auth(struct tls_handshake *handshake)
{
	struct tls_post_auth *auth;
	struct record_key send, receive;

	if (!handshake->context->authenticates_later || handshake->status != 0 ||
		wolfSSL_version(handshake->ssl) != RECORD_TLS13 ||
		tls_handshake_keys(handshake, &send, &receive) < 0)
		return NULL;
	auth = calloc(1, sizeof *auth);
	if (auth != NULL) {
		auth->send = send;
		auth->receive = receive;
		auth->ssl = handshake->ssl;
		handshake->ssl = NULL;
		wolfSSL_SSLSetIORecv(auth->ssl, on_read);
		wolfSSL_SSLSetIOSend(auth->ssl, on_write);
		wolfSSL_SetIOReadCtx(auth->ssl, auth);
		wolfSSL_SetIOWriteCtx(auth->ssl, auth);
		wolfSSL_SetCertCbCtx(auth->ssl, NULL);
		wolfSSL_set_tls13_secret_cb(auth->ssl, NULL, NULL);
		FreeArrays(auth->ssl, 1); /* 7 KB that only a handshake needs */
	}
	record_key_clear(&send);
	record_key_clear(&receive);
	return auth;
}

static void out_clear(struct tls_post_auth *auth)
{
	free(auth->out);
	auth->out = NULL;
	auth->out_len = 0;
}

static int catch_up(struct tls_post_auth *auth, uint32_t updates)
{
	while (auth->updates != updates) {
		int r = wolfSSL_update_keys(auth->ssl) == WOLFSSL_SUCCESS
				? record_key_update(&auth->send)
				: -EPROTO;

		out_clear(auth);
		if (r < 0)
			return r;
		auth->updates++;
	}
	return 0;
}

static int let_read(struct tls_post_auth *auth, const uint8_t *message, size_t len)
{
	const struct iovec iov = { (void *)(uintptr_t)message, len };
	uint8_t *record = malloc(len + record_overhead(&auth->receive));
	HS_Hashes *transcript = NULL;
	char none;
	ssize_t n;
	int r;

	if (record == NULL ||
		InitHandshakeHashesAndCopy(auth->ssl, auth->ssl->hsHashes, &transcript) != 0) {
		free(record);
		return -ENOMEM;
	}
	n = record_seal(&auth->receive, RECORD_HANDSHAKE, &iov, 0, len, record);
	auth->in = record;
	auth->in_len = n > 0 ? (size_t)n : 0;
	r = wolfSSL_read(auth->ssl, &none, 1);
	r = wolfSSL_get_error(auth->ssl, r);
	auth->in_len = 0;
	free(record);
	/* RFC 8446 4.4: each request goes on from the handshake's end. */
	FreeHandshakeHashes(auth->ssl);
	auth->ssl->hsHashes = transcript;
	if (auth->error != 0)
		return auth->error;
	return n > 0 && r == WOLFSSL_ERROR_WANT_READ && auth->out_len > 0 ? 0 : -EPROTO;
}

int tls_post_auth_answer(struct tls_post_auth *auth, const uint8_t *message, size_t len,
	uint32_t updates, uint8_t **out, size_t *out_len)
{
	int r = auth->error;

	if (r == 0)
		r = catch_up(auth, updates);
	if (r == 0)
		r = let_read(auth, message, len);
	if (r == 0) {
		*out = auth->out;
		*out_len = auth->out_len;
		auth->out = NULL;
	}
	out_clear(auth);
	auth->error = r;
	return r;
}

void tls_post_auth_free(struct tls_post_auth *auth)
{
	if (auth == NULL)
		return;
	wolfSSL_free(auth->ssl);
	free(auth->out);
	explicit_bzero(auth, sizeof *auth);
	free(auth);
}
