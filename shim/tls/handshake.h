/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One TLS handshake, driven to its end by whoever waits for it. It takes from the socket exactly
 * one record at a time, so that no application data ever enters it; after TLS_DONE the two record
 * keys are taken out and the object is freed. Not shareable between processes; the caller
 * serialises threads.
 */
#ifndef SEAMTLS_TLS_HANDSHAKE_H
#define SEAMTLS_TLS_HANDSHAKE_H

#include "audit/cause.h"
#include "context.h"
#include "post_auth.h"
#include "record.h"
#include "resumption.h"
#include <stdbool.h>
#include <sys/types.h>

struct tls_handshake;

/*
 * The transport. Both never block. recv: a count, 0 at end of file, -EAGAIN, or another -errno.
 * send: a count, -EAGAIN or another -errno.
 */
struct tls_transport {
	ssize_t (*recv)(void *arg, void *buf, size_t len);
	ssize_t (*send)(void *arg, const void *buf, size_t len);
	void *arg;
};

/* Of a transport that can show what waits. peek: as recv, but leaves all where it is; -EOPNOTSUPP:
 * not now. skip: takes of what peek has shown; as recv, but what it does to the buffer is of no
 * interest. */
struct tls_peek {
	ssize_t (*peek)(void *arg, void *buf, size_t len);
	ssize_t (*skip)(void *arg, void *buf, size_t len);
};

#define TLS_NAME_MAX 256
#define TLS_REASON_MAX 256
#define TLS_VERIFY_MAX 32 /* what tls_result.verify is of a peer that is trusted */
#define TLS_SAN_MAX 16

/* The peer's certificate, as far as audit tells of it. Strings are malloc'ed UTF-8, NULL if absent.
 */
struct tls_peer {
	char *subject, *issuer, *serial; /* serial: upper-case hex */
	char *san[TLS_SAN_MAX];          /* "dns:...", "ip:...", "uri:...", "email:..." */
	size_t san_count;
	char sha256[65];   /* hex of SHA-256 over the DER; "" if no certificate */
	int64_t not_after; /* seconds since the epoch */
	uint8_t *der;      /* malloc'ed; NULL if absent */
	size_t der_len;
};

/* What was negotiated, or why not. Valid after tls_handshake_step() returned 0 or an error. */
struct tls_result {
	uint16_t version;               /* RECORD_TLS12 ..., 0 if it did not come so far */
	const char *cipher;             /* IANA name, static; NULL if unknown */
	const char *group;              /* IANA name, static; NULL if unknown */
	char alpn[256];                 /* "" if none */
	char server_name[TLS_NAME_MAX]; /* sent (client) or received (server); "" if none */
	bool resumed;
	char verify[TLS_REASON_MAX]; /* "ok": fully verified; "chain", "pin", "none": only so far;
					or why the peer's certificate is not trusted; "": it did
					not come so far */
	struct tls_peer peer;
	char reason[TLS_REASON_MAX]; /* failure: a sentence; "" on success */
	enum cause cause;            /* failure: its class */
	bool by_peer;                /* failure: the other side gave up */
	int alert_sent;              /* RFC 8446 6: description; -1 none */
	int alert_received;
	int keylog_error; /* the keys are to be logged, and could not be: -errno */
};

/*
 * Starts a handshake in the context's role. `name`: client: the name or address that is sent (SNI,
 * not for addresses) and verified (settings->server_name goes before it); NULL: none known, which
 * fails verification unless settings say verify = chain or none. The handshake has a reference
 * on the context. 0; -ENOMEM, and *out is NULL; -EKEYREJECTED when no name is known that could be
 * verified: then *out is there, only to ask tls_handshake_result() for the reason and to be freed.
 */
int tls_handshake_new(struct tls_context *context, const char *name,
	const struct tls_transport *transport, struct tls_handshake **out);
/*
 * Before the first step: the peer's certificate is to be for this name, too, whatever the settings
 * say; it is sent if no other name is. 0; -EINVAL: it is neither a host name nor an address;
 * -ENOMEM.
 */
int tls_handshake_require_name(struct tls_handshake *handshake, const char *name);
/* Before the first step: fewer calls of the transport than one for each part of a record. */
void tls_handshake_use_peek(struct tls_handshake *handshake, const struct tls_peek *peek);
void tls_handshake_free(struct tls_handshake *handshake); /* wipes */
/* Before the first step: `saw` is told of each certificate that the peer has sent, its own first,
 * before they are judged; not if nothing is verified. */
void tls_handshake_show_chain(struct tls_handshake *handshake,
	void (*saw)(const uint8_t *der, size_t len, void *arg), void *arg);

/* Client, before the first step: offers the session that is kept for this name and port, if there
 * is one, and keeps those that come. */
void tls_handshake_resume(struct tls_handshake *handshake, const char *name, uint16_t port);

/*
 * Goes as far as it can without blocking. 0: done, and everything has been sent. -EAGAIN: needs the
 * socket; see tls_handshake_events(). Else it has failed (an alert was sent if possible) and stays
 * so: -EPROTO no common version, suite or group, malformed, or the peer is not speaking TLS;
 * -EKEYREJECTED certificate or name not accepted, by us or by the peer (certificate alerts);
 * -ECONNRESET end of file or reset; -ETIMEDOUT and others from the transport as they are.
 */
int tls_handshake_step(struct tls_handshake *handshake);

/* POLLIN and/or POLLOUT: what the last -EAGAIN waits for. */
short tls_handshake_events(const struct tls_handshake *handshake);

/* Whether nothing was received or sent yet: a copy of the object in a forked child may still be
 * used then. */
bool tls_handshake_untouched(const struct tls_handshake *handshake);

const struct tls_result *tls_handshake_result(struct tls_handshake *handshake);

/* After 0: the keys of both directions, sequence numbers as they stand. 0 or -ENOTSUP (a suite that
 * record.h does not do). */
int tls_handshake_keys(
	struct tls_handshake *handshake, struct record_key *send, struct record_key *receive);

/* After 0, TLS 1.3, each given out once. Server: messages that are to go out before the first data,
 * malloc'ed, not secret; client: for the tickets that come. NULL: there are none. */
uint8_t *tls_handshake_tickets(struct tls_handshake *handshake, size_t *len);
struct tls_resumption *tls_handshake_resumption(struct tls_handshake *handshake);
/* The same, for a client that may be asked for its certificate later. It takes wolfSSL's object
 * over: nothing but tls_handshake_result() and tls_handshake_free() may be called after it. */
struct tls_post_auth *tls_handshake_post_auth(struct tls_handshake *handshake);

/* RFC 8446 6: "handshake_failure"; "unknown" for numbers without a name. */
const char *tls_alert_name(int description);
/* The class of what a peer ends with it. */
enum cause tls_alert_cause(int description);

#endif
