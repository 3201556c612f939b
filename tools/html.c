/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "html.h"
#include "text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_character(FILE *out, const char *text, size_t len, uint32_t code)
{
	if (code == '&')
		fputs("&amp;", out);
	else if (code == '<')
		fputs("&lt;", out);
	else if (code == '>')
		fputs("&gt;", out);
	else if (code == '"')
		fputs("&quot;", out);
	else if (code == '\'')
		fputs("&#39;", out);
	else if (text_is_plain(code))
		fwrite(text, 1, len, out);
	else
		for (size_t i = 0; i < len; i++)
			fprintf(out, "\\x%02X", (unsigned char)text[i]);
}

void html_text_cut(FILE *out, const char *text, size_t columns)
{
	while (*text != '\0') {
		uint32_t code;
		size_t len = text_next(text, &code);

		if (columns-- == 0) {
			fputs("\xe2\x80\xa6", out);
			return;
		}
		put_character(out, text, len, code);
		text += len;
	}
}

void html_text(FILE *out, const char *text)
{
	html_text_cut(out, text, SIZE_MAX);
}

void html_number(FILE *out, uint64_t number)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number);

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			putc(',', out);
		putc(digits[i], out);
	}
}

void html_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	html_text(out, text);
	fputs("</td>", out);
}

void html_cell_number(FILE *out, int64_t number)
{
	fputs(number < 0 ? "<td class=\"number\">-" : "<td class=\"number\">", out);
	html_number(out, (uint64_t)llabs(number));
	fputs("</td>", out);
}
