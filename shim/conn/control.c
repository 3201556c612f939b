/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Alerts, and what TLS 1.3 sends after the handshake: tickets and KeyUpdates (RFC 8446 4.6, 6),
 * both ways. Everything else is refused. Messages may be split over records, so their heads are
 * collected.
 */
#include "conn/control.h"

#include "conn/internal.h"
#include "conn/kernel.h"
#include "conn/outlet.h"
#include "deep.h"
#include "tls/alert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_RECORDS_MOST 128 /* without data in between: no honest peer needs as many */
#define MESSAGE_HEAD_LEN 4
#define KEY_UPDATE_LEN 5
#define MESSAGE_HELLO_REQUEST 0
#define MESSAGE_CLIENT_HELLO 1
#define MESSAGE_NEW_SESSION_TICKET 4
#define MESSAGE_CERTIFICATE_REQUEST 13
#define MESSAGE_KEY_UPDATE 24
#define ALERT_CLOSE_NOTIFY 0
#define ALERT_USER_CANCELED 90
#define ALERT_NO_RENEGOTIATION 100
#define LEVEL_WARNING 1
#define LEVEL_FATAL 2

/* --- Ours */

static int send_control(
	struct conn *conn, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	struct share *share = conn->share;
	int r = outlet_lock(conn);

	if (r < 0)
		return r;
	r = share->send_closed ? -EPIPE : outlet_control(share, fd, type, data, len);
	share_unlock(&share->send_lock);
	return r;
}

static int send_alert(struct conn *conn, int fd, int description)
{
	const uint8_t alert[2] = { LEVEL_FATAL, (uint8_t)description };

	conn->share->alert_sent = description;
	return send_control(conn, fd, RECORD_ALERT, alert, sizeof(alert));
}

int conn_send_close_notify(struct conn *conn, int fd)
{
	static const uint8_t close_notify[2] = { LEVEL_WARNING, ALERT_CLOSE_NOTIFY };
	struct share *share = conn->share;
	int r = outlet_lock(conn);

	if (r < 0)
		return r;
	if (!share->send_closed) {
		r = outlet_control(share, fd, RECORD_ALERT, close_notify, sizeof(close_notify));
		share->send_closed = true;
		if (share->alert_sent < 0)
			share->alert_sent = ALERT_CLOSE_NOTIFY;
		share->kernel_unsettled = share->kernel_sends;
		if (r == 0 && share->kernel_sends)
			r = outlet_flush(share, fd);
	} else {
		r = outlet_flush(share, fd);
	}
	share_unlock(&share->send_lock);
	return r;
}

int conn_key_update_locked(struct share *share, int fd, bool ask)
{
	const uint8_t key_update[KEY_UPDATE_LEN] = { MESSAGE_KEY_UPDATE, 0, 0, 1, ask };
	int r = 0;

	if (share->kernel_sends && !share->kernel_rekeys)
		return -EOPNOTSUPP;
	r = outlet_control(share, fd, RECORD_HANDSHAKE, key_update, sizeof(key_update));
	if (r < 0)
		return r;
	share->key_update_due = false;
	share->key_updates++;
	r = record_key_update(&share->send_key);
	return r == 0 && share->kernel_sends ? kernel_rekey_send(share, fd) : r;
}

/* --- The peer's */

static int refuse(struct conn *conn, int fd, int alert, const char *reason)
{
	send_alert(conn, fd, alert);
	conn_fail_for(conn, ECONNRESET,
		alert == ALERT_INTERNAL_ERROR ? CAUSE_RESOURCES : CAUSE_TAMPERED, reason);
	return -ECONNRESET;
}

int conn_control_failed(struct conn *conn, int fd, int error)
{
	switch (error) {
	case -EBADMSG:
		return refuse(conn, fd, ALERT_BAD_RECORD_MAC,
			"a record of the peer does not authenticate: it was changed on the way");
	case -EMSGSIZE:
		return refuse(conn, fd, ALERT_RECORD_OVERFLOW,
			"a record of the peer is larger than TLS allows");
	case -EPROTO:
		return refuse(
			conn, fd, ALERT_UNEXPECTED_MESSAGE, "the peer sent what is no TLS record");
	case -ECONNRESET:
		return error;
	default:
		return refuse(conn, fd, ALERT_INTERNAL_ERROR, "no memory for what the peer sent");
	}
}

int conn_control_truncated(struct conn *conn, int fd)
{
	(void)fd;
	if (conn->rule->tls.truncation == POLICY_TRUNCATION_ACCEPT) {
		conn->share->eof = true;
		return 0;
	}
	conn_fail_for(conn, ECONNRESET, CAUSE_TRUNCATED,
		"the peer closed the connection without close_notify: data may be missing (for a "
		"peer that always does so: truncation = accept)");
	return -ECONNRESET;
}

