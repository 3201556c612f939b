/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heap.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool before(const struct heap_item *a, const struct heap_item *b)
{
	return a->key != b->key ? a->key < b->key : a->turn < b->turn;
}

static void swap(struct heap_item *a, struct heap_item *b)
{
	struct heap_item saved = *a;

	*a = *b;
	*b = saved;
}

static int heap_grow(struct heap *heap)
{
	size_t room = heap->room > 0 ? 2 * heap->room : 64;
	struct heap_item *items;

	if (heap->count < heap->room)
		return 0;
	items = reallocarray(heap->items, room, sizeof *items);
	if (items == NULL)
		return -ENOMEM;
	heap->items = items;
	heap->room = room;
	return 0;
}

int heap_push(struct heap *heap, uint64_t key, void *data)
{
	int r = heap_grow(heap);

	if (r < 0)
		return r;
	heap->items[heap->count] = (struct heap_item){ key, heap->turn++, data };
	for (size_t i = heap->count++; i > 0; i = (i - 1) / 2) {
		if (!before(&heap->items[i], &heap->items[(i - 1) / 2]))
			break;
		swap(&heap->items[i], &heap->items[(i - 1) / 2]);
	}
	return 0;
}

void *heap_pop(struct heap *heap)
{
	void *data;

	if (heap->count == 0)
		return NULL;
	data = heap->items[0].data;
	heap->items[0] = heap->items[--heap->count];
	for (size_t i = 0, next = 1; next < heap->count; next = 2 * i + 1) {
		if (next + 1 < heap->count && before(&heap->items[next + 1], &heap->items[next]))
			next++;
		if (!before(&heap->items[next], &heap->items[i]))
			break;
		swap(&heap->items[next], &heap->items[i]);
		i = next;
	}
	return data;
}

void heap_clear(struct heap *heap)
{
	free(heap->items);
	memset(heap, 0, sizeof *heap);
}
