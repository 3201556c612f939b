/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/wire.h"
#include "tls/alert.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* A flight with the longest chain of certificates that wolfSSL sends is far below; so is what a
 * peer may make us read. */
#define WIRE_OUT_MAX (256u << 10)
#define WIRE_IN_MAX (512u << 10)

void wire_init(struct wire *wire, const struct tls_transport *transport, bool serves)
{
	memset(wire, 0, sizeof *wire);
	wire->serves = serves;
	wire->transport = *transport;
}

void wire_clear(struct wire *wire)
{
	if (wire->out != NULL)
		explicit_bzero(wire->out, wire->out_size);
	free(wire->out);
	free(wire->ahead);
	flight_clear(&wire->flight);
	explicit_bzero(wire, sizeof *wire);
}

/*
 * What parting.c and the keys of TLS 1.2 have to know. wolfSSL hands over whole records. The last
 * handshake record of TLS 1.2 is the Finished, the only one that is protected, with the explicit
 * nonce (RFC 5288 3) in front.
 */
static void note_records(struct wire *wire, const uint8_t *buf, size_t len)
{
	while (len >= RECORD_HEADER_LEN) {
		size_t body = record_body_len(buf);

		if (body > len - RECORD_HEADER_LEN)
			return;
		wire->sealed += buf[0] == RECORD_APPLICATION_DATA;
		if (buf[0] == RECORD_HANDSHAKE && body >= sizeof wire->finished_nonce)
			memcpy(wire->finished_nonce, buf + RECORD_HEADER_LEN,
				sizeof wire->finished_nonce);
		buf += RECORD_HEADER_LEN + body;
		len -= RECORD_HEADER_LEN + body;
	}
}

int wire_write(struct wire *wire, const uint8_t *buf, size_t len)
{
	if (wire->out_start == wire->out_end)
		wire->out_start = wire->out_end = 0;
	if (len > WIRE_OUT_MAX - wire->out_end)
		return -EMSGSIZE;
	if (wire->out_end + len > wire->out_size) {
		size_t size = wire->out_end + len < 4096 ? 4096 : wire->out_end + len;
		uint8_t *out = realloc(wire->out, size);

		if (out == NULL)
			return -ENOMEM;
		wire->out = out;
		wire->out_size = size;
	}
	memcpy(wire->out + wire->out_end, buf, len);
	wire->out_end += len;
	note_records(wire, buf, len);
	return 0;
}

int wire_flush(struct wire *wire)
{
	while (wire->send_error == 0 && wire->out_start < wire->out_end) {
		ssize_t n = wire->transport.send(wire->transport.arg, wire->out + wire->out_start,
			wire->out_end - wire->out_start);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN || n == 0) {
			wire->events = POLLOUT;
			return -EAGAIN;
		}
		if (n < 0) {
			wire->send_error = (int)n;
		} else {
			wire->out_start += (size_t)n;
			wire->sent += (size_t)n;
			wire->spoke = true;
		}
	}
	return wire->send_error;
}

static ssize_t receive(struct wire *wire, uint8_t *buf, size_t len)
{
	ssize_t n;

	/* Nothing that a client sends before it has heard of us can be data that are for the
	 * program. */
	do
		n = flight_read(
			&wire->flight, &wire->transport, buf, len, wire->serves && wire->sent == 0);
	while (n == -EINTR);
	return n;
}

int wire_settle(struct wire *wire, bool done)
{
	int r = flight_settle(&wire->flight, &wire->transport);

	if (r == 0 && done && flight_waits(&wire->flight))
		r = -EPROTO;
	if (r < 0)
		wire->error = r;
	return r;
}

/* A record of a handshake starts with its type and the major version 3, since SSL 3.0. */
static bool looks_like_tls(const struct wire *wire)
{
	return wire->first[0] >= RECORD_CHANGE_CIPHER_SPEC &&
	       wire->first[0] <= RECORD_APPLICATION_DATA &&
	       (wire->first_len < 2 || wire->first[1] == 3);
}

/* Takes some more of what is no TLS, so that the reason can tell what it is. */
static ssize_t refuse(struct wire *wire)
{
	ssize_t n = receive(wire, wire->first + wire->first_len, WIRE_SNIFF_LEN - wire->first_len);

	if (n > 0)
		wire->first_len += (size_t)n;
	wire->not_tls = true;
	return wire->error = -EPROTO;
}

/* Of the record whose header is there. */
static struct wire_fault check_header(const uint8_t header[RECORD_HEADER_LEN], size_t len)
{
	uint8_t type = header[0];
	size_t most =
		type == RECORD_APPLICATION_DATA ? RECORD_MAX_CIPHERTEXT : RECORD_MAX_PLAINTEXT;

	if (type < RECORD_CHANGE_CIPHER_SPEC || type > RECORD_APPLICATION_DATA)
		return (struct wire_fault){ ALERT_UNEXPECTED_MESSAGE,
			"the peer sent a record of an unknown type" };
	/* RFC 8446 5.1: no fragment of these is empty. */
	if (len == 0 && type != RECORD_APPLICATION_DATA)
		return (struct wire_fault){ ALERT_UNEXPECTED_MESSAGE,
			"the peer sent an empty record" };
	if (len > most)
		return (struct wire_fault){ ALERT_RECORD_OVERFLOW,
			"the peer sent a record that is too long" };
	if (len != 1 && type == RECORD_CHANGE_CIPHER_SPEC)
		return (struct wire_fault){ ALERT_UNEXPECTED_MESSAGE,
			"the peer sent a malformed ChangeCipherSpec" };
	return (struct wire_fault){ 0, NULL };
}

