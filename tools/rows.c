/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables are as wide as their widest cell, so all formats wait for the last row. What is printed
 * comes from files and may be anything: control characters never reach the terminal.
 */
#include "rows.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rows_parse_format(const char *text, enum rows_format *out)
{
	static const char *const names[] = { "table", "json", "csv" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum rows_format)i;
			return true;
		}
	return false;
}

void rows_init(struct rows *rows, enum rows_format format, const char *const *names)
{
	*rows = (struct rows){ .format = format, .names = names };
	while (names[rows->columns] != NULL)
		rows->columns++;
}

int rows_add(struct rows *rows, const char *const *cells)
{
	char **grown = realloc(rows->cells, (rows->count + 1) * rows->columns * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	rows->cells = grown;
	grown += rows->count * rows->columns;
	for (size_t i = 0; i < rows->columns; i++) {
		grown[i] = strdup(cells[i]);
		if (grown[i] != NULL)
			continue;
		while (i > 0)
			free(grown[--i]);
		return -ENOMEM;
	}
	rows->count++;
	return 0;
}

/* The length of the UTF-8 sequence at `text`; 0: it is none. */
static size_t utf8_len(const unsigned char *text)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = text[0] < 0x80       ? 1
		     : text[0] >> 5 == 6  ? 2
		     : text[0] >> 4 == 14 ? 3
		     : text[0] >> 3 == 30 ? 4
					  : 0;
	uint32_t code = len > 1 ? text[0] & (0x7fu >> len) : text[0];

	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (len == 0 || code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}

void rows_print_json(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	putchar('"');
	while (*p != '\0') {
		size_t len = utf8_len(p);

		if (len == 0)
			fputs("\\ufffd", stdout);
		else if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < ' ' || *p == 0x7f)
			printf("\\u%04x", *p);
		else
			fwrite(p, 1, len, stdout);
		p += len > 0 ? len : 1;
	}
	putchar('"');
}

static void print_csv(const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) !=
			 0x80; /* bytes inside a UTF-8 sequence take no room */
	return width;
}

/* Blanks are printed when something follows them, so that no line ends in them. */
static void print_line(char *const *cells, const size_t *width, size_t columns)
{
	size_t blanks = 0;

	for (size_t i = 0; i < columns; i++) {
		if (cells[i][0] != '\0')
			for (; blanks > 0; blanks--)
				putchar(' ');
		for (const char *p = cells[i]; *p != '\0'; p++)
			putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
		blanks += width[i] + 2 - text_width(cells[i]);
	}
	putchar('\n');
}

static void print_table(const struct rows *rows)
{
	size_t width[ROWS_COLUMNS_MAX];

	for (size_t i = 0; i < rows->columns; i++) {
		width[i] = text_width(rows->names[i]);
		for (size_t row = 0; row < rows->count; row++) {
			size_t cell = text_width(rows->cells[row * rows->columns + i]);

			width[i] = cell > width[i] ? cell : width[i];
		}
	}
	print_line((char *const *)rows->names, width, rows->columns);
	for (size_t row = 0; row < rows->count; row++)
		print_line(rows->cells + row * rows->columns, width, rows->columns);
}

static void print_csv_rows(const struct rows *rows)
{
	for (size_t i = 0; i < rows->columns; i++)
		printf("%s%s", i > 0 ? "," : "", rows->names[i]);
	putchar('\n');
	for (size_t row = 0; row < rows->count; row++)
		for (size_t i = 0; i < rows->columns; i++) {
			print_csv(rows->cells[row * rows->columns + i]);
			putchar(i + 1 < rows->columns ? ',' : '\n');
		}
}

static void print_json_rows(const struct rows *rows)
{
	for (size_t row = 0; row < rows->count; row++) {
		const char *separator = "{";

		for (size_t i = 0; i < rows->columns; i++) {
			const char *cell = rows->cells[row * rows->columns + i];

			if (cell[0] == '\0')
				continue;
			printf("%s\"%s\":", separator, rows->names[i]);
			rows_print_json(cell);
			separator = ",";
		}
		puts("}");
	}
}

void rows_finish(struct rows *rows)
{
	if (rows->format == ROWS_TABLE)
		print_table(rows);
	else if (rows->format == ROWS_CSV)
		print_csv_rows(rows);
	else
		print_json_rows(rows);
	for (size_t i = 0; i < rows->count * rows->columns; i++)
		free(rows->cells[i]);
	free(rows->cells);
	rows->cells = NULL;
	rows->count = 0;
}
