/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a handshake, for the files that make it up. */
#ifndef SEAMTLS_TLS_HANDSHAKE_PRIVATE_H
#define SEAMTLS_TLS_HANDSHAKE_PRIVATE_H

#include "context_private.h"
#include "early.h"
#include "handshake.h"
#include "resumption.h"
#include "session.h"
#include "staple.h"
#include "wire.h"

enum {
	SECRET_CLIENT_HANDSHAKE,
	SECRET_SERVER_HANDSHAKE,
	SECRET_CLIENT_TRAFFIC,
	SECRET_SERVER_TRAFFIC,
	SECRET_COUNT
};

struct tls_secret {
	uint8_t bytes[RECORD_MAX_SECRET];
	size_t len; /* 0: not there yet */
};

struct tls_handshake {
	struct tls_context *first;         /* of the rule's contexts */
	const struct tls_context *context; /* the one that is used */
	bool looking;   /* the peer's hello is to be looked at before wolfSSL sees it */
	uint8_t *hello; /* as far as that has come */
	size_t hello_len;
	uint8_t *own_hello; /* client: what it has to answer */
	size_t own_hello_len;
	WOLFSSL *ssl;
	struct wire wire;
	struct early early; /* server */
	struct tls_result result;
	char *name;    /* what the peer's certificate is to be for; NULL: not checked */
	char *also;    /* ... and for this; NULL: nothing */
	bool also_met; /* ... and it is */
	void (*saw)(const uint8_t *der, size_t len, void *arg); /* NULL: nobody looks */
	void *saw_arg;
	struct staple staple;
	bool judged;   /* the peer's certificates, by us */
	bool rejected; /* our verdict on the peer's certificate; the reason is in result.verify */
	int alert;     /* what the peer is told of that, or of what it did; 0: not settled */
	bool accepted;
	int wolfssl_alert; /* what wolfSSL would have told it; -1: nothing */
	bool agreed;       /* wolfSSL is through, our last flight may still have to go out */
	int status; /* what tls_handshake_step() has to say from now on: 0 or the error; -EAGAIN: it
		       goes on */
	struct tls_secret secrets[SECRET_COUNT]; /* TLS 1.3, as far as it has come */
	struct session_peer peer;
	int64_t since_s; /* of the full handshake that a session comes from; 0: it is this one */
	/* Server: the ticket that may be resumed from; messages for after the handshake. */
	bool ticket_opened;
	uint8_t ticket_salt[16];
	uint8_t *tickets;
	size_t tickets_len;
	/* Client: under what its sessions are kept, and what comes with the one that is offered. */
	bool keeps, offered;
	uint8_t session_key[SESSION_KEY_LEN];
	struct session_peer offered_peer;
	uint8_t offered_ticket[BINDING_LEN]; /* a digest */
	struct tls_resumption *resumption;
};

/* hello_take.c: the peer's first message, into handshake->hello. 0; -EAGAIN: it is not there yet;
 * -EBADMSG: there is none. */
int hello_take(struct tls_handshake *handshake);
void hello_drop(struct tls_handshake *handshake);
/* Client: its first record; and what the server answers. As choose_context(). */
void hello_note_own(struct tls_handshake *handshake, const uint8_t *record, size_t len);
int hello_check_reply(struct tls_handshake *handshake);

/* choose.c: settles which certificate the client gets. 0; -EAGAIN: the ClientHello is not there
 * yet; -EPROTO: it is refused, with the reason and the alert; -ENOMEM. */
int choose_context(struct tls_handshake *handshake);
/* wolfSSL begins anew, with the context that is set now. 0 or -errno. */
int handshake_begin(struct tls_handshake *handshake);

/* --- handshake_names.c */
/* Client: which name is asked for and verified, and the protocols. 0; -ENOMEM; -EKEYREJECTED: there
 * is no name to verify, as the result says. */
int handshake_set_names(struct tls_handshake *handshake, const char *name);
/* What is no host name is not sent. 0; -ENOMEM. */
int handshake_send_name(struct tls_handshake *handshake, const char *name);
/* What was agreed on, into the result. */
void handshake_note_names(struct tls_handshake *handshake);
/* wolfSSL's hook on a ClientHello that was parsed (server). */
int handshake_on_client_hello(WOLFSSL *ssl, int *alert, void *arg);

/* The peer is not trusted: so we end, and tell it this alert. */
void handshake_reject(struct tls_handshake *handshake, int alert);

/* handshake_keys.c: our key as it stands, once wolfSSL is through. As tls_handshake_keys(). */
int handshake_send_key(struct tls_handshake *handshake, struct record_key *key);

/* parting.c: tells the peer, if wolfSSL has not, why its handshake ends with the error r; as far as
 * it can be told. */
void parting_alert(struct tls_handshake *handshake, int r);

/* reason.c: why wolfSSL's `error` ended the handshake, into result; returns the -errno. */
int reason_find(struct tls_handshake *handshake, int error);

#endif
