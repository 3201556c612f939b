/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfSSL in a box: it sees callbacks for its input and output and nothing of the socket. It asks
 * for five bytes and then for exactly the body of the record, and hands its secrets out when it has
 * them; so when it is through, all it knows is with us and all that follows in the stream is still
 * in the kernel.
 */
#include "tls/handshake.h"
#include "tls/handshake_private.h"
#include "tls/judge.h"
#include "tls/keylog.h"
#include "tls/name.h"
#include "tls/numbers.h"
#include "tls/peer.h"
#include "tls/suite.h"
#include "tls/ticket.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/internal.h>

#define FIRST_SECRET_ID                                                                            \
	1 /* CLIENT_HANDSHAKE_SECRET of wolfSSL, then in the order of ours; 0 is of early data */

static int on_read(WOLFSSL *ssl, char *buf, int len, void *arg)
{
	struct tls_handshake *handshake = arg;
	ssize_t n = 0;

	if (handshake->looking && handshake->context->role == TLS_CLIENT)
		n = hello_check_reply(handshake);
	if (n < 0)
		return n == -EAGAIN ? WOLFSSL_CBIO_ERR_WANT_READ : WOLFSSL_CBIO_ERR_GENERAL;
	if (handshake->context->role == TLS_SERVER) {
		ticket_before_read(handshake);
		n = early_read(handshake, (uint8_t *)buf, (size_t)len);
	} else {
		n = wire_read(&handshake->wire, (uint8_t *)buf, (size_t)len);
	}

	(void)ssl;
	if (n > 0)
		return (int)n;
	return n == -EAGAIN ? WOLFSSL_CBIO_ERR_WANT_READ
	       : n == 0     ? WOLFSSL_CBIO_ERR_CONN_CLOSE
			    : WOLFSSL_CBIO_ERR_GENERAL;
}

/* Where the last record begins. */
static size_t last_record(const uint8_t *buf, size_t len)
{
	size_t at = 0, next = 0;

	while (next < len && len - next >= RECORD_HEADER_LEN) {
		at = next;
		next += RECORD_HEADER_LEN + record_body_len(buf + at);
	}
	return at;
}

/* wolfSSL's own alert is not let out: it is not always the right one, and for some errors there are
 * two. What it was is kept for parting_alert(). */
static int on_write(WOLFSSL *ssl, char *buf, int len, void *arg)
{
	struct tls_handshake *handshake = arg;
	WOLFSSL_ALERT_HISTORY history = { { -1, -1 }, { -1, -1 } };
	size_t size = (size_t)len;

	if (handshake->rejected || handshake->wolfssl_alert >= 0)
		return len;
	wolfSSL_get_alert_history(ssl, &history);
	if (history.last_tx.level == alert_fatal) {
		handshake->wolfssl_alert = history.last_tx.code;
		size = last_record((const uint8_t *)buf, size);
	}
	if (handshake->looking && handshake->context->role == TLS_CLIENT)
		hello_note_own(handshake, (const uint8_t *)buf, size);
	return size == 0 || wire_write(&handshake->wire, (const uint8_t *)buf, size) == 0
		       ? len
		       : WOLFSSL_CBIO_ERR_GENERAL;
}

static int on_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len, void *arg)
{
	struct tls_handshake *handshake = arg;
	struct tls_secret *to;

	(void)ssl;
	if (id < FIRST_SECRET_ID || id >= FIRST_SECRET_ID + SECRET_COUNT)
		return 0;
	if (len < 0 || len > RECORD_MAX_SECRET)
		return BAD_FUNC_ARG;
	to = &handshake->secrets[id - FIRST_SECRET_ID];
	memcpy(to->bytes, secret, (size_t)len);
	to->len = (size_t)len;
	keylog_secret(handshake, id - FIRST_SECRET_ID, secret, (size_t)len);
	return 0;
}

static int set_client(struct tls_handshake *handshake, const char *name)
{
	int r = handshake_set_names(handshake, name);

	if (r == 0)
		r = staple_ask(handshake);
	/* RFC 9325 3.5. There is never more than one handshake on a connection of ours; this is for
	 * the server to know that it is the first. */
	if (r == 0 && handshake->context->tls12 &&
		wolfSSL_UseSecureRenegotiation(handshake->ssl) != WOLFSSL_SUCCESS)
		r = -ENOMEM;
	return r;
}

/* wolfSSL's server holds a client's groups against its own only if they are set here; it forgets
 * the context's. */
static int set_server(struct tls_handshake *handshake)
{
	const struct tls_context *context = handshake->context;
	int groups[CONTEXT_GROUPS_MAX];

	memcpy(groups, context->groups, sizeof groups);
	return wolfSSL_set_groups(handshake->ssl, groups, context->group_count) == WOLFSSL_SUCCESS
		       ? 0
		       : -ENOMEM;
}

