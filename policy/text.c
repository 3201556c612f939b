/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small work on ASCII text; see text.h. */
#include "policy/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NEAREST_MAX 64 /* characters; longer words are no typing errors of ours */

void text_init(struct text *text, char *buf, size_t size)
{
	text->buf = buf;
	text->len = 0;
	text->size = size;
	if (size > 0)
		buf[0] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->len;
	va_list args;
	int n;

	if (room <= 1)
		return;
	va_start(args, format);
	n = vsnprintf(text->buf + text->len, room, format, args);
	va_end(args);
	if (n < 0)
		text->buf[text->len] = '\0';
	else
		text->len += (size_t)n < room ? (size_t)n : room - 1;
}

bool text_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

char text_lower(char c)
{
	if (c < 'A' || c > 'Z')
		return c;
	return (char)(c + ('a' - 'A'));
}

bool text_equal_nocase(const char *a, const char *b)
{
	while (*a != '\0' && text_lower(*a) == text_lower(*b)) {
		a++;
		b++;
	}
	return text_lower(*a) == text_lower(*b);
}

bool text_number(const char *text, size_t len, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value > max)
			return false;
	}
	*out = (uint32_t)value;
	return true;
}

void text_trim(const char **text, size_t *len)
{
	while (*len > 0 && text_is_blank((*text)[0])) {
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && text_is_blank((*text)[*len - 1]))
		(*len)--;
}

/* Steps over the set that begins at the '[' in `pattern`; NULL if it has no end, so that the '['
 * stands for itself. */
static const char *match_set(const char *pattern, char c, bool *matched)
{
	const char *p = pattern + 1;
	bool negated = *p == '!' || *p == '^';
	bool found = false;

	if (negated)
		p++;
	for (const char *first = p; *p != ']' || p == first; p++) {
		unsigned char low = (unsigned char)*p, high = low;

		if (*p == '\0')
			return NULL;
		if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
			high = (unsigned char)p[2];
			p += 2;
		}
		if ((unsigned char)c >= low && (unsigned char)c <= high)
			found = true;
	}
	*matched = found != negated;
	return p + 1;
}

/* Matches one character; returns the pattern behind it, or NULL. */
static const char *match_one(const char *pattern, char c)
{
	const char *next;
	bool matched;

	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[') {
		next = match_set(pattern, c, &matched);
		if (next != NULL)
			return matched ? next : NULL;
	}
	if (*pattern == '\\' && pattern[1] != '\0')
		pattern++;
	return *pattern == c ? pattern + 1 : NULL;
}

bool text_glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		const char *next;

		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
			continue;
		}
		next = *pattern != '\0' ? match_one(pattern, *text) : NULL;
		if (next != NULL) {
			pattern = next;
			text++;
		} else if (star != NULL) {
			pattern = star; /* the last star takes one more; earlier ones need not be
					   tried again */
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool text_is_glob(const char *pattern)
{
	return strpbrk(pattern, "*?[\\") != NULL;
}

void text_nearest_init(struct text_nearest *nearest, const char *word)
{
	size_t len = strlen(word);

	nearest->word = word;
	nearest->best = NULL;
	nearest->distance =
		len < 3 ? 1 : (unsigned)(len / 3 + 2); /* the first distance that is too far */
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions, changes and swaps of neighbours. Three rows of the matrix are all that is
 * looked at. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][NEAREST_MAX + 1];

	for (unsigned j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned *now = rows[i % 3], *above = rows[(i + 2) % 3],
			 *above2 = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned cost = text_lower(a[i - 1]) != text_lower(b[j - 1]);

			now[j] = min3(above[j] + 1, now[j - 1] + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				above2[j - 2] + 1 < now[j])
				now[j] = above2[j - 2] + 1;
		}
	}
	return rows[a_len % 3][b_len];
}

void text_nearest_offer(struct text_nearest *nearest, const char *candidate)
{
	size_t word_len = strlen(nearest->word), len = strlen(candidate);
	unsigned distance;

	if (word_len == 0 || word_len > NEAREST_MAX || len > NEAREST_MAX)
		return;
	distance = edit_distance(nearest->word, word_len, candidate, len);
	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->best = candidate;
	}
}

uint32_t text_hash(const char *text, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
}
