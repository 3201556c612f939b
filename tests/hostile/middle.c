/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "middle.h"
#include "tls/handshake_private.h"
#include "tls/suite.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MOST 4096
#define IDLE_MOST 4 /* rounds in which nothing was said */
#define STREAM_MOST (1u << 20)
#define HEAD_LEN 4

struct stream {
	uint8_t *bytes;
	size_t head, tail;
	bool ended;
};

/* One direction: from the end that writes to the middle, and on to the one that reads. */
struct way {
	enum tls_role from;
	struct stream written, delivered;
	uint8_t messages[MIDDLE_MESSAGE_MOST]; /* of the handshake, as far as they came */
	size_t messages_len;
	unsigned number;
	uint64_t opened, sealed; /* records under the handshake's key */
	uint64_t said_later;     /* ... and under that of the data */
	bool protected;          /* from now on, by what the writer has sent */
	bool opaque;             /* TLS 1.2 behind the ChangeCipherSpec */
	unsigned alerts;         /* that are no warnings */
};

struct middle {
	struct way ways[2]; /* by the role that writes */
	struct tls_handshake *ends[2];
	middle_change *change;
	void *arg;
};

static void stream_put(struct stream *stream, const void *data, size_t len)
{
	if (len > STREAM_MOST - stream->tail)
		return;
	memcpy(stream->bytes + stream->tail, data, len);
	stream->tail += len;
}

/* An end of the connection reads from one way and writes to the other. */
struct end_ways {
	struct way *in, *out;
};

static ssize_t end_recv(void *arg, void *buf, size_t len)
{
	struct stream *in = &((struct end_ways *)arg)->in->delivered;

	if (in->head == in->tail)
		return in->ended ? 0 : -EAGAIN;
	if (len > in->tail - in->head)
		len = in->tail - in->head;
	memcpy(buf, in->bytes + in->head, len);
	in->head += len;
	return (ssize_t)len;
}

static ssize_t end_send(void *arg, const void *buf, size_t len)
{
	stream_put(&((struct end_ways *)arg)->out->written, buf, len);
	return (ssize_t)len;
}

/* The key of the handshake, or that of the data behind it, as the end of that role knows it. */
static bool key_of(struct middle *middle, enum tls_role knower, enum tls_role writer, bool data,
	struct record_key *key)
{
	struct tls_handshake *handshake = middle->ends[knower];
	const struct tls_suite *suite =
		tls_suite_by_id((unsigned)wolfSSL_get_current_cipher_suite(handshake->ssl));
	bool client = writer == TLS_CLIENT;
	const struct tls_secret *secret =
		&handshake->secrets[data ? (client ? SECRET_CLIENT_TRAFFIC : SECRET_SERVER_TRAFFIC)
					 : (client ? SECRET_CLIENT_HANDSHAKE
						   : SECRET_SERVER_HANDSHAKE)];

	return suite != NULL && secret->len > 0 &&
	       record_key_from_secret(key, suite->aead, secret->bytes, secret->len) == 0;
}

static void send_plain(struct way *way, enum record_type type, const uint8_t *data, size_t len)
{
	const uint8_t header[RECORD_HEADER_LEN] = { (uint8_t)type, 3, 3, (uint8_t)(len >> 8),
		(uint8_t)len };

	stream_put(&way->delivered, header, sizeof header);
	stream_put(&way->delivered, data, len);
}

static void send_sealed(struct middle *middle, struct way *way, enum record_type type,
	const uint8_t *data, size_t len)
{
	uint8_t record[RECORD_MAX_LEN];
	const struct iovec iov = { (void *)(uintptr_t)data, len };
	struct record_key key;
	ssize_t n;

	/* A reader that has no key yet gets it as it is. */
	if (!key_of(middle, 1 - way->from, way->from, false, &key)) {
		send_plain(way, type, data, len);
		return;
	}
	key.seq = way->sealed++;
	n = record_seal(&key, type, &iov, 0, len, record);
	if (n > 0)
		stream_put(&way->delivered, record, (size_t)n);
	record_key_clear(&key);
}

void middle_send(struct middle *middle, enum tls_role from, enum record_type type,
	const uint8_t *data, size_t len, size_t most)
{
	struct way *way = &middle->ways[from];

	do {
		size_t part = len < most ? len : most;

		if (way->protected && type != RECORD_CHANGE_CIPHER_SPEC)
			send_sealed(middle, way, type, data, part);
		else
			send_plain(way, type, data, part);
		data += part;
		len -= part;
	} while (len > 0);
}

static size_t message_len(const uint8_t *message)
{
	return HEAD_LEN + ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
}

static void take_messages(struct middle *middle, struct way *way, const uint8_t *data, size_t len)
{
	static uint8_t room[MIDDLE_MESSAGE_MOST];

	if (len > sizeof way->messages - way->messages_len)
		abort();
	memcpy(way->messages + way->messages_len, data, len);
	way->messages_len += len;
	while (way->messages_len >= HEAD_LEN && message_len(way->messages) <= way->messages_len) {
		struct middle_message message = { way->from, way->number++, room,
			message_len(way->messages) };

		memcpy(room, way->messages, message.len);
		way->messages_len -= message.len;
		memmove(way->messages, way->messages + message.len, way->messages_len);
		middle->change(middle, &message, middle->arg);
	}
}

static void note_alert(struct way *way, const uint8_t *data, size_t len)
{
	way->alerts += len == 2 && data[0] == 2;
}

