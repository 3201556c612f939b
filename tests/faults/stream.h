/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bytes that one end of a protected connection sends: nothing but TLS records, and nothing in
 * them that reads like plaintext. Knows no sockets: fed by who watches system calls, and by who
 * reads a capture.
 */
#ifndef FAULTS_STREAM_H
#define FAULTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What encrypted bytes are not, whatever the program sends: a run in equal steps (the pattern of
 * the transparency cases, zeros), or of printable characters. For either the odds in random bytes
 * are below 1 in 10^16. */
struct plain_runs {
	uint8_t last, step;
	unsigned steps, printable;
};

/* NULL, or what was found. */
const char *plain_runs_feed(struct plain_runs *runs, const uint8_t *data, size_t len);

struct stream {
	bool upgrades; /* a protocol's own words come first (STARTTLS) */
	bool began;
	uint8_t head[5];
	size_t head_len, left; /* of the record that is under way */
	uint64_t records, bytes;
	struct plain_runs runs;
};

/* What one call sends: NULL, or what is wrong with it. */
const char *stream_feed(struct stream *stream, const uint8_t *data, size_t len);

#endif
