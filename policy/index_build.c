/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building the index: who does not ask for what, directions, names; numbers are in index_ranges.c.
 */
#include "policy/index_build.h"

#include "policy/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t index_host_hash(const char *star, const char *name, size_t len)
{
	return text_hash(name, len) ^ (star[0] != '\0' ? 0x9e3779b9u : 0);
}

static void set_rule(uint64_t *set, size_t rule)
{
	set[rule / 64] |= (uint64_t)1 << rule % 64;
}

/* The rules that do not have each condition, and those that are for each mask of directions. */
static int build_given(struct policy_index *index, struct index_sets *sets, uint64_t *now)
{
	size_t bytes = index->word_count * sizeof(*now);
	int r = 0;

	for (unsigned id = 0; r == 0 && id < CONDITION_COUNT; id++) {
		memset(now, 0, bytes);
		for (size_t i = 0; i < index->rule_count; i++)
			if ((conditions_given(index->rules[i].conditions) & CONDITION_BIT(id)) == 0)
				set_rule(now, i);
		r = index_sets_store(sets, now, &index->any[id]);
	}
	for (unsigned mask = 0; r == 0 && mask < 4; mask++) {
		memset(now, 0, bytes);
		for (size_t i = 0; i < index->rule_count; i++) {
			const struct condition_direction *direction =
				&index->rules[i].conditions->direction;

			if (direction->text == NULL || (direction->mask & mask) != 0)
				set_rule(now, i);
		}
		r = index_sets_store(sets, now, &index->direction[mask]);
	}
	return r;
}

static int build_memos(struct policy_index *index, uint32_t all)
{
	if (index->any[CONDITION_PROGRAM] != all) {
		index->programs = index_memos_new(index->word_count);
		if (index->programs == NULL)
			return -ENOMEM;
	}
	if (index->any[CONDITION_LABEL] != all) {
		index->labels = index_memos_new(index->word_count);
		if (index->labels == NULL)
			return -ENOMEM;
	}
	return 0;
}

static struct index_host *host_slot(struct policy_index *index, const char *pattern)
{
	bool star = pattern[0] == '*';
	uint32_t hash = index_host_hash(star ? "*" : "", pattern + star, strlen(pattern + star));
	size_t at = hash & (index->host_size - 1);

	while (index->hosts[at].name != NULL &&
		(index->hosts[at].hash != hash || strcmp(index->hosts[at].name, pattern) != 0))
		at = (at + 1) & (index->host_size - 1);
	index->hosts[at].hash = hash;
	index->hosts[at].name = pattern;
	return &index->hosts[at];
}

/* Rules are added in their order; what a name has so far is a stored set, and stays one if it is of
 * no more use. */
static int add_hosts(
	struct policy_index *index, struct index_sets *sets, uint64_t *now, size_t rule)
{
	const struct condition_patterns *hosts = &index->rules[rule].conditions->remote_host;

	for (size_t i = 0; i < hosts->count; i++) {
		struct index_host *host = host_slot(index, hosts->items[i]);
		int r;

		memcpy(now, sets->words + host->set, index->word_count * sizeof(*now));
		set_rule(now, rule);
		r = index_sets_store(sets, now, &host->set);
		if (r < 0)
			return r;
	}
	return 0;
}

static int build_hosts(struct policy_index *index, struct index_sets *sets, uint64_t *now)
{
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < index->rule_count; i++)
		count += index->rules[i].conditions->remote_host.count;
	if (count == 0)
		return 0;
	for (index->host_size = 16; index->host_size < 2 * count;)
		index->host_size *= 2;
	index->hosts = calloc(index->host_size, sizeof(*index->hosts));
	if (index->hosts == NULL)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < index->rule_count; i++)
		r = add_hosts(index, sets, now, i);
	return r;
}

static int build_sets(struct policy_index *index, struct index_sets *sets, uint64_t *now)
{
	uint32_t all;
	int r = index_sets_store(sets, now,
		&all); /* the empty set, at offset 0: what a name has that was not seen yet */

	for (size_t i = 0; i < index->rule_count; i++)
		set_rule(now, i);
	if (r == 0)
		r = index_sets_store(sets, now, &all);
	if (r == 0)
		r = build_given(index, sets, now);
	if (r == 0)
		r = build_memos(index, all);
	if (r == 0)
		r = build_hosts(index, sets, now);
	if (r == 0)
		r = index_build_ranges(index, sets, all);
	return r;
}

int index_build(struct policy_index *index, const struct policy_rule *rules, size_t count)
{
	struct index_sets sets = { .word_count = (count + 63) / 64 };
	uint64_t *now = calloc(sets.word_count + 1, sizeof(*now));
	int r;

	*index = (struct policy_index){
		.rule_count = count, .word_count = sets.word_count, .rules = rules
	};
	if (now == NULL)
		return -ENOMEM;
	r = count > 0 ? build_sets(index, &sets, now) : 0;
	index->words = sets.words;
	free(sets.table);
	free(now);
	if (r < 0)
		index_clear(index);
	return r;
}

void index_clear(struct policy_index *index)
{
	for (size_t i = 0; i < INDEX_KIND_COUNT; i++) {
		free(index->ranges[i].start);
		free(index->ranges[i].set);
	}
	free(index->hosts);
	free(index->words);
	index_memos_free(index->programs);
	index_memos_free(index->labels);
	*index = (struct policy_index){ .rule_count = 0 };
}
