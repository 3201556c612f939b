/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names by address, for names.c, whose lock is held. Bounded: what was not asked for again since it
 * came is forgotten in the order in which it came. One mapping, of which only what is used is
 * memory.
 */
#ifndef SEAMTLS_CONN_NAMES_TABLE_H
#define SEAMTLS_CONN_NAMES_TABLE_H

#include <stdint.h>

#define NAMES_TABLE_MOST (1u << 17)      /* names */
#define NAMES_TABLE_TEXT_MOST (8u << 20) /* bytes of them, each with its NUL */

struct policy_address;

/* A name of an address: a place in the table. */
struct named;

/* `name`, shorter than CONN_NAME_LEN, is the newest of the address (whose port is not looked at).
 * Without memory nothing is remembered. */
void names_table_put(const struct policy_address *address, const char *name);

/* The next name of the address after `from` (NULL: the newest), older ones later. NULL: no more.
 * One that is newer may come again. */
const struct named *names_table_next(
	const struct policy_address *address, const struct named *from);
const char *named_text(const struct named *named);

#endif
