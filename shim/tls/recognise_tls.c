/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Follows the records of a direction as long as they are in the clear, and puts the handshake
 * messages together that say something, as much of each as is wanted. TLS 1.3 is over with the
 * ServerHello; before it certificates and the group of the key exchange follow in the clear.
 */
#include "tls/peer.h"
#include "tls/recognise_private.h"
#include "tls/registry.h"
#include "tls/server_hello.h"
#include "tls/vector.h"
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE_MOST 131072 /* bytes of a direction */
#define HELLO_MOST 16384
#define CERTIFICATE_MOST 16384 /* the peer's own is the first of the message */
#define KEY_EXCHANGE_MOST 3
#define NAMED_CURVE 3
#define MESSAGE_HEADER_LEN 4
#define ALERT_LEN 2
#define ALERT_WARNING 1
#define CLOSE_NOTIFY 0

enum {
	MESSAGE_CLIENT_HELLO = 1,
	MESSAGE_SERVER_HELLO = 2,
	MESSAGE_CERTIFICATE = 11,
	MESSAGE_SERVER_KEY_EXCHANGE = 12,
	MESSAGE_CERTIFICATE_REQUEST = 13,
	MESSAGE_SERVER_HELLO_DONE = 14,
	MESSAGE_CLIENT_KEY_EXCHANGE = 16,
};

static bool is_tls13(const struct recogniser *recogniser)
{
	return recogniser->result.version >= RECORD_TLS13;
}

/* --- Messages */

static void take_client_hello(struct recogniser *recogniser, const uint8_t *message, size_t len)
{
	struct recognition *result = &recogniser->result;
	struct hello hello;

	recogniser->client_hello = true;
	/* The second one, after a HelloRetryRequest, says the same. */
	if (result->ja4[0] != '\0' || hello_parse(message, len, &hello) != 0)
		return;
	strcpy(result->server_name, hello.name);
	result->offered = ja4_version(&hello);
	ja4_text(&hello, result->ja4);
	recogniser->offered_session = hello.session_id.len == sizeof recogniser->session_id;
	if (recogniser->offered_session)
		memcpy(recogniser->session_id, hello.session_id.data,
			sizeof recogniser->session_id);
}

/* A name as a program chose it: what cannot be printed is not shown. */
static void copy_protocol(struct x509_bytes from, char *to, size_t room)
{
	size_t len = from.len < room ? from.len : room - 1;

	for (size_t i = 0; i < len; i++)
		to[i] = (char)(from.data[i] != 0 ? from.data[i] : '?');
	to[len] = '\0';
}

static void take_server_hello(struct recogniser *recogniser, struct x509_bytes body)
{
	struct recognition *result = &recogniser->result;
	struct server_hello hello;

	if (!server_hello_parse(body, &hello)) {
		recogniser->server_hello = true;
		return;
	}
	if (hello.group != 0)
		result->group = hello.group;
	if (hello.retry) {
		result->retried = true;
		return;
	}
	recogniser->server_hello = true;
	result->version = hello.version;
	result->suite = hello.suite;
	copy_protocol(hello.protocol, result->alpn, sizeof result->alpn);
	if (is_tls13(recogniser))
		result->resumed = hello.resumes;
	else if (recogniser->offered_session &&
		 hello.session_id.len == sizeof recogniser->session_id &&
		 memcmp(hello.session_id.data, recogniser->session_id,
			 sizeof recogniser->session_id) == 0)
		result->resumed = 1;
	if (registry_suite_is_clear(hello.suite))
		result->protocol = RECOGNISED_CLEAR;
}

/* RFC 5246 7.4.2. The list may have been cut behind the first. */
static void take_certificate(struct recogniser *recogniser, struct x509_bytes body)
{
	struct chain_link first = { .sent = 0 };
	size_t list_len;

	if (!vector_take_number(&body, 3, &list_len) || !vector_take_vector(&body, 3, &first.der) ||
		x509_parse(first.der.data, first.der.len, &first.x509) < 0)
		return;
	peer_fill(&recogniser->result.peer, &first);
	free(recogniser->result.peer.der); /* as large as all else */
	recogniser->result.peer.der = NULL;
	recogniser->result.peer.der_len = 0;
}

