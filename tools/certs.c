/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "certs.h"
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct cert_row *)a)->key, ((const struct cert_row *)b)->key);
}

static void row_free(void *item)
{
	struct cert_row *row = item;

	free(row->key);
	free(row->rule);
	free(row->peer);
	free(row->subject);
	free(row->issuer);
	free(row);
}

void certs_clear(struct certs *certs)
{
	tdestroy(certs->tree, row_free);
	memset(certs, 0, sizeof *certs);
}

struct listing {
	const struct cert_row **rows;
	size_t count;
};

static void list_row(const void *node, VISIT visit, void *arg)
{
	struct listing *listing = arg;

	if (visit == postorder || visit == leaf)
		listing->rows[listing->count++] = *(const struct cert_row *const *)node;
}

static int compare_ends(const void *a, const void *b)
{
	const struct cert_row *x = *(const struct cert_row *const *)a;
	const struct cert_row *y = *(const struct cert_row *const *)b;

	if (x->not_after != y->not_after)
		return x->not_after < y->not_after ? -1 : 1;
	return strcmp(x->key, y->key);
}

int certs_sort(const struct certs *certs, const struct cert_row ***out)
{
	struct listing listing = { calloc(certs->count + 1, sizeof(void *)), 0 };

	*out = listing.rows;
	if (listing.rows == NULL)
		return -ENOMEM;
	twalk_r(certs->tree, list_row, &listing);
	qsort(listing.rows, listing.count, sizeof(void *), compare_ends);
	return 0;
}

static int shrink(struct certs *certs)
{
	const struct cert_row **rows;
	size_t count = certs->count;
	int r = certs_sort(certs, &rows);

	for (size_t i = count / 2; r == 0 && i < count; i++) {
		tdelete(rows[i], &certs->tree, compare_keys);
		row_free((struct cert_row *)rows[i]);
		certs->count--;
		certs->dropped++;
	}
	free(rows);
	return r;
}

/* Replaces *to. 0; -ENOMEM. */
static int set(char **to, const char *text)
{
	char *copy;

	if (text == NULL)
		text = "";
	if (*to != NULL && strcmp(*to, text) == 0)
		return 0;
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static struct cert_row *row_for(struct certs *certs, char *key)
{
	const struct cert_row wanted = { .key = key };
	struct cert_row **found = tfind(&wanted, &certs->tree, compare_keys), *row;

	if (found != NULL)
		return *found;
	if (certs->count == CERTS_MAX && shrink(certs) < 0)
		return NULL;
	row = calloc(1, sizeof *row);
	if (row == NULL)
		return NULL;
	row->key = strdup(key);
	if (row->key == NULL || tsearch(row, &certs->tree, compare_keys) == NULL) {
		row_free(row);
		return NULL;
	}
	certs->count++;
	return row;
}

int certs_add(struct certs *certs, const struct audit_event *event, const char *peer)
{
	const char *rule = event->rule != NULL ? event->rule : "";
	struct cert_row *row;
	char *key;

	if (event->peer_not_after == AUDIT_ABSENT)
		return 0;
	if (asprintf(&key, "%s\n%s", rule, peer) < 0)
		return -ENOMEM;
	row = row_for(certs, key);
	free(key);
	if (row == NULL || set(&row->rule, rule) < 0 || set(&row->peer, peer) < 0 ||
		set(&row->subject, event->peer_subject) < 0 ||
		set(&row->issuer, event->peer_issuer) < 0)
		return -ENOMEM;
	row->not_after = event->peer_not_after;
	row->seen_us = event->time_us;
	return 0;
}
