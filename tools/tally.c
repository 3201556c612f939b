/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tally.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct tally_row *)a)->name, ((const struct tally_row *)b)->name);
}

uint64_t tally_connections(const struct tally_row *row)
{
	uint64_t count = 0;

	for (int what = 0; what < TALLY_BYTES_IN; what++)
		count += row->count[what];
	return count;
}

static void row_free(void *item)
{
	struct tally_row *row = item;

	free(row->name);
	free(row);
}

void tally_clear(struct tally *tally)
{
	tdestroy(tally->tree, row_free);
	memset(tally, 0, sizeof *tally);
}

/* --- in order --- */

struct listing {
	const struct tally_row **rows;
	size_t count;
};

static void list_row(const void *node, VISIT visit, void *arg)
{
	struct listing *listing = arg;

	if (visit == postorder || visit == leaf)
		listing->rows[listing->count++] = *(const struct tally_row *const *)node;
}

/* `what` decides, then all connections, then the name. */
static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct tally_row *x = *(const struct tally_row *const *)a;
	const struct tally_row *y = *(const struct tally_row *const *)b;
	enum tally_what what = *(const enum tally_what *)arg;

	if (x->count[what] != y->count[what])
		return x->count[what] > y->count[what] ? -1 : 1;
	if (tally_connections(x) != tally_connections(y))
		return tally_connections(x) > tally_connections(y) ? -1 : 1;
	return strcmp(x->name, y->name);
}

static const struct tally_row **sorted(const struct tally *tally, enum tally_what what)
{
	struct listing listing = { calloc(tally->names + 1, sizeof(void *)), 0 };

	if (listing.rows == NULL)
		return NULL;
	twalk_r(tally->tree, list_row, &listing);
	qsort_r(listing.rows, listing.count, sizeof(void *), compare_rows, &what);
	return listing.rows;
}

static uint64_t anything(const struct tally_row *row)
{
	return tally_connections(row) + row->count[TALLY_BYTES_IN] + row->count[TALLY_BYTES_OUT];
}

int tally_sort(const struct tally *tally, enum tally_what what, const struct tally_row ***out,
	size_t *count)
{
	*count = 0;
	*out = sorted(tally, what);
	if (*out == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < tally->names; i++)
		if (anything((*out)[i]) > 0)
			(*out)[(*count)++] = (*out)[i];
	if (anything(&tally->other) > 0)
		(*out)[(*count)++] = &tally->other;
	return 0;
}

/* --- counting --- */

static void fold(struct tally *tally, struct tally_row *row)
{
	for (int i = 0; i < TALLY_WHATS; i++)
		tally->other.count[i] += row->count[i];
	tdelete(row, &tally->tree, compare_names);
	row_free(row);
	tally->names--;
}

/* Makes room: the half that has the least connections goes. 0; -ENOMEM. */
static int shrink(struct tally *tally)
{
	const struct tally_row **rows = sorted(tally, TALLY_CLEAR);
	size_t count = tally->names;

	if (rows == NULL)
		return -ENOMEM;
	for (size_t i = count / 2; i < count; i++)
		fold(tally, (struct tally_row *)rows[i]);
	free(rows);
	return 0;
}

const struct tally_row *tally_find(const struct tally *tally, const char *name)
{
	const struct tally_row key = { .name = (char *)name };
	struct tally_row *const *found = tfind(&key, &tally->tree, compare_names);

	return found != NULL ? *found : NULL;
}

static struct tally_row *new_row(struct tally *tally, const char *name)
{
	struct tally_row *row = calloc(1, sizeof *row);

	if (row == NULL)
		return NULL;
	row->name = strdup(name);
	if (row->name == NULL || tsearch(row, &tally->tree, compare_names) == NULL) {
		row_free(row);
		return NULL;
	}
	tally->names++;
	return row;
}

int tally_add(struct tally *tally, const char *name, enum tally_what what, uint64_t count)
{
	static char other[] = TALLY_OTHER;
	struct tally_row *row = (struct tally_row *)tally_find(tally, name);

	tally->other.name = other;
	if (strcmp(name, other) == 0)
		row = &tally->other;
	if (row == NULL && tally->names == TALLY_NAMES_MAX && shrink(tally) < 0)
		return -ENOMEM;
	if (row == NULL)
		row = new_row(tally, name);
	if (row == NULL)
		return -ENOMEM;
	row->count[what] += count;
	return 0;
}

void tally_move(struct tally *tally, const char *name, enum tally_what from, enum tally_what to)
{
	struct tally_row *row = (struct tally_row *)tally_find(tally, name);

	/* It may have become one of the others meanwhile. */
	if (row == NULL || row->count[from] == 0)
		row = &tally->other;
	if (row->count[from] == 0)
		return;
	row->count[from]--;
	row->count[to]++;
}

void tally_give(struct tally *tally, const char *from, const char *to, enum tally_what what)
{
	struct tally_row *row = (struct tally_row *)tally_find(tally, from);

	/* No memory for another row: it stays where it was. */
	if (row == NULL || row->count[what] == 0 || tally_add(tally, to, what, 1) < 0)
		return;
	row->count[what]--;
}
