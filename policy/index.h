/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which rule comes first for a query, in time that hardly depends on how many there are. For every
 * kind of condition the index knows the set of rules that a value satisfies; the rules that match
 * are the intersection of those sets, and the first bit in it decides.
 */
#ifndef SEAMTLS_POLICY_INDEX_H
#define SEAMTLS_POLICY_INDEX_H

#include "policy/conditions.h"
#include "policy/policy.h"
#include <stdint.h>

#define INDEX_RULES_MAX 4096
#define INDEX_WORDS_MAX (INDEX_RULES_MAX / 64)
#define INDEX_RANGES_MAX ((size_t)65536)   /* of one kind, in all rules */
#define INDEX_BYTES_MAX ((size_t)64 << 20) /* of all sets */
#define INDEX_MEMOS 4

/* A port, an id or an address, as a number. */
struct index_point {
	uint64_t high, low;
};

/* Ranges that cover everything, and the set that holds in each. No condition of the kind in any
 * rule: count is 0. */
struct index_ranges {
	size_t count;
	struct index_point *start; /* ascending; the first is 0 */
	uint32_t *set;             /* offset in the words of the index */
};

enum index_kind {
	INDEX_LOCAL_PORT,
	INDEX_REMOTE_PORT,
	INDEX_LOCAL_V4,
	INDEX_LOCAL_V6,
	INDEX_REMOTE_V4,
	INDEX_REMOTE_V6,
	INDEX_USER,
	INDEX_GROUP,
	INDEX_KIND_COUNT,
};

struct index_host {
	const char *name; /* NULL: free; "*.example.com" for patterns */
	uint32_t hash;
	uint32_t set;
};

struct index_memo; /* the set for one string that was asked for before */

struct policy_index {
	size_t rule_count, word_count; /* word_count: of one set */
	uint64_t *words;
	uint32_t any[CONDITION_COUNT]; /* the rules that do not have the condition */
	uint32_t direction[4];         /* by mask of enum policy_direction */
	struct index_ranges ranges[INDEX_KIND_COUNT];
	size_t host_size; /* a power of two, or 0 */
	struct index_host *hosts;
	const struct policy_rule *rules;
	struct index_memo *programs, *labels; /* INDEX_MEMOS each, or NULL if no rule asks */
};

/* 0, -ENOMEM, or -E2BIG: more ranges than INDEX_RANGES_MAX. Rules have to stay where they are. */
int index_build(struct policy_index *index, const struct policy_rule *rules, size_t count);
void index_clear(struct policy_index *index);

/* The first rule that matches a normalized query; NULL: none. *name: which of the query's names
 * matched, if the rule asks for one. */
const struct policy_rule *index_find(
	const struct policy_index *index, const struct policy_query *query, const char **name);

#endif
