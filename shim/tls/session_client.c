/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A session in the cache is ours, not wolfSSL's: it is made of wolfSSL's own after a handshake of
 * TLS 1.2, and of the resumption secret and a ticket that came later in TLS 1.3, so that nothing of
 * wolfSSL has to stay with an open connection for it. To offer one, a session of wolfSSL's is made
 * of it again. Only here are wolfSSL's insides touched; the compiler holds us to their names.
 */
#include "tls/session_client.h"
#include "tls/handshake_private.h"
#include "tls/resumption.h"
#include "tls/suite.h"
#include "tls/vector.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wolfssl/internal.h>

/* From the full handshake on, however often it is resumed: then the certificate is looked at again.
 */
#define SINCE_MOST_S 86400
#define LIFETIME_MOST_S 604800     /* RFC 8446 4.6.1 */
#define UNSPECIFIED_LIFETIME_S 300 /* RFC 5077 3.3: 0 leaves it to the client */
#define NONCE_MOST TLS13_TICKET_NONCE_STATIC_SZ
#define TICKETS_MOST 4 /* of one connection */

/* Followed by the ticket and the server's certificates. */
struct session {
	uint16_t version, group;
	uint8_t suite[2];
	uint8_t secret[SECRET_LEN]; /* TLS 1.2: master; 1.3: resumption */
	uint8_t id[ID_LEN], id_len;
	uint8_t nonce[NONCE_MOST], nonce_len;
	uint32_t age_add;
	int64_t seen_ms, since_s, until_s;
	uint16_t ticket_len, peer_len;
};

struct tls_resumption {
	uint8_t key[SESSION_KEY_LEN];
	unsigned tickets;
	struct session session; /* without a ticket */
	uint8_t rest[];         /* certificates */
};

/* One that is put together, or taken out. */
struct session_buffer {
	struct session session;
	uint8_t rest[SESSION_LEN_MOST - sizeof(struct session)];
};

_Static_assert(sizeof(struct session_buffer) == SESSION_LEN_MOST, "what the cache gives fits");

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int session_client_set(struct tls_context *context, const struct tls_settings *settings)
{
	if (!settings->resumption)
		return 0;
	/* Without the memory there is no resumption, and nothing else is missing. */
	context->resumes = session_cache_prepare() == 0 &&
			   wolfSSL_CTX_UseSessionTicket(context->ctx) == WOLFSSL_SUCCESS;
	return 0;
}

/* --- Offering */

static WOLFSSL_SESSION *session_make(const struct session *from, const uint8_t *ticket)
{
	WOLFSSL_SESSION *session = wolfSSL_SESSION_new();

	if (session == NULL)
		return NULL;
	session->side = WOLFSSL_CLIENT_END;
	session->isSetup = 1;
	session->bornOn = (word32)(from->seen_ms / 1000);
	session->timeout = (word32)(from->until_s - from->seen_ms / 1000);
	session->version.major = SSLv3_MAJOR;
	session->version.minor = (byte)from->version;
	session->cipherSuite0 = from->suite[0];
	session->cipherSuite = from->suite[1];
	memcpy(session->masterSecret, from->secret, sizeof from->secret);
	session->haveEMS = 1;
	memcpy(session->sessionID, from->id, sizeof from->id);
	session->sessionIDSz = from->id_len;
	session->namedGroup = from->group;
	session->ticketSeen = from->seen_ms;
	session->ticketAdd = from->age_add;
	memcpy(session->ticketNonce.data, from->nonce, from->nonce_len);
	session->ticketNonce.len = from->nonce_len;
	if (from->ticket_len == 0)
		return session;
	session->ticket = XMALLOC(from->ticket_len, NULL, DYNAMIC_TYPE_SESSION_TICK);
	if (session->ticket == NULL) {
		session->ticket = session->staticTicket;
		wolfSSL_SESSION_free(session);
		return NULL;
	}
	memcpy(session->ticket, ticket, from->ticket_len);
	session->ticketLen = session->ticketLenAlloc = from->ticket_len;
	return session;
}

/* Under what the sessions with this server are kept. */
static void key_make(struct tls_handshake *handshake, const char *name, uint16_t port)
{
	memcpy(handshake->session_key, handshake->context->binding, SESSION_KEY_LEN);
	binding_add(handshake->session_key, name, strlen(name));
	binding_add(handshake->session_key, &port, sizeof port);
}

