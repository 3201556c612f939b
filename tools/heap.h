/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A heap: what has the least key comes out first, and of equal ones what went in first. */
#ifndef SEAMTLS_TOOLS_HEAP_H
#define SEAMTLS_TOOLS_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_item {
	uint64_t key, turn;
	void *data;
};

/* All zeroes: empty. */
struct heap {
	struct heap_item *items;
	size_t count, room;
	uint64_t turn;
};

int heap_push(struct heap *heap, uint64_t key, void *data); /* 0; -ENOMEM */
void *heap_pop(struct heap *heap);                          /* NULL: empty */
void heap_clear(struct heap *heap);                         /* not what is in it */

#endif
