/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What building the index and looking up in it have in common. */
#ifndef SEAMTLS_POLICY_INDEX_BUILD_H
#define SEAMTLS_POLICY_INDEX_BUILD_H

#include "policy/index.h"

/* Sets while they are being collected. `table` finds equal ones; 0 in it is free, else offset in
 * words + 1. */
struct index_sets {
	uint64_t *words;
	size_t word_count, used, room;
	uint32_t *table;
	size_t table_size, table_used;
};

/* Where the set is stored, which may be where an equal one was stored before. 0, -ENOMEM, -E2BIG.
 */
int index_sets_store(struct index_sets *sets, const uint64_t *set, uint32_t *offset);

/* `all`: where the set of all rules is. */
int index_build_ranges(struct policy_index *index, struct index_sets *sets, uint32_t all);

struct index_point index_point_of(uint8_t family, const uint8_t *bytes);
/* Of `star` and `name` put together. */
uint32_t index_host_hash(const char *star, const char *name, size_t len);

/* One bit for each rule whose condition `id` (CONDITION_PROGRAM or CONDITION_LABEL) the text
 * satisfies: from a memo, or in `room`. */
const uint64_t *index_memo_find(const struct policy_index *index, struct index_memo *memos,
	enum condition_id id, const char *text, uint64_t room[INDEX_WORDS_MAX]);
struct index_memo *index_memos_new(size_t words); /* INDEX_MEMOS, or NULL: no memory */
void index_memos_free(struct index_memo *memos);

#endif
