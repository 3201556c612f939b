/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sets of rules for strings that were asked for before. A memo is written once, by whoever claims
 * it, and read only after it is complete; a claim that is never completed (its owner was lost in a
 * fork) costs that memo and nothing else.
 */
#include "policy/index_build.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MEMO_TEXT_MAX 512 /* longer programs and labels are matched anew every time */

enum memo_state { MEMO_FREE, MEMO_CLAIMED, MEMO_READY };

struct index_memo {
	_Atomic int state;
	char text[MEMO_TEXT_MAX];
	uint64_t *set;
};

struct index_memo *index_memos_new(size_t words)
{
	struct index_memo *memos = calloc(INDEX_MEMOS, sizeof(*memos));
	uint64_t *sets = calloc(INDEX_MEMOS * words, sizeof(*sets));

	if (memos == NULL || sets == NULL) {
		free(memos);
		free(sets);
		return NULL;
	}
	for (size_t i = 0; i < INDEX_MEMOS; i++)
		memos[i].set = sets + i * words;
	return memos;
}

void index_memos_free(struct index_memo *memos)
{
	if (memos != NULL)
		free(memos[0].set);
	free(memos);
}

static void match_all(
	const struct policy_index *index, enum condition_id id, const char *text, uint64_t *set)
{
	memcpy(set, index->words + index->any[id], index->word_count * sizeof(*set));
	for (size_t i = 0; i < index->rule_count; i++) {
		const struct policy_conditions *conditions = index->rules[i].conditions;
		bool matches = id == CONDITION_PROGRAM
				       ? condition_program_match(&conditions->program, text)
				       : condition_label_match(&conditions->label, text);

		if (matches)
			set[i / 64] |= (uint64_t)1 << i % 64;
	}
}

static void memo_write(
	struct index_memo *memo, const char *text, size_t len, const uint64_t *set, size_t words)
{
	int expected = MEMO_FREE;

	if (!atomic_compare_exchange_strong_explicit(&memo->state, &expected, MEMO_CLAIMED,
		    memory_order_acquire, memory_order_relaxed))
		return;
	memcpy(memo->text, text, len + 1);
	memcpy(memo->set, set, words * sizeof(*set));
	atomic_store_explicit(&memo->state, MEMO_READY, memory_order_release);
}

const uint64_t *index_memo_find(const struct policy_index *index, struct index_memo *memos,
	enum condition_id id, const char *text, uint64_t room[INDEX_WORDS_MAX])
{
	struct index_memo *unused = NULL;
	size_t len;

	if (text == NULL)
		return index->words + index->any[id];
	for (size_t i = 0; i < INDEX_MEMOS; i++) {
		int state = atomic_load_explicit(&memos[i].state, memory_order_acquire);

		/* What is ready has a text. */
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
		if (state == MEMO_READY && strcmp(memos[i].text, text) == 0)
			return memos[i].set;
		if (state == MEMO_FREE && unused == NULL)
			unused = &memos[i];
	}
	match_all(index, id, text, room);
	len = strlen(text);
	if (unused != NULL && len < MEMO_TEXT_MAX)
		memo_write(unused, text, len, room, index->word_count);
	return room;
}