int conn_control_broken(struct conn *conn, int fd, int error)
{
	(void)fd;
	conn_fail_for(conn, -error, CAUSE_RESET,
		error == -ECONNRESET ? "the peer reset the connection"
				     : "TCP gave the connection up");
	return -ECONNRESET;
}

static int take_alert(struct conn *conn, int fd, const uint8_t *data, size_t len)
{
	struct share *share = conn->share;
	char reason[TLS_REASON_MAX];

	if (len != 2)
		return refuse(
			conn, fd, ALERT_UNEXPECTED_MESSAGE, "the peer sent a malformed alert");
	if (data[1] == ALERT_CLOSE_NOTIFY) {
		share->alert_received = ALERT_CLOSE_NOTIFY;
		share->eof = true;
		/* The end stays readable for every poll, although the peer may keep TCP open; but
		 * where TLS may end before TCP, more is to be read. */
		if (!conn_is_controlled(conn))
			sys_shutdown(fd, SHUT_RD);
		return 0;
	}
	if (data[1] == ALERT_USER_CANCELED ||
		(share->receive_key.version == RECORD_TLS12 && data[0] == LEVEL_WARNING))
		return 0;
	share->alert_received = data[1];
	snprintf(reason, sizeof(reason), "refused by the peer: alert %s", tls_alert_name(data[1]));
	conn_fail_for(conn, ECONNRESET, tls_alert_cause(data[1]), reason);
	return -ECONNRESET;
}

bool control_is_key_update(const uint8_t *data, size_t len)
{
	return len == KEY_UPDATE_LEN && data[0] == MESSAGE_KEY_UPDATE;
}

/* RFC 8446 4.6.3. It ends its record, since the next one is under the new key. */
static int take_key_update(struct conn *conn, int fd, size_t left)
{
	struct share *share = conn->share;
	bool answer = share->message[KEY_UPDATE_LEN - 1] == 1;

	if (left != 0)
		return refuse(conn, fd, ALERT_UNEXPECTED_MESSAGE,
			"the peer's KeyUpdate is not at the end of its record");
	if (share->message[KEY_UPDATE_LEN - 1] > 1)
		return refuse(
			conn, fd, ALERT_ILLEGAL_PARAMETER, "the peer sent a malformed KeyUpdate");
	record_key_update(&share->receive_key);
	if (share->kernel_receives && kernel_rekey_receive(share, fd) < 0) {
		/* At a close nobody wants what comes behind it. */
		share->eof = share->receive_closed;
		if (share->eof)
			return 0;
		return refuse(conn, fd, ALERT_INTERNAL_ERROR,
			"the peer has changed its keys (KeyUpdate), and the TLS of this kernel "
			"cannot follow: Linux 6.14 can, and so can 'plane = user'");
	}
	/* The answer goes before the next data, as it must, and not now: a peer who has closed
	 * after asking would reset the connection. */
	if (answer)
		atomic_store(&share->key_update_due, true);
	return 0;
}

/* A request for our certificate, and what is done about it. */
struct request {
	struct conn *conn;
	const uint8_t *message;
	size_t len;
	uint32_t updates;
	uint8_t *answer;
	size_t answer_len;
	int result;
};

static void make_answer(void *arg)
{
	struct request *request = arg;

	request->result = tls_post_auth_answer(request->conn->post_auth, request->message,
		request->len, request->updates, &request->answer, &request->answer_len);
}

/* RFC 8446 4.6.2: Certificate, CertificateVerify and Finished in answer; or a Certificate that is
 * empty, where ours is not of a kind that is asked for. */
static int answer_request(struct conn *conn, int fd, const uint8_t *message, size_t len)
{
	struct share *share = conn->share;
	struct request request = { .conn = conn, .message = message, .len = len };
	int r = outlet_lock(conn);

	if (r < 0)
		return r;
	request.updates = share->key_updates;
	deep_run(make_answer, &request);
	r = request.result;
	if (r == 0 && !share->send_closed)
		r = outlet_messages(share, fd, request.answer, request.answer_len);
	share_unlock(&share->send_lock);
	free(request.answer);
	if (share_is_parked(share))
		driver_add(conn);
	if (r < 0)
		return refuse(conn, fd, ALERT_ILLEGAL_PARAMETER,
			"the peer's request for a certificate cannot be answered");
	return 0;
}

/* `body`: behind the head, which is in the share. */
static int take_request(struct conn *conn, int fd, const uint8_t *body, uint32_t len)
{
	uint8_t *message = malloc(MESSAGE_HEAD_LEN + len);
	int r;

	if (message == NULL)
		return refuse(conn, fd, ALERT_INTERNAL_ERROR, "no memory for what the peer sent");
	memcpy(message, conn->share->message, MESSAGE_HEAD_LEN);
	memcpy(message + MESSAGE_HEAD_LEN, body, len);
	r = answer_request(conn, fd, message, MESSAGE_HEAD_LEN + len);
	free(message);
	return r;
}

