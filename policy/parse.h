/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the text of a value to the value. Everything that is allocated comes from the arena. */
#ifndef SEAMTLS_POLICY_PARSE_H
#define SEAMTLS_POLICY_PARSE_H

#include "policy/arena.h"
#include <stdbool.h>
#include <stddef.h>

#define LIST_MAX 4096 /* items */

struct policy_key;
struct policy_list;
struct watch;

struct parse {
	struct arena *arena;
	const char *dir; /* absolute: what relative paths are relative to */
	const struct policy_key *key;
	struct watch *watch; /* gets the files that are missed; or NULL */
	char why[512];       /* after -EINVAL: the sentence for the user */
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
int parse_choices(
	struct parse *parse, const char *text, void *out); /* an unsigned: all of them or'ed */
int parse_bool(struct parse *parse, const char *text, void *out);
int parse_name(struct parse *parse, const char *text, void *out);
int parse_seconds(struct parse *parse, const char *text, void *out);
int parse_tickets(struct parse *parse, const char *text, void *out);
int parse_size(struct parse *parse, const char *text, void *out);     /* a uint64_t: bytes */
int parse_duration(struct parse *parse, const char *text, void *out); /* a uint64_t: seconds */
int parse_path(struct parse *parse, const char *text, void *out);
int parse_ca(struct parse *parse, const char *text, void *out);
int parse_crl(struct parse *parse, const char *text, void *out);
int parse_one_file(struct parse *parse, const char *text, void *out);
int parse_files(struct parse *parse, const char *text, void *out);
int parse_choice_list(
	struct parse *parse, const char *text, void *out); /* a policy_list of the choices' names */
int parse_pins(struct parse *parse, const char *text, void *out);
int parse_server_name(struct parse *parse, const char *text, void *out);
int parse_alpn(struct parse *parse, const char *text, void *out);
int parse_directions(struct parse *parse, const char *text, void *out);
int parse_ports(struct parse *parse, const char *text, void *out);
int parse_networks(struct parse *parse, const char *text, void *out);
int parse_peers(
	struct parse *parse, const char *text, void *out); /* a policy_list, see allow_peer */
int parse_hosts(struct parse *parse, const char *text, void *out);
int parse_patterns(struct parse *parse, const char *text, void *out);
int parse_users(struct parse *parse, const char *text, void *out);
int parse_groups(struct parse *parse, const char *text, void *out);

/* The value of one item of a list into `out`. As above; `item` is trimmed, and in the arena. */
typedef int parse_item_fn(struct parse *parse, char *item, void *out);

/* An array in the arena. */
struct parse_values {
	size_t count;
	void *at;
};
/*
 * The items of a list, a value of `size` bytes for each. As above; -EINVAL also if an item is empty
 * or there are more than LIST_MAX.
 */
int parse_list(struct parse *parse, const char *text, size_t size, parse_item_fn *one,
	struct parse_values *out);
/* The same, with a char * for each. */
int parse_strings(
	struct parse *parse, const char *text, parse_item_fn *one, struct policy_list *out);

/* An address or a network into a struct network. As parse_item_fn. */
int parse_network(struct parse *parse, char *item, void *out);

/* An absolute path in the arena, or NULL: no memory. */
char *parse_resolve_path(struct parse *parse, const char *path);

/* The letters, digits and hyphens of RFC 1123, and underscores, which are in use. */
bool parse_is_host_name(const char *name);

#endif
