/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The look-up that every call on any descriptor pays, to be inlined: two loads. What the entries
 * are, and all else about them, is table.c's and its callers' (internal.h).
 */
#ifndef SEAMTLS_CONN_TABLE_H
#define SEAMTLS_CONN_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_LEN (1U << 20)

struct conn;

struct table_entry {
	_Atomic(struct conn *) conn;
	_Atomic uint32_t flags;
};

/* By descriptor; NULL until the first entry. */
extern _Atomic(struct table_entry *) table_entries __attribute__((visibility("hidden")));

static inline struct table_entry *table_entry_at(int fd)
{
	struct table_entry *entries = atomic_load_explicit(&table_entries, memory_order_acquire);

	return entries != NULL && (unsigned)fd < TABLE_LEN ? &entries[fd] : NULL;
}

/* Not ours at all: no TCP socket, or one that was let go. */
static inline bool table_is_foreign(int fd)
{
	struct table_entry *entry = table_entry_at(fd);

	return entry == NULL || atomic_load_explicit(&entry->conn, memory_order_relaxed) == NULL;
}

#endif
