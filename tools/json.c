/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json.h"
#include "text.h"
#include <inttypes.h>

static void put_escape(FILE *out, uint32_t code)
{
	if (code > 0xffff) {
		code -= 0x10000;
		fprintf(out, "\\u%04x", (unsigned)(0xd800 | code >> 10));
		code = 0xdc00 | (code & 0x3ff);
	}
	fprintf(out, "\\u%04x", (unsigned)code);
}

static void put_string(FILE *out, const char *text)
{
	putc('"', out);
	for (;;) {
		uint32_t code;
		size_t len = text_simple(text);

		fwrite(text, 1, len, out);
		text += len;
		if (*text == '\0')
			break;
		len = text_next(text, &code);
		if (code == TEXT_INVALID)
			fputs("\xef\xbf\xbd", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else if (!text_is_plain(code))
			put_escape(out, code);
		else
			fwrite(text, 1, len, out);
		text += len;
	}
	putc('"', out);
}

static void put_key(struct json *json, const char *key)
{
	if (!json->first)
		putc(',', json->out);
	json->first = false;
	if (key == NULL)
		return;
	put_string(json->out, key);
	putc(':', json->out);
}

void json_begin(struct json *json, FILE *out)
{
	json->out = out;
	json->first = true;
	putc('{', out);
}

void json_end(struct json *json)
{
	fputs("}\n", json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
	put_key(json, key);
	putc(bracket, json->out);
	json->first = true;
}

void json_close(struct json *json, char bracket)
{
	putc(bracket, json->out);
	json->first = false;
}

void json_string(struct json *json, const char *key, const char *value)
{
	put_key(json, key);
	put_string(json->out, value);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	put_key(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_integer(struct json *json, const char *key, int64_t value)
{
	put_key(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	put_key(json, key);
	fputs(value ? "true" : "false", json->out);
}
