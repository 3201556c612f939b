/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes that a case and its peer send each other: by their place in the stream. */
#ifndef TRANSPARENCY_PATTERN_H
#define TRANSPARENCY_PATTERN_H

#include <stddef.h>
#include <stdint.h>

static inline uint8_t pattern_at(uint64_t place)
{
	return (uint8_t)(place * 7 + (place >> 8) * 13 + (place >> 16));
}

static inline void pattern_fill(uint8_t *buf, size_t len, uint64_t place)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern_at(place + i);
}

/* How many bytes from the front are as they should be. */
static inline size_t pattern_match(const uint8_t *buf, size_t len, uint64_t place)
{
	size_t good = 0;

	while (good < len && buf[good] == pattern_at(place + good))
		good++;
	return good;
}

#endif