/* RFC 8446 5: 1 is the only value that a ChangeCipherSpec has. */
static struct wire_fault check_body(const uint8_t header[RECORD_HEADER_LEN], uint8_t first)
{
	if (header[0] == RECORD_CHANGE_CIPHER_SPEC && first != 1)
		return (struct wire_fault){ ALERT_UNEXPECTED_MESSAGE,
			"the peer sent a malformed ChangeCipherSpec" };
	return (struct wire_fault){ 0, NULL };
}

/* Follows the records through the bytes, wherever these are cut. */
static struct wire_fault follow(struct wire *wire, const uint8_t *buf, size_t len)
{
	struct wire_fault fault = { 0, NULL };

	while (len > 0 && fault.text == NULL) {
		size_t part = wire->body_left < len ? wire->body_left : len;

		if (part > 0) {
			fault = check_body(wire->header, buf[0]);
			wire->body_left -= part;
			buf += part;
			len -= part;
			continue;
		}
		if (wire->header_len == RECORD_HEADER_LEN)
			wire->header_len = 0;
		wire->header[wire->header_len++] = *buf++;
		len--;
		if (wire->header_len == RECORD_HEADER_LEN) {
			wire->body_left = record_body_len(wire->header);
			fault = check_header(wire->header, wire->body_left);
		}
	}
	return fault;
}

static ssize_t look_at(struct wire *wire, const uint8_t *buf, size_t len)
{
	size_t room = RECORD_HEADER_LEN - wire->first_len;

	if (wire->first_len < RECORD_HEADER_LEN) {
		memcpy(wire->first + wire->first_len, buf, len < room ? len : room);
		wire->first_len += len < room ? len : room;
		if (!looks_like_tls(wire))
			return refuse(wire);
	}
	wire->received += len;
	wire->fault = follow(wire, buf, len);
	if (wire->fault.text == NULL && wire->received > WIRE_IN_MAX)
		wire->fault = (struct wire_fault){ ALERT_UNEXPECTED_MESSAGE,
			"the peer sent more than a handshake can be" };
	return wire->fault.text == NULL ? (ssize_t)len : (wire->error = -EPROTO);
}

static ssize_t take_off(struct wire *wire, uint8_t *buf, size_t len)
{
	ssize_t n;

	/* There is no answer yet to what was sent just now. */
	if (wire->spoke && !flight_waits(&wire->flight)) {
		wire->spoke = false;
		wire->events = POLLIN;
		return -EAGAIN;
	}
	n = receive(wire, buf, len);
	if (n > 0)
		return look_at(wire, buf, (size_t)n);
	if (n == -EAGAIN && wire->send_error == 0) {
		wire->events = POLLIN;
		return n;
	}
	wire->eof = n == 0;
	if (n != 0)
		wire->error = n == -EAGAIN ? wire->send_error : (int)n;
	return n == 0 ? 0 : wire->error;
}

static size_t take_ahead(struct wire *wire, uint8_t *buf, size_t len)
{
	size_t n = wire->ahead_end - wire->ahead_start;

	if (n > len)
		n = len;
	memcpy(buf, wire->ahead + wire->ahead_start, n);
	wire->ahead_start += n;
	if (wire->ahead_start == wire->ahead_end) {
		free(wire->ahead);
		wire->ahead = NULL;
		wire->ahead_start = wire->ahead_end = wire->ahead_size = 0;
	}
	return n;
}

ssize_t wire_read(struct wire *wire, uint8_t *buf, size_t len)
{
	ssize_t n = wire_flush(wire);

	if (n == -EAGAIN)
		return n;
	if (wire->not_tls)
		return wire->error;
	if (wire->ahead_start < wire->ahead_end)
		return (ssize_t)take_ahead(wire, buf, len);
	/* What the kernel has said once it may not say again. */
	if (wire->eof || wire->error != 0)
		return wire->error;
	return take_off(wire, buf, len);
}

/* Up to `end` bytes from the start of what was taken ahead. 0, or as take_off(), with 0 as
 * -ENODATA. */
static int fill_ahead(struct wire *wire, size_t end)
{
	if (end > wire->ahead_size) {
		uint8_t *ahead = realloc(wire->ahead, end);

		if (ahead == NULL)
			return -ENOMEM;
		wire->ahead = ahead;
		wire->ahead_size = end;
	}
	while (wire->ahead_end < end) {
		ssize_t n = take_off(wire, wire->ahead + wire->ahead_end, end - wire->ahead_end);

		if (n <= 0)
			return n == 0 ? -ENODATA : (int)n;
		wire->ahead_end += (size_t)n;
	}
	return 0;
}

int wire_read_ahead(struct wire *wire, const uint8_t **record, size_t *len)
{
	size_t start = 0, body;
	int r;

	/* The last one that is there may be but a part. */
	for (;;) {
		r = fill_ahead(wire, start + RECORD_HEADER_LEN);
		if (r < 0)
			return r == -EAGAIN ? r : 0;
		body = record_body_len(wire->ahead + start);
		if (body > RECORD_MAX_CIPHERTEXT)
			return 0;
		if (wire->ahead_end < start + RECORD_HEADER_LEN + body)
			break;
		start += RECORD_HEADER_LEN + body;
	}
	r = fill_ahead(wire, start + RECORD_HEADER_LEN + body);
	if (r < 0)
		return r == -EAGAIN ? r : 0;
	*record = wire->ahead + start;
	*len = RECORD_HEADER_LEN + body;
	return 1;
}

void wire_join_ahead(struct wire *wire, const uint8_t *data, size_t len)
{
	/* The type and the version of the first are there already, and all has less room than
	 * before. */
	wire->ahead[3] = (uint8_t)(len >> 8);
	wire->ahead[4] = (uint8_t)len;
	memcpy(wire->ahead + RECORD_HEADER_LEN, data, len);
	wire->ahead_end = RECORD_HEADER_LEN + len;
}
