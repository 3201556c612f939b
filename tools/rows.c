/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables are as wide as their widest cell, so all formats wait for the last row. What is printed
 * comes from files and may be anything: control characters never reach the terminal.
 */
#include "rows.h"
#include "text.h"

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

void rows_print_json(const char *text)
{
	putchar('"');
	while (*text != '\0') {
		uint32_t code;
		size_t len = text_next(text, &code);

		if (code == TEXT_INVALID)
			fputs("\\ufffd", stdout);
		else if (code == '"' || code == '\\')
			printf("\\%c", (char)code);
		else if (code < ' ' || code == 0x7f)
			printf("\\u%04x", (unsigned)code);
		else
			fwrite(text, 1, len, stdout);
		text += len;
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

	for (uint32_t code; *text != '\0'; width++)
		text += text_next(text, &code);
	return width;
}

/* What is not to be shown as it is takes one place, too. */
static void print_cell(const char *text)
{
	while (*text != '\0') {
		uint32_t code;
		size_t len = text_next(text, &code);

		if (text_is_plain(code))
			fwrite(text, 1, len, stdout);
		else
			putchar('?');
		text += len;
	}
}

/* Blanks are printed when something follows them, so that no line ends in them. */
static void print_line(char *const *cells, const size_t *width, size_t columns)
{
	size_t blanks = 0;

	for (size_t i = 0; i < columns; i++) {
		if (cells[i][0] != '\0')
			for (; blanks > 0; blanks--)
				putchar(' ');
		print_cell(cells[i]);
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