static void take_key_exchange(struct recogniser *recogniser, struct x509_bytes body)
{
	size_t type, group;

	if (vector_take_number(&body, 1, &type) && type == NAMED_CURVE &&
		vector_take_number(&body, 2, &group))
		recogniser->result.group = (unsigned)group;
}

/* How many bytes of a message's body are wanted. */
static size_t wanted(enum recognise_way way, unsigned type)
{
	switch (type) {
	case MESSAGE_CLIENT_HELLO:
	case MESSAGE_SERVER_HELLO:
		return HELLO_MOST;
	case MESSAGE_CERTIFICATE:
		return way == RECOGNISE_RECEIVED ? CERTIFICATE_MOST : 0;
	case MESSAGE_SERVER_KEY_EXCHANGE:
		return KEY_EXCHANGE_MOST;
	default:
		return 0;
	}
}

static void take_message(struct recogniser *recogniser, enum recognise_way at)
{
	struct way *way = &recogniser->ways[at];
	struct x509_bytes body = { NULL, 0 };

	if (way->message != NULL)
		body = (struct x509_bytes){ way->message + MESSAGE_HEADER_LEN,
			way->message_len - MESSAGE_HEADER_LEN };

	switch (way->message_head[0]) {
	case MESSAGE_CLIENT_HELLO:
		take_client_hello(recogniser, way->message, way->message_len);
		break;
	case MESSAGE_SERVER_HELLO:
		take_server_hello(recogniser, body);
		break;
	case MESSAGE_CERTIFICATE:
		if (recogniser->server_hello && !recogniser->certificate)
			recogniser->result.resumed = 0;
		recogniser->certificate = true;
		take_certificate(recogniser, body);
		if (recogniser->result.asks_certificate)
			way->state = WAY_DONE; /* the client's */
		break;
	case MESSAGE_SERVER_KEY_EXCHANGE:
		take_key_exchange(recogniser, body);
		break;
	case MESSAGE_CERTIFICATE_REQUEST:
		recogniser->result.asks_certificate = true;
		break;
	case MESSAGE_SERVER_HELLO_DONE:
	case MESSAGE_CLIENT_KEY_EXCHANGE:
		if (recogniser->result.resumed < 0)
			recogniser->result.resumed = 0;
		way->state = WAY_DONE;
		break;
	default:
		break;
	}
}

/* --- Records */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void begin_message(struct way *way, enum recognise_way at)
{
	size_t len = (size_t)way->message_head[1] << 16 | (size_t)way->message_head[2] << 8 |
		     way->message_head[3];
	size_t room = least(len, wanted(at, way->message_head[0]));

	way->message_left = len;
	way->message_len = way->message_room = 0;
	if (room > 0)
		way->message = malloc(MESSAGE_HEADER_LEN + room);
	if (way->message == NULL)
		return;
	memcpy(way->message, way->message_head, MESSAGE_HEADER_LEN);
	way->message_len = MESSAGE_HEADER_LEN;
	way->message_room = MESSAGE_HEADER_LEN + room;
}

static void take_handshake(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct way *way = &recogniser->ways[at];

	while (len > 0 && way->state == WAY_TLS) {
		size_t count;

		if (way->message_head_len < MESSAGE_HEADER_LEN) {
			way->message_head[way->message_head_len++] = *data++;
			len--;
			if (way->message_head_len < MESSAGE_HEADER_LEN)
				continue;
			begin_message(way, at);
		}
		count = least(len, way->message_left);
		if (way->message != NULL && way->message_len < way->message_room) {
			size_t part = least(count, way->message_room - way->message_len);

			memcpy(way->message + way->message_len, data, part);
			way->message_len += part;
		}
		data += count;
		len -= count;
		way->message_left -= count;
		if (way->message_left > 0)
			return;
		take_message(recogniser, at);
		free(way->message);
		way->message = NULL;
		way->message_head_len = 0;
	}
}