int handshake_begin(struct tls_handshake *handshake)
{
	wolfSSL_free(handshake->ssl);
	handshake->ssl = wolfSSL_new(handshake->context->ctx);
	if (handshake->ssl == NULL)
		return -ENOMEM;
	wolfSSL_SSLSetIORecv(handshake->ssl, on_read);
	wolfSSL_SSLSetIOSend(handshake->ssl, on_write);
	wolfSSL_SetIOReadCtx(handshake->ssl, handshake);
	wolfSSL_SetIOWriteCtx(handshake->ssl, handshake);
	wolfSSL_SetCertCbCtx(handshake->ssl, handshake);
	wolfSSL_set_tls13_secret_cb(handshake->ssl, on_secret, handshake);
	keylog_begin(handshake);
	return handshake->context->role == TLS_SERVER ? set_server(handshake) : 0;
}

static int fail(struct tls_handshake *handshake, int r)
{
	handshake->status = r;
	return r;
}

int tls_handshake_new(struct tls_context *context, const char *name,
	const struct tls_transport *transport, struct tls_handshake **out)
{
	struct tls_handshake *handshake = calloc(1, sizeof *handshake);
	int r;

	*out = NULL;
	if (handshake == NULL)
		return -ENOMEM;
	handshake->first = tls_context_ref(context);
	handshake->context = context;
	handshake->looking = true;
	handshake->status = -EAGAIN;
	handshake->wolfssl_alert = -1;
	handshake->result.alert_sent = handshake->result.alert_received = -1;
	/* What is relaxed shows even if nothing comes to be verified. */
	if (context->role == TLS_CLIENT && context->verify != POLICY_VERIFY_FULL)
		strcpy(handshake->result.verify, judge_good(context));
	wire_init(&handshake->wire, transport, context->role == TLS_SERVER);
	r = handshake_begin(handshake);
	if (r == 0 && context->role == TLS_CLIENT)
		r = set_client(handshake, name);
	if (r == -ENOMEM) {
		tls_handshake_free(handshake);
		return r;
	}
	*out = handshake;
	return r < 0 ? fail(handshake, r) : 0;
}

int tls_handshake_require_name(struct tls_handshake *handshake, const char *name)
{
	uint8_t address[16];

	if (name_parse_address(name, address) <= 0 && !name_is_host(name))
		return -EINVAL;
	handshake->also = strdup(name);
	if (handshake->also == NULL)
		return -ENOMEM;
	return handshake->result.server_name[0] == '\0' ? handshake_send_name(handshake, name) : 0;
}

void tls_handshake_show_chain(struct tls_handshake *handshake,
	void (*saw)(const uint8_t *der, size_t len, void *arg), void *arg)
{
	handshake->saw = saw;
	handshake->saw_arg = arg;
}

void tls_handshake_use_peek(struct tls_handshake *handshake, const struct tls_peek *peek)
{
	handshake->wire.flight.peek = *peek;
}

void tls_handshake_free(struct tls_handshake *handshake)
{
	if (handshake == NULL)
		return;
	if (handshake->status != 0)
		session_fail(handshake);
	wolfSSL_free(handshake->ssl);
	/* What wolfSSL learned from this peer's chain is not to make the next peer's incomplete one
	 * good. Refused while others run. */
	wolfSSL_CTX_UnloadIntermediateCerts(handshake->context->ctx);
	wire_clear(&handshake->wire);
	staple_clear(&handshake->staple);
	early_clear(&handshake->early);
	peer_clear(&handshake->result.peer);
	session_peer_clear(&handshake->peer);
	session_peer_clear(&handshake->offered_peer);
	tls_resumption_free(handshake->resumption);
	free(handshake->tickets);
	free(handshake->name);
	hello_drop(handshake);
	tls_context_free(handshake->first);
	free(handshake->also);
	explicit_bzero(handshake, sizeof *handshake);
	free(handshake);
}

static const struct tls_group *group_used(struct tls_handshake *handshake)
{
	const char *name = wolfSSL_get_curve_name(handshake->ssl);

	return name != NULL ? tls_group_by_wolfssl_name(name) : NULL;
}

static void note_result(struct tls_handshake *handshake)
{
	struct tls_result *result = &handshake->result;
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));
	const struct tls_group *group = group_used(handshake);

	result->version = suite != NULL ? suite->version : 0;
	result->cipher = suite != NULL ? suite->name : NULL;
	result->group = group != NULL ? group->name : NULL;
	result->resumed = wolfSSL_session_reused(handshake->ssl) != 0;
	handshake_note_names(handshake);
}

void handshake_reject(struct tls_handshake *handshake, int alert)
{
	handshake->rejected = true;
	handshake->alert = alert;
}

/* That wolfSSL goes on only after verify_certificate() said yes is its business; that nothing goes
 * on without is ours. */
static bool is_trusted(struct tls_handshake *handshake)
{
	const struct tls_context *context = handshake->context;
	bool needed = context->role == TLS_CLIENT || context->client_auth == POLICY_CLIENT_REQUIRED;
	struct why why = { handshake->result.verify, sizeof handshake->result.verify,
		&handshake->result.cause };
	int alert = handshake->accepted ? staple_end(handshake, &why) : 0;

	if (alert != 0)
		handshake_reject(handshake, alert);

	return !handshake->rejected && (handshake->accepted || !needed) &&
	       (handshake->also == NULL || handshake->also_met);
}

