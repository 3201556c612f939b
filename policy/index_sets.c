/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sets of the index, each stored once: a list of ten thousand networks in one rule takes two.
 */
#include "policy/index_build.h"

#include "policy/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int table_grow(struct index_sets *sets)
{
	size_t size = sets->table_size > 0 ? sets->table_size * 2 : 64;
	uint32_t *table = calloc(size, sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < sets->table_size; i++) {
		size_t at;

		if (sets->table[i] == 0)
			continue;
		at = text_hash((const char *)(sets->words + sets->table[i] - 1),
			     sets->word_count * sizeof(uint64_t)) &
		     (size - 1);
		while (table[at] != 0)
			at = (at + 1) & (size - 1);
		table[at] = sets->table[i];
	}
	free(sets->table);
	sets->table = table;
	sets->table_size = size;
	return 0;
}

static int words_grow(struct index_sets *sets)
{
	size_t room = sets->room > 0 ? sets->room * 2 : 16 * sets->word_count;
	uint64_t *words;

	if (sets->used + sets->word_count <= sets->room)
		return 0;
	if (room * sizeof(*words) > INDEX_BYTES_MAX)
		return -E2BIG;
	words = realloc(sets->words, room * sizeof(*words));
	if (words == NULL)
		return -ENOMEM;
	sets->words = words;
	sets->room = room;
	return 0;
}

/* Where the set is stored, which may be where an equal one was stored before. */
int index_sets_store(struct index_sets *sets, const uint64_t *set, uint32_t *offset)
{
	size_t bytes = sets->word_count * sizeof(*set), at;
	int r = sets->table_used * 2 >= sets->table_size ? table_grow(sets) : 0;

	if (r == 0)
		r = words_grow(sets);
	if (r < 0)
		return r;
	at = text_hash((const char *)set, bytes) & (sets->table_size - 1);
	while (sets->table[at] != 0) {
		*offset = sets->table[at] - 1;
		if (memcmp(sets->words + *offset, set, bytes) == 0)
			return 0;
		at = (at + 1) & (sets->table_size - 1);
	}
	memcpy(sets->words + sets->used, set, bytes);
	*offset = (uint32_t)sets->used;
	sets->table[at] = *offset + 1;
	sets->table_used++;
	sets->used += sets->word_count;
	return 0;
}
