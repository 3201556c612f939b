/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Flights of real handshakes, changed on the way in the clear (see middle.h). First byte: the
 * variant of the contexts. The rest is a list of changes, each of a message (from whom, and which),
 * what is done, where, and bytes to do it with. Whatever is done, both sides come to an end; who
 * refuses says why and sends an alert; and of two that both are through, neither was told anything
 * else than what the other has said.
 */
#include "fuzz.h"
#include "middle.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MOST 16
#define CHANGE_LEN 5
#define HEAD_LEN 4
#define NUMBER_MASK 15u

enum what {
	PUT,       /* bytes over those that are there */
	INSERT,    /* bytes */
	REMOVE,    /* as many bytes */
	REPLACE,   /* all behind the head */
	DROP,      /* the message */
	REPEAT,    /* the message */
	RENAME,    /* its type */
	LIE,       /* its length, which else is set right */
	ADD,       /* to two bytes that may be a length */
	SPLIT,     /* into records of so many bytes */
	RECORD,    /* one before it, of any type */
	HOLD_BACK, /* until the next message has gone */
	GLUE,      /* bytes to its end, in its record */
	WHATS
};

struct change {
	unsigned target; /* from whom, and which */
	enum what what;
	size_t at;
	size_t len;
	const uint8_t *bytes;
};

struct script {
	struct change changes[CHANGES_MOST];
	size_t count;
	bool told_apart; /* something else was said than was meant */
	uint8_t held[2][MIDDLE_MESSAGE_MOST];
	size_t held_len[2];
};

static void read_script(struct script *script, const uint8_t *data, size_t len)
{
	script->count = 0;
	script->told_apart = false;
	script->held_len[0] = script->held_len[1] = 0;
	while (len >= CHANGE_LEN && script->count < CHANGES_MOST) {
		struct change *change = &script->changes[script->count++];

		*change = (struct change){ data[0] & (NUMBER_MASK | 0x80u), data[1] % WHATS,
			(size_t)(data[2] << 8 | data[3]), data[4], data + CHANGE_LEN };
		data += CHANGE_LEN;
		len -= CHANGE_LEN;
		if (change->what == REMOVE || change->what == SPLIT)
			continue;
		if (change->len > len)
			change->len = len;
		data += change->len;
		len -= change->len;
	}
}

static void move_tail(struct middle_message *message, size_t from, size_t to)
{
	memmove(message->bytes + to, message->bytes + from, message->len - from);
	message->len = message->len - from + to;
}

static void add(struct middle_message *message, size_t at, uint8_t what)
{
	unsigned value;

	if (at + 2 > message->len)
		return;
	value = (unsigned)(message->bytes[at] << 8 | message->bytes[at + 1]) + what;
	message->bytes[at] = (uint8_t)(value >> 8);
	message->bytes[at + 1] = (uint8_t)value;
}

/* Of the bytes of a message. `at` counts from behind the head, and round. */
static void change_bytes(const struct change *change, struct middle_message *message)
{
	size_t at =
		HEAD_LEN + (message->len > HEAD_LEN ? change->at % (message->len - HEAD_LEN) : 0);
	size_t len = change->len;

	switch (change->what) {
	case PUT:
		if (len > message->len - at)
			len = message->len - at;
		memcpy(message->bytes + at, change->bytes, len);
		break;
	case REPLACE:
		at = message->len = HEAD_LEN;
		/* fall through */
	case INSERT:
		if (len > MIDDLE_MESSAGE_MOST - message->len)
			return;
		move_tail(message, at, at + len);
		memcpy(message->bytes + at, change->bytes, len);
		break;
	case REMOVE:
		if (len > message->len - at)
			len = message->len - at;
		move_tail(message, at + len, at);
		break;
	case RENAME:
		message->bytes[0] = (uint8_t)change->at;
		break;
	case ADD:
		add(message, at, (uint8_t)len);
		break;
	default:
		break;
	}
}

static void set_length(struct middle_message *message, size_t lie)
{
	size_t len = message->len - HEAD_LEN + lie;

	message->bytes[1] = (uint8_t)(len >> 16);
	message->bytes[2] = (uint8_t)(len >> 8);
	message->bytes[3] = (uint8_t)len;
}

static void glue(struct middle_message *message, const struct change *change)
{
	if (change == NULL || change->len > MIDDLE_MESSAGE_MOST - message->len)
		return;
	memcpy(message->bytes + message->len, change->bytes, change->len);
	message->len += change->len;
}

/* How a message goes on, beside its bytes. */
struct manner {
	unsigned copies;
	size_t most; /* in a record */
	size_t lie;
	bool held;
	const struct change *glued;
};