/* What comes out of memory that processes share is not taken at its word. */
static bool is_whole(const struct session_buffer *buffer, size_t len)
{
	const struct session *session = &buffer->session;

	return len >= sizeof *session &&
	       len - sizeof *session == (size_t)session->ticket_len + session->peer_len &&
	       session->id_len <= sizeof session->id && session->nonce_len <= sizeof session->nonce;
}

/* Only if the server would still be trusted: else it has to show what it has now. */
static bool offer(struct tls_handshake *handshake, const struct session_buffer *from)
{
	const struct session *session = &from->session;
	struct session_peer *peer = &handshake->offered_peer;
	WOLFSSL_SESSION *made;
	bool ok;

	if (session->peer_len == 0 && handshake->also != NULL)
		return false;
	if (session->peer_len > 0 &&
		(!session_peer_set(peer, from->rest + session->ticket_len, session->peer_len) ||
			!session_peer_is_good(handshake, peer)))
		return false;
	made = session_make(session, from->rest);
	ok = made != NULL && wolfSSL_set_session(handshake->ssl, made) == WOLFSSL_SUCCESS;
	wolfSSL_SESSION_free(made);
	if (!ok)
		return false;
	binding_add(handshake->offered_ticket, from->rest, session->ticket_len);
	handshake->since_s = session->since_s;
	return true;
}

void tls_handshake_resume(struct tls_handshake *handshake, const char *name, uint16_t port)
{
	struct session_buffer *from;

	if (!handshake->context->resumes || handshake->status != -EAGAIN)
		return;
	key_make(handshake, name, port);
	handshake->keeps = true;
	from = malloc(sizeof *from);
	if (from == NULL)
		return;
	if (is_whole(from, session_cache_take(handshake->session_key, from)))
		handshake->offered = offer(handshake, from);
	explicit_bzero(from, sizeof *from);
	free(from);
}

bool session_client_identify(struct tls_handshake *handshake)
{
	if (!handshake->offered)
		return false;
	session_peer_clear(&handshake->peer);
	handshake->peer = handshake->offered_peer;
	handshake->offered_peer = (struct session_peer){ NULL, 0 };
	return session_peer_tell(handshake);
}

/* --- Keeping */

static int64_t until_of(const struct tls_handshake *handshake, int64_t since_s, int64_t lifetime_s)
{
	int64_t until = least((int64_t)time(NULL) + lifetime_s, since_s + SINCE_MOST_S);

	return handshake->peer.bytes != NULL ? least(until, handshake->result.peer.not_after)
					     : until;
}

/* What both versions have. */
static void session_fill(const struct tls_handshake *handshake, struct session *out)
{
	const WOLFSSL_SESSION *from = handshake->ssl->session;

	memset(out, 0, sizeof *out);
	out->version = (uint16_t)wolfSSL_version(handshake->ssl);
	out->group = handshake->ssl->namedGroup;
	out->suite[0] = handshake->ssl->options.cipherSuite0;
	out->suite[1] = handshake->ssl->options.cipherSuite;
	memcpy(out->secret, from->masterSecret, sizeof out->secret);
	out->seen_ms = now_ms();
	out->since_s = handshake->since_s != 0 ? handshake->since_s : (int64_t)time(NULL);
	out->peer_len = (uint16_t)handshake->peer.len;
}

/* The server has sent no new ticket. */
static bool has_old_ticket(const struct tls_handshake *handshake)
{
	const WOLFSSL_SESSION *session = handshake->ssl->session;
	uint8_t ticket[BINDING_LEN] = { 0 };

	binding_add(ticket, session->ticket, session->ticketLen);
	return handshake->offered && session->ticketLen > 0 &&
	       memcmp(ticket, handshake->offered_ticket, sizeof ticket) == 0;
}