/* RFC 5246 7.4.1.1: a renegotiation may be declined, and goes no further than its first message. */
static int decline_renegotiation(struct conn *conn, int fd, uint8_t type)
{
	static const uint8_t no_renegotiation[2] = { LEVEL_WARNING, ALERT_NO_RENEGOTIATION };

	if (type != (conn->role == TLS_CLIENT ? MESSAGE_HELLO_REQUEST : MESSAGE_CLIENT_HELLO))
		return refuse(conn, fd, ALERT_UNEXPECTED_MESSAGE,
			"the peer sent a handshake message that has no place here");
	send_control(conn, fd, RECORD_ALERT, no_renegotiation, sizeof(no_renegotiation));
	return 0;
}

/* One message's head is complete, and `left` bytes are there behind it: what it is decides what
 * becomes of its body. What is taken is taken if all of it is there. A ticket that is split over
 * records, which nobody needs to do, is skipped. */
static int take_head(struct conn *conn, int fd, const uint8_t *data, size_t left)
{
	struct share *share = conn->share;
	uint32_t len = (uint32_t)share->message[1] << 16 | (uint32_t)share->message[2] << 8 |
		       share->message[3];
	bool tls13 = share->receive_key.version == RECORD_TLS13;
	uint8_t type = share->message[0];
	int r = 0;

	if (tls13 && type == MESSAGE_KEY_UPDATE && len == KEY_UPDATE_LEN - MESSAGE_HEAD_LEN)
		return 0;
	if (!tls13)
		r = decline_renegotiation(conn, fd, type);
	else if (type == MESSAGE_KEY_UPDATE)
		r = refuse(conn, fd, ALERT_DECODE_ERROR,
			"the peer sent a KeyUpdate of another length than it has");
	else if (type == MESSAGE_CERTIFICATE_REQUEST && conn->post_auth != NULL && len <= left)
		r = take_request(conn, fd, data, len);
	else if (type != MESSAGE_NEW_SESSION_TICKET || conn->role != TLS_CLIENT ||
		 len > RECORD_MAX_PLAINTEXT * 4)
		r = refuse(conn, fd, ALERT_UNEXPECTED_MESSAGE,
			"the peer sent a handshake message that has no place here");
	else if (conn->resumption != NULL && len <= left)
		tls_resumption_ticket(conn->resumption, data, len);
	share->message_skip = len;
	share->message_len = 0;
	return r;
}

static int take_messages(struct conn *conn, int fd, const uint8_t *data, size_t len)
{
	struct share *share = conn->share;
	int r = 0;

	while (len > 0 && r == 0) {
		if (share->message_skip > 0) {
			size_t skip = share->message_skip < len ? share->message_skip : len;

			share->message_skip -= (uint32_t)skip;
			data += skip;
			len -= skip;
			continue;
		}
		share->message[share->message_len++] = *data++;
		len--;
		if (share->message_len == MESSAGE_HEAD_LEN)
			r = take_head(conn, fd, data, len);
		else if (share->message_len == KEY_UPDATE_LEN) {
			share->message_len = 0;
			r = take_key_update(conn, fd, len);
		}
	}
	return r;
}

bool control_takes(const struct share *share, enum record_type type, size_t len)
{
	bool amid = share->message_len > 0 || share->message_skip > 0;

	return type != RECORD_APPLICATION_DATA || len == 0 ||
	       (amid && share->receive_key.version == RECORD_TLS13);
}

int conn_control_record(
	struct conn *conn, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	if (conn->share->control_count > CONTROL_RECORDS_MOST)
		return refuse(conn, fd, ALERT_UNEXPECTED_MESSAGE,
			"the peer sends one record after the other without data");
	/* RFC 8446 5.1: no record type may come between the parts of a handshake message. */
	if (type != RECORD_HANDSHAKE && conn->share->receive_key.version == RECORD_TLS13 &&
		(conn->share->message_len > 0 || conn->share->message_skip > 0))
		return refuse(conn, fd, ALERT_UNEXPECTED_MESSAGE,
			"the peer interrupted a handshake message");
	switch (type) {
	case RECORD_APPLICATION_DATA: /* empty: a legal way to hide traffic patterns */
		return 0;
	case RECORD_ALERT:
		return take_alert(conn, fd, data, len);
	case RECORD_HANDSHAKE:
		return take_messages(conn, fd, data, len);
	default:
		return refuse(conn, fd, ALERT_UNEXPECTED_MESSAGE,
			"the peer sent a record of a type that has no place here");
	}
}
