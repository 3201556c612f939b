/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocks in a list; small pieces are cut from the newest, large ones get a block of their own
 * behind it. */
#include "policy/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)4096)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char data[];
};

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (block == NULL)
		return NULL;
	block->next = NULL;
	block->used = 0;
	block->size = size;
	return block;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t bytes;

	if (size != 0 && count > (SIZE_MAX / 2 - BLOCK_BYTES) / size)
		return NULL;
	bytes = (count * size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (block == NULL || bytes > block->size - block->used) {
		block = block_new(bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES);
		if (block == NULL)
			return NULL;
		if (arena->blocks != NULL && bytes > BLOCK_BYTES / 4) {
			block->next = arena->blocks->next;
			arena->blocks->next = block;
		} else {
			block->next = arena->blocks;
			arena->blocks = block;
		}
	}
	block->used += bytes;
	return memset(block->data + block->used - bytes, 0, bytes);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, len + 1, 1);

	if (copy != NULL && len > 0)
		memcpy(copy, text, len);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

void arena_clear(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
}
