/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each direction for itself: what begins it, and, while it is in the clear, what begins each call.
 * Who upgrades to TLS waits for the answer first, so that his ClientHello begins a call. The two
 * are then looked at together.
 */
#include "tls/peer.h"
#include "tls/recognise_private.h"
#include <stdlib.h>
#include <string.h>

#define CLEAR_MOST 16384   /* of bytes in the clear, in which an upgrade may come */
#define PASSED_MOST 262144 /* of bytes of any kind */
#define RECORD_MOST (RECORD_MAX_PLAINTEXT + 2048) /* RFC 5246 6.2.3 */
#define ANSWER_LEN 16 /* enough to name what answers a handshake in the clear */
#define RECORD_VERSION_MAJOR 3
#define RECORD_VERSION_MINOR_MOST 4
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define SSH_MARK "SSH-"
#define SSH_MARK_LEN 4

enum match { NO, PERHAPS, TLS, SSH, BEGUN };

struct recogniser *recogniser_new(void)
{
	struct recogniser *recogniser = calloc(1, sizeof *recogniser);

	if (recogniser == NULL)
		return NULL;
	recogniser->result.resumed = -1;
	recogniser->result.alert[RECOGNISE_SENT] = recogniser->result.alert[RECOGNISE_RECEIVED] =
		-1;
	return recogniser;
}

static void drop_messages(struct recogniser *recogniser)
{
	for (int way = 0; way < RECOGNISE_WAYS; way++) {
		free(recogniser->ways[way].message);
		recogniser->ways[way].message = NULL;
	}
}

void recogniser_free(struct recogniser *recogniser)
{
	if (recogniser == NULL)
		return;
	drop_messages(recogniser);
	peer_clear(&recogniser->result.peer);
	free(recogniser);
}

static void decide(struct recogniser *recogniser)
{
	recogniser->decided = true;
	drop_messages(recogniser);
}

/* --- What begins a direction, or a call */

static enum match match_tls(const uint8_t *head, size_t len, bool answers)
{
	if (head[0] != RECORD_HANDSHAKE && head[0] != RECORD_APPLICATION_DATA &&
		(head[0] != RECORD_ALERT || !answers))
		return NO;
	if ((len > 1 && head[1] != RECORD_VERSION_MAJOR) ||
		(len > 2 && head[2] > RECORD_VERSION_MINOR_MOST) ||
		(len > 3 && head[3] > RECORD_MOST >> 8))
		return NO;
	if (len < HEAD_LEN)
		return PERHAPS;
	if (head[0] == RECORD_APPLICATION_DATA)
		return BEGUN;
	if (head[0] == RECORD_ALERT)
		return TLS;
	return head[5] == CLIENT_HELLO || head[5] == SERVER_HELLO ? TLS : NO;
}

static enum match match(const uint8_t *head, size_t len, bool answers)
{
	if (memcmp(head, SSH_MARK, len < SSH_MARK_LEN ? len : SSH_MARK_LEN) == 0)
		return len < SSH_MARK_LEN ? PERHAPS : SSH;
	return match_tls(head, len, answers);
}

/* --- In the clear */

static void sample(struct way *way, const uint8_t *data, size_t len)
{
	size_t room = SAMPLE_LEN - way->sample_len, count = len < room ? len : room;

	memcpy(way->sample + way->sample_len, data, count);
	way->sample_len += count;
}

static void take_clear(
	struct recogniser *recogniser, struct way *way, const uint8_t *data, size_t len)
{
	struct recognition *result = &recogniser->result;
	bool final = false;

	if (len == 0)
		return;
	way->state = WAY_CLEAR;
	if (result->protocol == RECOGNISED_NOTHING || result->protocol == RECOGNISED_UNKNOWN)
		result->protocol = RECOGNISED_CLEAR;
	recogniser->clear += len;
	if (way->sample_len < SAMPLE_LEN) {
		sample(way, data, len);
		if (!result->upgraded)
			result->application = recognise_application(recogniser, &final);
	}
	if (recogniser->clear >= CLEAR_MOST || final)
		decide(recogniser);
	/* Somebody answers a handshake that was there from the beginning with something else. */
	if (result->protocol == RECOGNISED_TLS && !result->upgraded)
		result->protocol = RECOGNISED_CLEAR;
	if (recogniser->client_hello && !result->upgraded && way->sample_len >= ANSWER_LEN)
		decide(recogniser);
}

/* --- SSH */

static bool has_banner(const struct way *way)
{
	return way->state == WAY_DONE && way->banner_len > 0;
}

/* A line, whose end may be missing. */
static void take_ssh(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct way *way = &recogniser->ways[at];
	char *banner = recogniser->result.banner[at];

	way->state = WAY_SSH;
	recogniser->result.protocol = RECOGNISED_SSH;
	for (size_t i = 0; i < len && way->state == WAY_SSH; i++) {
		if (data[i] == '\n' || data[i] == '\0' ||
			way->banner_len == RECOGNISE_BANNER_LEN - 1)
			way->state = WAY_DONE;
		else if (data[i] != '\r')
			banner[way->banner_len++] = (char)data[i];
	}
	if (has_banner(&recogniser->ways[RECOGNISE_SENT]) &&
		has_banner(&recogniser->ways[RECOGNISE_RECEIVED]))
		decide(recogniser);
}

/* --- */

