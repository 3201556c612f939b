/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "text.h"
#include <stdio.h>
#include <string.h>

/* RFC 3629, 4: what a character of this many bytes begins with, and the least code it may have. */
static const struct {
	uint8_t mask, lead;
	uint32_t least;
} forms[] = {
	{ 0x80, 0x00, 0 },
	{ 0xe0, 0xc0, 0x80 },
	{ 0xf0, 0xe0, 0x800 },
	{ 0xf8, 0xf0, 0x10000 },
};

size_t text_next(const char *text, uint32_t *code)
{
	uint8_t first = (uint8_t)text[0];
	uint32_t value;
	size_t len = 0;

	*code = TEXT_INVALID;
	while (len < 4 && (first & forms[len].mask) != forms[len].lead)
		len++;
	if (len == 4)
		return 1;
	value = first & (uint8_t)~forms[len].mask;
	for (size_t i = 1; i <= len; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | ((uint8_t)text[i] & 0x3f);
	}
	if (value < forms[len].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 1;
	*code = value;
	return len + 1;
}

size_t text_simple(const char *text)
{
	size_t len = 0;

	while (text[len] >= 0x20 && text[len] < 0x7f && text[len] != '"' && text[len] != '\\')
		len++;
	return len;
}

bool text_is_plain(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} refused[] = {
		{ 0, 0x1f },
		{ 0x7f, 0x9f },     /* DEL and C1, of which some are escape sequences */
		{ 0x61c, 0x61c },   /* the marks and overrides of direction */
		{ 0x200b, 0x200f }, /* and what takes no room */
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0xfeff, 0xfeff },
		{ 0xe0000, 0xe007f },
		{ TEXT_INVALID, TEXT_INVALID },
	};

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (code >= refused[i].first && code <= refused[i].last)
			return false;
	return true;
}

const char *text_safe(char *out, size_t len, const char *text)
{
	char *at = out, *end = out + len;

	while (*text != '\0') {
		uint32_t code;
		size_t n = text_next(text, &code);
		bool plain = text_is_plain(code);

		if ((size_t)(end - at) <= (plain ? n : 4 * n))
			break;
		for (size_t i = 0; i < n; i++) {
			if (plain)
				*at++ = text[i];
			else
				at += snprintf(at, (size_t)(end - at), "\\x%02X", (uint8_t)text[i]);
		}
		text += n;
	}
	*at = '\0';
	return out;
}

size_t text_fit(const char *text, size_t columns, size_t *taken)
{
	size_t bytes = 0;
	uint32_t code;

	for (*taken = 0; *taken < columns && text[bytes] != '\0'; ++*taken)
		bytes += text_next(text + bytes, &code);
	return bytes;
}
