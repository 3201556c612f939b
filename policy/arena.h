/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that is given back as a whole. What a policy's values point to lives in one, so that
 * profiles and rules may share it. */
#ifndef SEAMTLS_POLICY_ARENA_H
#define SEAMTLS_POLICY_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *blocks; /* NULL: empty */
};

/* `count` times `size` zeroed bytes, aligned for anything; NULL: no memory, or the product
 * overflows. Never returns NULL for 0. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
void arena_clear(struct arena *arena);

#endif
