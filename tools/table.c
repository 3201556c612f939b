/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "table.h"
#include "text.h"
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP 2
#define CELL_MAX 4096

static size_t terminal_width(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* What the columns take together. */
static size_t table_width(const struct table *table)
{
	size_t sum = 0;

	for (size_t i = 0; i < table->count; i++)
		sum += table->width[i] > 0 ? table->width[i] + GAP : 0;
	return sum > 0 ? sum - GAP : 0;
}

/* The column to leave out next. */
static size_t least_needed(const struct table *table)
{
	size_t found = 0;

	for (size_t i = 1; i < table->count; i++)
		if (table->width[i] > 0 &&
			(table->width[found] == 0 ||
				table->columns[i].rank > table->columns[found].rank))
			found = i;
	return found;
}

/* Gives `spare` to the columns in turn, and the rest to the last one. */
static void share_out(struct table *table, size_t spare)
{
	bool given = true;

	while (spare > 0 && given) {
		given = false;
		for (size_t i = 0; spare > 0 && i < table->count; i++) {
			if (table->width[i] == 0 || table->width[i] >= table->columns[i].want)
				continue;
			table->width[i]++;
			spare--;
			given = true;
		}
	}
	if (table->width[table->count - 1] > 0)
		table->width[table->count - 1] += spare;
}

void table_begin(struct table *table, const struct table_column *columns, size_t count, FILE *out,
	size_t total)
{
	if (total == 0)
		total = terminal_width(out);
	table->out = out;
	table->columns = columns;
	table->count = count;
	table->cut = total > 0;
	table->total = total;
	for (size_t i = 0; i < count; i++)
		table->width[i] = table->cut ? columns[i].least : columns[i].want;
	if (!table->cut)
		return;
	while (table_width(table) > total && least_needed(table) > 0)
		table->width[least_needed(table)] = 0;
	if (table_width(table) < total)
		share_out(table, total - table_width(table));
}

static size_t put_cell(const struct table *table, const char *text, size_t width)
{
	char safe[CELL_MAX];
	size_t taken, bytes;

	if (text == NULL)
		text = "-";
	text_safe(safe, sizeof safe, text);
	bytes = text_fit(safe, table->cut ? width : CELL_MAX, &taken);
	if (safe[bytes] == '\0') {
		fputs(safe, table->out);
		return taken;
	}
	bytes = text_fit(safe, width - 1, &taken);
	fwrite(safe, 1, bytes, table->out);
	fputs("\xe2\x80\xa6", table->out);
	return taken + 1;
}

/* Blanks are put when something follows them, so that no line ends in them. */
static void put_row(const struct table *table, const char *const *texts)
{
	size_t blanks = 0;

	for (size_t i = 0; i < table->count; i++) {
		size_t taken;

		if (table->width[i] == 0)
			continue;
		taken = 0;
		if (texts[i] == NULL || texts[i][0] != '\0') {
			fprintf(table->out, "%*s", (int)blanks, "");
			taken = put_cell(table, texts[i], table->width[i]);
			blanks = 0;
		}
		blanks += GAP + (taken < table->width[i] ? table->width[i] - taken : 0);
	}
	putc('\n', table->out);
}

void table_row(struct table *table, const char *const *texts)
{
	const char *shown[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < table->count; i++)
		shown[i] = texts[i] != NULL && texts[i][0] != '\0' ? texts[i] : NULL;
	put_row(table, shown);
}

/* How much of the text goes on a line of `width`: up to a blank, if there is one. */
static size_t line_of(const char *text, size_t width)
{
	size_t taken, bytes = text_fit(text, width, &taken), end = bytes;

	while (text[bytes] != '\0' && end > 0 && text[end] != ' ')
		end--;
	return end > 0 ? end : bytes;
}

void table_row_wrapped(struct table *table, const char *const *texts)
{
	size_t last = table->count - 1, width = table->cut ? table->width[last] : CELL_MAX;
	const char *shown[TABLE_COLUMNS_MAX];
	char safe[CELL_MAX], line[CELL_MAX];
	const char *rest = safe;

	memcpy(shown, texts, table->count * sizeof *shown);
	text_safe(safe, sizeof safe, texts[last]);
	do {
		size_t len = width > 0 ? line_of(rest, width) : strlen(rest);

		snprintf(line, sizeof line, "%.*s", (int)len, rest);
		shown[last] = line;
		put_row(table, shown);
		for (size_t i = 0; i < last; i++)
			shown[i] = "";
		rest += len + strspn(rest + len, " ");
	} while (*rest != '\0');
}

bool table_fits(const struct table *table, const char *text)
{
	char safe[CELL_MAX];
	size_t taken;

	text_fit(text_safe(safe, sizeof safe, text), sizeof safe, &taken);
	return !table->cut || taken <= table->width[table->count - 1];
}

void table_below(struct table *table, size_t indent, const char *text)
{
	size_t width = table->total > indent + 20 ? table->total - indent : CELL_MAX;
	char safe[CELL_MAX];

	for (const char *rest = text_safe(safe, sizeof safe, text); *rest != '\0';) {
		size_t len = line_of(rest, width);

		fprintf(table->out, "%*s%.*s\n", (int)indent, "", (int)len, rest);
		rest += len + strspn(rest + len, " ");
	}
}

void table_head(struct table *table)
{
	const char *names[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < table->count; i++)
		names[i] = table->columns[i].name;
	table_row(table, names);
}