/* RFC 7627 5.3: without the extended master secret a session is not to be resumed. */
static int keep_tls12(struct tls_handshake *handshake)
{
	const WOLFSSL_SESSION *from = handshake->ssl->session;
	size_t ticket_len = from->ticketLen, len = ticket_len + handshake->peer.len;
	struct session_buffer *buffer;
	struct session *session;

	if (!from->haveEMS || (ticket_len == 0 && from->sessionIDSz == 0) ||
		len > sizeof buffer->rest)
		return 0;
	/* What was resumed goes on as it is; what was not is over. */
	if (has_old_ticket(handshake)) {
		if (!wolfSSL_session_reused(handshake->ssl))
			session_cache_drop(handshake->session_key);
		return 0;
	}
	buffer = malloc(sizeof *buffer);
	if (buffer == NULL)
		return -ENOMEM;
	session = &buffer->session;
	session_fill(handshake, session);
	memcpy(session->id, from->sessionID, sizeof session->id);
	session->id_len = from->sessionIDSz;
	session->ticket_len = (uint16_t)ticket_len;
	session->until_s = until_of(handshake, session->since_s,
		from->timeout != 0 ? from->timeout : UNSPECIFIED_LIFETIME_S);
	memcpy(buffer->rest, from->ticket, ticket_len);
	if (handshake->peer.len > 0)
		memcpy(buffer->rest + ticket_len, handshake->peer.bytes, handshake->peer.len);
	session_cache_put(
		handshake->session_key, buffer, sizeof *session + len, session->until_s, false);
	explicit_bzero(buffer, sizeof *buffer);
	free(buffer);
	return 0;
}

static int keep_tls13(struct tls_handshake *handshake)
{
	size_t len = handshake->peer.len;
	struct tls_resumption *made = calloc(1, sizeof *made + len);

	if (made == NULL)
		return -ENOMEM;
	memcpy(made->key, handshake->session_key, sizeof made->key);
	session_fill(handshake, &made->session);
	/* Of any ticket; each may be good for less. */
	made->session.until_s = until_of(handshake, made->session.since_s, LIFETIME_MOST_S);
	if (len > 0)
		memcpy(made->rest, handshake->peer.bytes, len);
	handshake->resumption = made;
	return 0;
}

int session_client_keep(struct tls_handshake *handshake)
{
	if (!handshake->keeps)
		return 0;
	return wolfSSL_version(handshake->ssl) == RECORD_TLS13 ? keep_tls13(handshake)
							       : keep_tls12(handshake);
}

/* --- Tickets of TLS 1.3 */

struct new_ticket {
	size_t lifetime_s, age_add;
	struct x509_bytes nonce, ticket, extensions;
};

static bool new_ticket_parse(const uint8_t *body, size_t len, struct new_ticket *out)
{
	struct x509_bytes in = { body, len };

	return vector_take_number(&in, 4, &out->lifetime_s) &&
	       vector_take_number(&in, 4, &out->age_add) &&
	       vector_take_vector(&in, 1, &out->nonce) &&
	       vector_take_vector(&in, 2, &out->ticket) &&
	       vector_take_vector(&in, 2, &out->extensions) && in.len == 0 && out->ticket.len > 0 &&
	       out->lifetime_s <= LIFETIME_MOST_S;
}

void tls_resumption_ticket(struct tls_resumption *resumption, const uint8_t *body, size_t len)
{
	const struct session *known = &resumption->session;
	size_t peer_len = known->peer_len;
	struct session_buffer *buffer;
	struct new_ticket ticket;

	if (!new_ticket_parse(body, len, &ticket) || ticket.nonce.len > NONCE_MOST ||
		ticket.ticket.len + peer_len > sizeof buffer->rest ||
		resumption->tickets++ >= TICKETS_MOST)
		return;
	buffer = malloc(sizeof *buffer);
	if (buffer == NULL)
		return;
	buffer->session = *known;
	memcpy(buffer->session.nonce, ticket.nonce.data, ticket.nonce.len);
	buffer->session.nonce_len = (uint8_t)ticket.nonce.len;
	buffer->session.age_add = (uint32_t)ticket.age_add;
	buffer->session.seen_ms = now_ms();
	buffer->session.until_s =
		least(known->until_s, (int64_t)time(NULL) + (int64_t)ticket.lifetime_s);
	buffer->session.ticket_len = (uint16_t)ticket.ticket.len;
	memcpy(buffer->rest, ticket.ticket.data, ticket.ticket.len);
	memcpy(buffer->rest + ticket.ticket.len, resumption->rest, peer_len);
	session_cache_put(resumption->key, buffer,
		sizeof buffer->session + ticket.ticket.len + peer_len, buffer->session.until_s,
		true);
	explicit_bzero(buffer, sizeof *buffer);
	free(buffer);
}

void tls_resumption_free(struct tls_resumption *resumption)
{
	if (resumption == NULL)
		return;
	explicit_bzero(resumption, sizeof *resumption);
	free(resumption);
}
