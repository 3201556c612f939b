/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Between wolfSSL's handshake and the transport: what is written is gathered and goes out when the
 * handshake wants to read or ends, what is read is looked at in passing.
 */
#ifndef SEAMTLS_TLS_WIRE_H
#define SEAMTLS_TLS_WIRE_H

#include "flight.h"
#include "handshake.h"

#define WIRE_SNIFF_LEN 48

/* What is wrong with a record, whatever is in it. */
struct wire_fault {
	int alert;
	const char *text; /* NULL: nothing */
};

struct wire {
	struct tls_transport transport;
	struct flight flight;
	uint8_t *out; /* waits to be sent: out_start .. out_end */
	size_t out_start, out_end, out_size;
	/* Records taken off the transport before wolfSSL asked for them: ahead_start .. ahead_end.
	 */
	uint8_t *ahead;
	size_t ahead_start, ahead_end, ahead_size;
	uint64_t received, sent;
	short events;   /* what the last -EAGAIN waits for */
	int send_error; /* sending is over; the peer's reason may still be there to be read */
	int error;      /* -errno of the transport, or -EPROTO */
	bool serves;    /* the peer begins */
	bool spoke;     /* since the last attempt to read */
	bool eof;
	bool not_tls;
	struct wire_fault fault;
	/* Of the record that comes: its header, as far as it is there, and what is to follow. */
	uint8_t header[RECORD_HEADER_LEN];
	size_t header_len, body_left;
	uint8_t first[WIRE_SNIFF_LEN]; /* what came first */
	size_t first_len;
	uint64_t sealed;           /* protected records that were written, TLS 1.3 */
	uint8_t finished_nonce[8]; /* TLS 1.2 with GCM: the explicit nonce of our Finished */
};

void wire_init(struct wire *wire, const struct tls_transport *transport, bool serves);
void wire_clear(struct wire *wire);

/* Takes all of it, always; -ENOMEM, or -EMSGSIZE if the peer does not read what we send. */
int wire_write(struct wire *wire, const uint8_t *buf, size_t len);

/* 0, everything is sent; -EAGAIN; another -errno. */
int wire_flush(struct wire *wire);

/* Sends what waits, then a count, 0 at the end of file, -EAGAIN or another -errno, which stays in
 * wire->error. */
ssize_t wire_read(struct wire *wire, uint8_t *buf, size_t len);

/* Before anybody else reads from the transport: it has nothing any more that wire_read() has handed
 * out. 0, or -errno, which is wire->error as well. With `done` nothing is to be left over here. */
int wire_settle(struct wire *wire, bool done);

/*
 * Goes on with one more record, to be looked at before wire_read() hands it out. 1, and the record
 * is at *record; -EAGAIN; or 0: there will be no more, and wire_read() has what there is and why.
 */
int wire_read_ahead(struct wire *wire, const uint8_t **record, size_t *len);
/* What was read ahead, whose records hold these bytes, is handed out as one record of them. */
void wire_join_ahead(struct wire *wire, const uint8_t *data, size_t len);

#endif
