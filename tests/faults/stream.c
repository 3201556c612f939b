/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stream.h"

#include <string.h>

#define STEPS_MOST 16
#define PRINTABLE_MOST 40
#define RECORD_LEN_MOST (16384 + 256)
#define CHANGE_CIPHER_SPEC 20
#define APPLICATION_DATA 23
#define HANDSHAKE 22

static bool is_printable(uint8_t byte)
{
	return (byte >= ' ' && byte <= '~') || byte == '\n' || byte == '\r' || byte == '\t';
}

const char *plain_runs_feed(struct plain_runs *runs, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t step = (uint8_t)(data[i] - runs->last);

		runs->steps = step == runs->step ? runs->steps + 1 : 1;
		runs->printable = is_printable(data[i]) ? runs->printable + 1 : 0;
		runs->last = data[i];
		runs->step = step;
		if (runs->steps >= STEPS_MOST)
			return "bytes in equal steps";
		if (runs->printable >= PRINTABLE_MOST)
			return "text";
	}
	return NULL;
}

static bool is_head(const uint8_t head[5])
{
	size_t len = (size_t)head[3] << 8 | head[4];

	return head[0] >= CHANGE_CIPHER_SPEC && head[0] <= APPLICATION_DATA && head[1] == 3 &&
	       head[2] >= 1 && head[2] <= 4 && len > 0 && len <= RECORD_LEN_MOST;
}

static size_t take_head(struct stream *stream, const uint8_t *data, size_t len)
{
	size_t part = sizeof(stream->head) - stream->head_len;

	if (part > len)
		part = len;
	memcpy(stream->head + stream->head_len, data, part);
	stream->head_len += part;
	return part;
}

/* Handshake messages may be in the clear, certificates and names with them; data may not. */
static const char *take_body(struct stream *stream, const uint8_t *data, size_t len)
{
	const char *problem = NULL;

	if (stream->head[0] == APPLICATION_DATA)
		problem = plain_runs_feed(&stream->runs, data, len);
	stream->left -= len;
	if (stream->left > 0)
		return problem;
	stream->records++;
	stream->head_len = 0;
	stream->runs = (struct plain_runs){ 0 };
	return problem;
}

static const char *take_records(struct stream *stream, const uint8_t *data, size_t len)
{
	const char *problem = NULL;

	while (len > 0 && problem == NULL) {
		size_t part;

		if (stream->left > 0) {
			part = len < stream->left ? len : stream->left;
			problem = take_body(stream, data, part);
		} else {
			part = take_head(stream, data, len);
			if (stream->head_len == sizeof(stream->head)) {
				if (!is_head(stream->head))
					problem = "no TLS record";
				stream->left = (size_t)stream->head[3] << 8 | stream->head[4];
			}
		}
		data += part;
		len -= part;
		stream->bytes += part;
	}
	return problem;
}

const char *stream_feed(struct stream *stream, const uint8_t *data, size_t len)
{
	if (!stream->began && stream->upgrades && len > 0 && (data[0] != HANDSHAKE)) {
		struct plain_runs runs = { 0 };
		const char *found = plain_runs_feed(&runs, data, len);

		/* The protocol's own words are text. */
		return found != NULL && strcmp(found, "text") != 0 ? found : NULL;
	}
	if (len > 0)
		stream->began = true;
	return take_records(stream, data, len);
}
