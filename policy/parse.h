/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the text of a value to the value. Everything that is allocated comes from the arena. */
#ifndef SEAMTLS_POLICY_PARSE_H
#define SEAMTLS_POLICY_PARSE_H

#include "policy/arena.h"
#include <stdbool.h>
#include <stddef.h>

#define LIST_MAX 4096 /* items */

struct policy_key;

struct parse {
	struct arena *arena;
	const char *dir; /* absolute: what relative paths are relative to */
	const struct policy_key *key;
	char why[512]; /* after -EINVAL: the sentence for the user */
};

/* Fills parse->why, and returns -EINVAL. */
__attribute__((format(printf, 2, 3))) int parse_refuse(
	struct parse *parse, const char *format, ...);

/*
 * All of these: 0 and *out; -EINVAL and parse->why; -ENOMEM. `out` points to the field that the
 * key's row names: an unsigned for a choice, a bool, a char *, an unsigned number, a struct
 * policy_list, struct policy_pins, or one of the struct condition_*.
 */
int parse_choice(struct parse *parse, const char *text, void *out);
int parse_bool(struct parse *parse, const char *text, void *out);
int parse_name(struct parse *parse, const char *text, void *out);
int parse_seconds(struct parse *parse, const char *text, void *out);
int parse_zero(
	struct parse *parse, const char *text, void *out); /* only 0 is there; `out` is not used */
int parse_path(struct parse *parse, const char *text, void *out);
int parse_ca(struct parse *parse, const char *text, void *out);
int parse_files(struct parse *parse, const char *text, void *out);
int parse_choice_list(
	struct parse *parse, const char *text, void *out); /* a policy_list of the choices' names */
int parse_pins(struct parse *parse, const char *text, void *out);
int parse_server_name(struct parse *parse, const char *text, void *out);
int parse_alpn(struct parse *parse, const char *text, void *out);
int parse_directions(struct parse *parse, const char *text, void *out);
int parse_ports(struct parse *parse, const char *text, void *out);
int parse_networks(struct parse *parse, const char *text, void *out);
int parse_hosts(struct parse *parse, const char *text, void *out);
int parse_patterns(struct parse *parse, const char *text, void *out);
int parse_users(struct parse *parse, const char *text, void *out);
int parse_groups(struct parse *parse, const char *text, void *out);

/* The items of a list, trimmed, one after the other. */
struct parse_items {
	const char *next;
};
/* The number of items; 0 and parse->why set if an item is empty or there are too many. */
size_t parse_count_items(struct parse *parse, const char *text);
/* The next item, copied into the arena; NULL: no memory. Not to be called more often than there are
 * items. */
char *parse_next_item(struct parse *parse, struct parse_items *items);

/* An absolute path in the arena, or NULL: no memory. */
char *parse_resolve_path(struct parse *parse, const char *path);

/* The letters, digits and hyphens of RFC 1123, and underscores, which are in use. */
bool parse_is_host_name(const char *name);

#endif