/* TLS 1.3. What was not said under the handshake's key was said under that of the data: alerts. */
static void take_sealed(struct middle *middle, struct way *way, const uint8_t *record, size_t len)
{
	uint8_t plain[RECORD_MAX_LEN];
	enum record_type type = RECORD_APPLICATION_DATA;
	struct record_key key;
	ssize_t n = -1;

	way->protected = true;
	if (key_of(middle, way->from, way->from, false, &key)) {
		key.seq = way->opened;
		n = record_open(&key, record, len, plain, &type);
		way->opened += n >= 0;
	}
	if (n < 0 && key_of(middle, way->from, way->from, true, &key)) {
		key.seq = way->said_later++;
		n = record_open(&key, record, len, plain, &type);
		if (n >= 0) {
			note_alert(way, plain, (size_t)n);
			stream_put(&way->delivered, record, len);
			return;
		}
	}
	if (n < 0)
		abort();
	if (type == RECORD_HANDSHAKE) {
		take_messages(middle, way, plain, (size_t)n);
		return;
	}
	note_alert(way, plain, (size_t)n);
	middle_send(middle, way->from, type, plain, (size_t)n, RECORD_MAX_PLAINTEXT);
}

static bool speaks_tls12(const struct middle *middle, const struct way *way)
{
	return wolfSSL_version(middle->ends[way->from]->ssl) == RECORD_TLS12;
}

static void take_record(struct middle *middle, struct way *way, const uint8_t *record, size_t len)
{
	const uint8_t *body = record + RECORD_HEADER_LEN;
	size_t body_len = len - RECORD_HEADER_LEN;

	if (record[0] == RECORD_APPLICATION_DATA) {
		take_sealed(middle, way, record, len);
	} else if (record[0] == RECORD_HANDSHAKE && !way->opaque) {
		take_messages(middle, way, body, body_len);
	} else {
		way->opaque |= record[0] == RECORD_CHANGE_CIPHER_SPEC && speaks_tls12(middle, way);
		/* What is sealed is longer. */
		way->alerts += record[0] == RECORD_ALERT && body_len > 2;
		if (record[0] == RECORD_ALERT)
			note_alert(way, body, body_len);
		stream_put(&way->delivered, record, len);
	}
}

/* What is sealed goes under a key that the reader has only once it has read all before it. */
static bool reader_is_behind(const struct way *way, const uint8_t *record, int reader_result)
{
	return record[0] == RECORD_APPLICATION_DATA && reader_result == -EAGAIN &&
	       way->delivered.head < way->delivered.tail;
}

/* False: there was nothing to pass. */
static bool pass_on(struct middle *middle, struct way *way, int reader_result)
{
	struct stream *in = &way->written;
	bool some = false;

	while (in->tail - in->head >= RECORD_HEADER_LEN) {
		const uint8_t *record = in->bytes + in->head;
		size_t len = RECORD_HEADER_LEN + (size_t)(record[3] << 8 | record[4]);

		if (in->tail - in->head < len)
			break;
		if (reader_is_behind(way, record, reader_result))
			return true;
		in->head += len;
		take_record(middle, way, record, len);
		some = true;
	}
	return some;
}

/* All that was written comes before it. */
static void note_end(struct way *way, bool ended)
{
	way->delivered.ended |= ended && way->written.tail - way->written.head < RECORD_HEADER_LEN;
}

static void step_both(struct middle *middle, struct middle_end ends[2])
{
	int idle = 0;

	for (int step = 0; step < STEPS_MOST; step++) {
		bool some = false;

		for (int role = 0; role < 2; role++) {
			if (ends[role].result == -EAGAIN)
				ends[role].result = tls_handshake_step(middle->ends[role]);
			some |= pass_on(middle, &middle->ways[role], ends[1 - role].result);
			note_end(&middle->ways[role], ends[role].result != -EAGAIN || idle > 1);
		}
		idle = some ? 0 : idle + 1;
		if (idle > IDLE_MOST)
			return;
	}
	abort();
}

static void way_init(struct way *way, enum tls_role from, uint8_t *memory)
{
	memset(way, 0, sizeof *way);
	way->from = from;
	way->written.bytes = memory;
	way->delivered.bytes = memory + STREAM_MOST;
}

static void end_close(struct middle *middle, enum tls_role role, struct middle_end *end)
{
	struct tls_handshake *handshake = middle->ends[role];

	if (end->result == 0 && tls_handshake_keys(handshake, &end->send, &end->receive) < 0)
		abort();
	end->said = *tls_handshake_result(handshake);
	memset(&end->said.peer, 0, sizeof end->said.peer);
	end->alerts = middle->ways[role].alerts;
	end->read_all =
		middle->ways[1 - role].delivered.head == middle->ways[1 - role].delivered.tail;
	tls_handshake_free(handshake);
}

void middle_run(unsigned variant, middle_change *change, void *arg, struct middle_end ends[2])
{
	static uint8_t memory[2][2 * STREAM_MOST];
	static struct middle middle;
	struct end_ways of[2];

	middle.change = change;
	middle.arg = arg;
	for (int role = 0; role < 2; role++)
		way_init(&middle.ways[role], (enum tls_role)role, memory[role]);
	for (int role = 0; role < 2; role++) {
		struct tls_context *context = fixture_context((enum tls_role)role, variant);
		struct tls_transport transport = { end_recv, end_send, &of[role] };

		of[role] = (struct end_ways){ &middle.ways[1 - role], &middle.ways[role] };
		if (tls_handshake_new(context, "ec.test", &transport, &middle.ends[role]) != 0)
			abort();
		ends[role] = (struct middle_end){ .result = -EAGAIN };
	}
	step_both(&middle, ends);
	for (int role = 0; role < 2; role++)
		end_close(&middle, (enum tls_role)role, &ends[role]);
}