/* wolfSSL's TLS 1.2 client takes any curve that it knows, offered or not. */
static bool is_group_allowed(struct tls_handshake *handshake)
{
	const struct tls_group *group = group_used(handshake);

	/* A session of TLS 1.2 goes on with its secret: there is no key exchange. */
	if (group == NULL && wolfSSL_session_reused(handshake->ssl) &&
		wolfSSL_version(handshake->ssl) == RECORD_TLS12)
		return true;
	for (int i = 0; group != NULL && i < handshake->context->group_count; i++)
		if (handshake->context->groups[i] == group->id)
			return true;
	return false;
}

/* RFC 8446 4.4.2, RFC 5246 7.4.6. wolfSSL's server takes a certificate that it did not ask for. */
static bool sent_unasked(const struct tls_handshake *handshake)
{
	return handshake->context->role == TLS_SERVER &&
	       handshake->context->client_auth == POLICY_CLIENT_NONE &&
	       handshake->ssl->msgsReceived.got_certificate;
}

/* There may be no wolfSSL to ask. */
static int say_memory(struct tls_handshake *handshake, int r)
{
	struct why why = { handshake->result.reason, sizeof handshake->result.reason,
		&handshake->result.cause };

	why_because(&why, CAUSE_RESOURCES);
	return why_say(&why, r, "%s", why_errno(r));
}

/* The peer is told of the end. Nobody waits for that to get through. */
static int part(struct tls_handshake *handshake, int r)
{
	parting_alert(handshake, r);
	wire_flush(&handshake->wire);
	return r;
}

/* One run of wolfSSL, as far as its input goes. 0: it is through. */
static int run(struct tls_handshake *handshake)
{
	bool server = handshake->context->role == TLS_SERVER;
	int r = server && handshake->looking ? choose_context(handshake) : 0, error;

	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return r == -EPROTO ? part(handshake, r) : say_memory(handshake, r);
	r = server ? wolfSSL_accept(handshake->ssl) : wolfSSL_connect(handshake->ssl);
	if (r != WOLFSSL_SUCCESS)
		error = wolfSSL_get_error(handshake->ssl, r);
	else
		error = session_finish(handshake) < 0  ? SESSION_SECRET_CB_E
			: sent_unasked(handshake)      ? SANITY_MSG_E
			: !is_trusted(handshake)       ? NO_PEER_CERT
			: !is_group_allowed(handshake) ? ECC_CURVE_ERROR
						       : 0;
	if (error == 0) {
		handshake->agreed = true;
		return 0;
	}
	if (error == WOLFSSL_ERROR_WANT_READ)
		return -EAGAIN;
	if (handshake->alert != 0 && !handshake->rejected)
		return part(handshake, -EPROTO); /* we have refused its hello */
	r = reason_find(handshake, error);
	note_result(handshake);
	return part(handshake, r);
}

static int step(struct tls_handshake *handshake)
{
	int r = handshake->agreed ? 0 : run(handshake);

	if (r < 0)
		return r;
	r = wire_flush(&handshake->wire);
	if (r == 0 || r == -EAGAIN)
		return r;
	handshake->wire.error = r;
	return reason_find(handshake, 0);
}

int tls_handshake_step(struct tls_handshake *handshake)
{
	int r;

	if (handshake->status != -EAGAIN)
		return handshake->status;
	r = numbers_for_step(step, handshake);
	if (wire_settle(&handshake->wire, r == 0) < 0 && (r == 0 || r == -EAGAIN))
		r = reason_find(handshake, 0);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return fail(handshake, r);
	note_result(handshake);
	if (handshake->result.verify[0] == '\0')
		strcpy(handshake->result.verify, "none");
	handshake->status = 0;
	return 0;
}

short tls_handshake_events(const struct tls_handshake *handshake)
{
	return handshake->wire.events;
}

bool tls_handshake_untouched(const struct tls_handshake *handshake)
{
	return handshake->wire.first_len == 0 && handshake->wire.sent == 0 &&
	       handshake->wire.out_end == 0;
}

const struct tls_result *tls_handshake_result(struct tls_handshake *handshake)
{
	return &handshake->result;
}

uint8_t *tls_handshake_tickets(struct tls_handshake *handshake, size_t *len)
{
	uint8_t *tickets = handshake->tickets_len > 0 ? handshake->tickets : NULL;

	*len = handshake->tickets_len;
	if (tickets == NULL)
		return NULL;
	handshake->tickets = NULL;
	handshake->tickets_len = 0;
	return tickets;
}

struct tls_resumption *tls_handshake_resumption(struct tls_handshake *handshake)
{
	struct tls_resumption *resumption = handshake->resumption;

	handshake->resumption = NULL;
	return resumption;
}
