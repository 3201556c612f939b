/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small work on ASCII text. Nothing here depends on the locale that the host program may have set.
 */
#ifndef SEAMTLS_POLICY_TEXT_H
#define SEAMTLS_POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string that is written piece by piece into a fixed buffer; what does not fit is cut off. Always
 * terminated. */
struct text {
	char *buf;
	size_t len, size;
};

void text_init(struct text *text, char *buf, size_t size);
__attribute__((format(printf, 2, 3))) void text_add(struct text *text, const char *format, ...);

bool text_is_blank(char c); /* space or tab */
char text_lower(char c);
bool text_equal_nocase(const char *a, const char *b);

/* Whether the text is one decimal number of at most `max`. */
bool text_number(const char *text, size_t len, uint32_t max, uint32_t *out);

/* Cuts blanks off both ends. */
void text_trim(const char **text, size_t *len);

/* Shell patterns: * (also over '/'), ?, [a-z], [!a-z] and \c. Work is bounded by the product of the
 * lengths. */
bool text_glob_match(const char *pattern, const char *text);
bool text_is_glob(const char *pattern);

/* "Did you mean": offer every candidate, then ask for the nearest. */
struct text_nearest {
	const char *word;
	const char *best; /* NULL: none is near enough */
	unsigned distance;
};

void text_nearest_init(struct text_nearest *nearest, const char *word);
void text_nearest_offer(struct text_nearest *nearest, const char *candidate);

/* FNV-1a, for tables whose keys the policy's author chooses. */
uint32_t text_hash(const char *text, size_t len);

#endif
