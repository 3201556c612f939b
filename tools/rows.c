/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables are as wide as their widest cell, so all formats wait for the last row. */
#include "rows.h"
#include "csv.h"
#include "json.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 4096
#define LEAST_WIDTH 16 /* on a terminal, of a column that is not narrower anyway */

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

/* Whether a column holds numbers, and its name. */
static const char *column_name(const struct rows *rows, size_t i, bool *number)
{
	*number = rows->names[i][0] == '#';
	return rows->names[i] + *number;
}

static bool is_number(const char *text)
{
	return *text != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) < 20;
}

/* --- table --- */

static size_t text_width(const char *text)
{
	char safe[CELL_MAX];
	size_t width;

	text_fit(text_safe(safe, sizeof safe, text), sizeof safe, &width);
	return width;
}

static void set_column(const struct rows *rows, size_t i, struct table_column *out)
{
	bool number;

	out->name = column_name(rows, i, &number);
	out->want = text_width(out->name);
	for (size_t row = 0; row < rows->count; row++) {
		size_t cell = text_width(rows->cells[row * rows->columns + i]);

		out->want = cell > out->want ? cell : out->want;
	}
	out->least = out->want < LEAST_WIDTH ? out->want : LEAST_WIDTH;
	out->rank = rows->ranks != NULL ? rows->ranks[i] : 0;
}

static void print_table(const struct rows *rows)
{
	struct table_column columns[ROWS_COLUMNS_MAX];
	const char *names[ROWS_COLUMNS_MAX];
	struct table table;

	for (size_t i = 0; i < rows->columns; i++) {
		set_column(rows, i, &columns[i]);
		names[i] = columns[i].name;
	}
	table_begin(&table, columns, rows->columns, stdout, 0);
	table_row_wrapped(&table, names);
	for (size_t row = 0; row < rows->count; row++)
		table_row_wrapped(&table, (const char *const *)rows->cells + row * rows->columns);
}

/* --- CSV and JSON --- */

static void print_csv(const struct rows *rows)
{
	struct csv csv;
	bool number;

	csv_begin(&csv, stdout);
	for (size_t i = 0; i < rows->columns; i++)
		csv_field(&csv, column_name(rows, i, &number));
	csv_end(&csv);
	for (size_t row = 0; row < rows->count; row++) {
		csv_begin(&csv, stdout);
		for (size_t i = 0; i < rows->columns; i++) {
			const char *cell = rows->cells[row * rows->columns + i];

			column_name(rows, i, &number);
			if (number && is_number(cell))
				csv_number(&csv, cell);
			else
				csv_field(&csv, cell[0] != '\0' ? cell : NULL);
		}
		csv_end(&csv);
	}
}

static void print_json(const struct rows *rows)
{
	for (size_t row = 0; row < rows->count; row++) {
		struct json json;

		json_begin(&json, stdout);
		for (size_t i = 0; i < rows->columns; i++) {
			const char *cell = rows->cells[row * rows->columns + i];
			bool number;
			const char *name = column_name(rows, i, &number);

			if (number && is_number(cell))
				json_number(&json, name, strtoull(cell, NULL, 10));
			else if (cell[0] != '\0')
				json_string(&json, name, cell);
		}
		json_end(&json);
	}
}

void rows_finish(struct rows *rows)
{
	if (rows->format == ROWS_TABLE)
		print_table(rows);
	else if (rows->format == ROWS_CSV)
		print_csv(rows);
	else
		print_json(rows);
	for (size_t i = 0; i < rows->count * rows->columns; i++)
		free(rows->cells[i]);
	free(rows->cells);
	rows->cells = NULL;
	rows->count = 0;
}