static void take_alert(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct way *way = &recogniser->ways[at];

	for (size_t i = 0; i < len && way->alert_len < ALERT_LEN; i++)
		way->alert[way->alert_len++] = data[i];
	if (way->alert_len < ALERT_LEN)
		return;
	way->alert_len = 0;
	if (way->alert[0] == ALERT_WARNING && way->alert[1] != CLOSE_NOTIFY)
		return;
	recogniser->result.alert[at] = way->alert[1];
	way->state = WAY_DONE;
	recogniser->decided = true;
}

/* What follows is encrypted; but before the server has chosen TLS 1.3, or a client knows what it
 * will, it is only there for old devices in between (RFC 8446 D.4). */
static void take_change(struct recogniser *recogniser, struct way *way)
{
	if (!recogniser->server_hello)
		return;
	if (!is_tls13(recogniser) && !recogniser->certificate && recogniser->result.resumed < 0)
		recogniser->result.resumed = 1;
	way->state = WAY_DONE;
}

static void begin_record(struct recogniser *recogniser, struct way *way)
{
	const uint8_t *head = way->head;
	bool legal;

	way->head_len = 0;
	way->record_type = head[0];
	way->record_left = record_body_len(head);
	legal = head[1] == RECORD_TLS12 >> 8 && way->record_left <= RECORD_MAX_PLAINTEXT;
	if (legal && head[0] == RECORD_CHANGE_CIPHER_SPEC)
		take_change(recogniser, way);
	else if (!legal || (head[0] != RECORD_HANDSHAKE && head[0] != RECORD_ALERT))
		way->state = WAY_DONE;
}

static void take_records(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct way *way = &recogniser->ways[at];

	while (len > 0 && way->state == WAY_TLS) {
		size_t count;

		if (way->record_left == 0) {
			way->head[way->head_len++] = *data++;
			len--;
			if (way->head_len == RECORD_HEADER_LEN)
				begin_record(recogniser, way);
			continue;
		}
		count = least(len, way->record_left);
		if (way->record_type == RECORD_HANDSHAKE)
			take_handshake(recogniser, at, data, count);
		else if (way->record_type == RECORD_ALERT)
			take_alert(recogniser, at, data, count);
		data += count;
		len -= count;
		way->record_left -= count;
	}
}

/* --- Both directions */

/* Before TLS 1.3, once the server has spoken: a client's certificate may be to come, if we are the
 * server. */
static bool waits_for_certificate(const struct recogniser *recogniser)
{
	const struct way *received = &recogniser->ways[RECOGNISE_RECEIVED],
			 *sent = &recogniser->ways[RECOGNISE_SENT];

	return recogniser->result.asks_certificate && sent->state == WAY_DONE &&
	       received->state == WAY_TLS;
}

static bool is_over(const struct recogniser *recogniser)
{
	const struct way *sent = &recogniser->ways[RECOGNISE_SENT],
			 *received = &recogniser->ways[RECOGNISE_RECEIVED];

	if (sent->state == WAY_DONE && received->state == WAY_DONE)
		return true;
	if (!recogniser->server_hello || !recogniser->client_hello)
		return false;
	if (is_tls13(recogniser))
		return true;
	return (sent->state == WAY_DONE || received->state == WAY_DONE) &&
	       !waits_for_certificate(recogniser);
}

void recognise_tls(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct way *way = &recogniser->ways[at];

	if (recogniser->decided)
		return;
	way->taken += len;
	if (way->taken > HANDSHAKE_MOST)
		way->state = WAY_DONE;
	take_records(recogniser, at, data, len);
	if (is_over(recogniser))
		recogniser->decided = true;
}