static void begin_tls(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct recognition *result = &recogniser->result;
	struct way *way = &recogniser->ways[at];
	uint8_t head[HEAD_LEN];
	size_t head_len = way->head_len;

	memcpy(head, way->head, head_len);
	way->head_len = 0;
	if (result->protocol != RECOGNISED_TLS)
		result->upgraded = recogniser->clear > 0;
	result->protocol = RECOGNISED_TLS;
	way->state = WAY_TLS;
	recognise_tls(recogniser, at, head, head_len);
	recognise_tls(recogniser, at, data, len);
}

static bool other_speaks_tls(const struct recogniser *recogniser)
{
	return recogniser->result.protocol == RECOGNISED_TLS;
}

static void give_up_head(struct recogniser *recogniser, struct way *way)
{
	uint8_t head[HEAD_LEN];
	size_t len = way->head_len;

	memcpy(head, way->head, len);
	way->head_len = 0;
	take_clear(recogniser, way, head, len);
}

/* What may be the beginning of something is kept until it is, or is not. */
static void begin(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	struct way *way = &recogniser->ways[at];
	enum match found = PERHAPS;

	/* PostgreSQL's answer is an S. */
	if (way->head_len > 0 && way->head[0] != data[0] && data[0] == RECORD_HANDSHAKE)
		give_up_head(recogniser, way);
	while (len > 0 && found == PERHAPS) {
		way->head[way->head_len++] = *data++;
		len--;
		found = match(way->head, way->head_len, other_speaks_tls(recogniser));
	}
	if (found == TLS) {
		begin_tls(recogniser, at, data, len);
	} else if (found == SSH) {
		way->head_len = 0;
		take_ssh(recogniser, at, (const uint8_t *)SSH_MARK, SSH_MARK_LEN);
		take_ssh(recogniser, at, data, len);
	} else if (found == BEGUN && other_speaks_tls(recogniser)) {
		way->state = WAY_DONE;
	} else if (found == BEGUN) {
		recogniser_gap(recogniser, RECOGNISE_SENT);
		recogniser_gap(recogniser, RECOGNISE_RECEIVED);
	} else if (found == NO) {
		give_up_head(recogniser, way);
		if (!recogniser->decided)
			take_clear(recogniser, way, data, len);
	} else if (recogniser->result.protocol == RECOGNISED_NOTHING) {
		recogniser->result.protocol = RECOGNISED_UNKNOWN;
	}
}

/* Behind a gap. */
static void begin_behind(
	struct recogniser *recogniser, enum recognise_way at, const uint8_t *data, size_t len)
{
	enum match found = PERHAPS;

	for (size_t n = 1; n <= len && n <= HEAD_LEN && found == PERHAPS; n++)
		found = match(data, n, other_speaks_tls(recogniser));
	if (found == TLS || found == SSH) {
		begin(recogniser, at, data, len);
	} else if (recognise_is_named(data, len)) {
		recogniser->ways[at].sample_len = 0;
		take_clear(recogniser, &recogniser->ways[at], data, len);
	}
}

bool recogniser_take(
	struct recogniser *recogniser, enum recognise_way way, const uint8_t *data, size_t len)
{
	if (recogniser->decided || len == 0)
		return recogniser->decided;
	recogniser->passed += len;
	switch (recogniser->ways[way].state) {
	case WAY_NEW:
	case WAY_CLEAR:
		if (recogniser->ways[way].gap)
			begin_behind(recogniser, way, data, len);
		else
			begin(recogniser, way, data, len);
		break;
	case WAY_SSH:
		take_ssh(recogniser, way, data, len);
		break;
	case WAY_TLS:
		recognise_tls(recogniser, way, data, len);
		break;
	case WAY_DONE:
		break;
	}
	if (recogniser->decided || recogniser->passed > PASSED_MOST)
		decide(recogniser);
	return recogniser->decided;
}

static bool is_seen_in_clear(const struct way *way)
{
	return way->state == WAY_CLEAR && !way->gap;
}

void recogniser_gap(struct recogniser *recogniser, enum recognise_way at)
{
	struct recognition *result = &recogniser->result;
	struct way *way = &recogniser->ways[at], *other = &recogniser->ways[!at];

	if (recogniser->decided)
		return;
	way->gap = true;
	way->head_len = 0;
	if (way->state == WAY_TLS || way->state == WAY_SSH)
		way->state = WAY_DONE;
	free(way->message);
	way->message = NULL;
	if (result->protocol == RECOGNISED_NOTHING ||
		(result->protocol == RECOGNISED_CLEAR && result->suite == 0 &&
			!is_seen_in_clear(other)))
		result->protocol = RECOGNISED_UNKNOWN;
}

bool recogniser_has_gap(const struct recogniser *recogniser)
{
	return recogniser->ways[RECOGNISE_SENT].gap || recogniser->ways[RECOGNISE_RECEIVED].gap;
}

bool recogniser_presumes_clear(const struct recogniser *recogniser)
{
	return recogniser->result.protocol == RECOGNISED_CLEAR && recogniser->result.suite == 0 &&
	       recogniser->result.application == NULL;
}

void recogniser_end(struct recogniser *recogniser)
{
	decide(recogniser);
}

const struct recognition *recogniser_result(const struct recogniser *recogniser)
{
	return &recogniser->result;
}

const char *recognised_name(enum recognised protocol)
{
	static const char *const names[] = {
		[RECOGNISED_NOTHING] = "none",
		[RECOGNISED_TLS] = "tls",
		[RECOGNISED_SSH] = "ssh",
		[RECOGNISED_CLEAR] = "clear",
		[RECOGNISED_UNKNOWN] = "unknown",
	};

	return names[protocol];
}
