/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "csv.h"
#include "text.h"
#include <string.h>

void csv_begin(struct csv *csv, FILE *out)
{
	csv->out = out;
	csv->first = true;
}

/* A blank does not keep a spreadsheet from looking behind it. */
static bool is_formula(const char *text)
{
	text += strspn(text, " ");
	return *text != '\0' && strchr("=+-@", *text) != NULL;
}

static void put_character(FILE *out, const char *text, size_t len, uint32_t code)
{
	if (code == '"')
		fputs("\"\"", out);
	else if (text_is_plain(code))
		fwrite(text, 1, len, out);
	else
		for (size_t i = 0; i < len; i++)
			fprintf(out, "\\x%02X", (unsigned char)text[i]);
}

void csv_field(struct csv *csv, const char *text)
{
	if (!csv->first)
		putc(',', csv->out);
	csv->first = false;
	if (text == NULL)
		return;
	putc('"', csv->out);
	if (is_formula(text))
		putc('\'', csv->out);
	for (;;) {
		uint32_t code;
		size_t len = text_simple(text);

		fwrite(text, 1, len, csv->out);
		text += len;
		if (*text == '\0')
			break;
		len = text_next(text, &code);

		put_character(csv->out, text, len, code);
		text += len;
	}
	putc('"', csv->out);
}

void csv_number(struct csv *csv, const char *digits)
{
	fprintf(csv->out, "%s%s", csv->first ? "" : ",", digits);
	csv->first = false;
}

void csv_end(struct csv *csv)
{
	fputs("\r\n", csv->out);
}