static void apply(struct middle *middle, struct script *script, const struct change *change,
	struct middle_message *message, struct manner *manner)
{
	switch (change->what) {
	case DROP:
		manner->copies = 0;
		break;
	case REPEAT:
		manner->copies++;
		break;
	case LIE:
		manner->lie = change->at;
		break;
	case SPLIT:
		manner->most = change->len + 1;
		break;
	case RECORD:
		middle_send(middle, message->from, (enum record_type)(change->at & 0xff),
			change->bytes, change->len, RECORD_MAX_PLAINTEXT);
		/* RFC 5246 7.4.1.1: a HelloRequest is no part of what was said. */
		script->told_apart |= (change->at & 0xff) == RECORD_HANDSHAKE && change->len > 0 &&
				      change->bytes[0] != 0;
		break;
	case HOLD_BACK:
		manner->held = script->held_len[message->from] == 0;
		break;
	case GLUE:
		manner->glued = change;
		break;
	default:
		change_bytes(change, message);
	}
}

static void release(struct middle *middle, struct script *script, enum tls_role from)
{
	size_t len = script->held_len[from];

	script->held_len[from] = 0;
	if (len > 0)
		middle_send(middle, from, RECORD_HANDSHAKE, script->held[from], len,
			RECORD_MAX_PLAINTEXT);
}

static void on_message(struct middle *middle, struct middle_message *message, void *arg)
{
	static uint8_t meant[MIDDLE_MESSAGE_MOST];
	struct script *script = arg;
	struct manner manner = { 1, RECORD_MAX_PLAINTEXT, 0, false, NULL };
	unsigned target =
		(message->number & NUMBER_MASK) | (message->from == TLS_SERVER ? 0x80u : 0);
	size_t meant_len = message->len;

	memcpy(meant, message->bytes, meant_len);
	for (size_t i = 0; i < script->count; i++)
		if (script->changes[i].target == target)
			apply(middle, script, &script->changes[i], message, &manner);
	set_length(message, manner.lie);
	glue(message, manner.glued);
	script->told_apart |= manner.copies != 1 || message->len != meant_len ||
			      memcmp(meant, message->bytes, meant_len) != 0;
	if (manner.held) {
		memcpy(script->held[message->from], message->bytes, message->len);
		script->held_len[message->from] = message->len;
		return;
	}
	for (unsigned i = 0; i < manner.copies; i++)
		middle_send(middle, message->from, RECORD_HANDSHAKE, message->bytes, message->len,
			manner.most);
	release(middle, script, message->from);
}

static void complain(const struct middle_end ends[2], const char *what)
{
	for (int role = 0; role < 2; role++)
		fprintf(stderr, "%s: %d, alert %d sent, %d received, %s\n",
			role == TLS_CLIENT ? "client" : "server", ends[role].result,
			ends[role].said.alert_sent, ends[role].said.alert_received,
			ends[role].said.reason);
	fprintf(stderr, "%u and %u alerts\n", ends[0].alerts, ends[1].alerts);
	fprintf(stderr, "%s\n", what);
	abort();
}

static bool same_keys(const struct record_key *one, const struct record_key *other)
{
	return one->version == other->version && one->aead == other->aead &&
	       memcmp(one->key, other->key, sizeof one->key) == 0;
}

static void check_end(const struct middle_end ends[2], int role)
{
	const struct middle_end *end = &ends[role];

	if (end->result == -EAGAIN)
		complain(ends, "it does not end");
	if (end->result == 0)
		return;
	if (end->result != -EPROTO && end->result != -EKEYREJECTED && end->result != -ECONNRESET)
		complain(ends, "another error than is promised");
	if (end->said.reason[0] == '\0')
		complain(ends, "no reason is given");
	if (end->alerts != (end->said.alert_sent >= 0))
		complain(ends, "the alert that was sent is not the one that is told of");
	if (!end->said.by_peer && end->said.alert_sent < 0 &&
		strstr(end->said.reason, "does not speak TLS") == NULL)
		complain(ends, "the peer was not told why");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct script script;
	struct middle_end ends[2];

	if (len < 1)
		return 0;
	read_script(&script, data + 1, len - 1);
	middle_run(data[0] % FIXTURE_VARIANTS, on_message, &script, ends);
	for (int role = 0; role < 2; role++)
		check_end(ends, role);
	if (script.count == 0 && (ends[0].result != 0 || ends[1].result != 0))
		complain(ends, "nothing was changed, and they did not come together");
	/* What comes behind a Finished is the record layer's to refuse. */
	if (ends[0].result == 0 && ends[1].result == 0 && ends[0].read_all && ends[1].read_all &&
		(script.told_apart || !same_keys(&ends[0].send, &ends[1].receive) ||
			!same_keys(&ends[1].send, &ends[0].receive)))
		complain(ends, "both are through, and were told different things");
	for (int role = 0; role < 2; role++) {
		record_key_clear(&ends[role].send);
		record_key_clear(&ends[role].receive);
	}
	return 0;
}
