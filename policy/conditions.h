/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The conditions of one rule. A condition whose `text` is NULL is not given, and holds for every
 * connection. */
#ifndef SEAMTLS_POLICY_CONDITIONS_H
#define SEAMTLS_POLICY_CONDITIONS_H

#include "policy/policy.h"

struct condition_direction {
	const char *text;
	unsigned mask; /* of enum policy_direction */
};

struct port_range {
	uint16_t low, high;
};

struct condition_ports {
	const char *text;
	size_t count;
	struct port_range *items;
};

struct network {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t bits;
	uint8_t bytes[16]; /* those behind `bits` are 0 */
};

struct condition_networks {
	const char *text;
	size_t count;
	struct network *items;
};

struct condition_patterns {
	const char *text;
	size_t count;
	char **items;
};

struct condition_ids {
	const char *text;
	size_t count;
	uint32_t *items;
};

struct policy_conditions {
	struct condition_direction direction;
	struct condition_ports local_port, remote_port;
	struct condition_networks local_address, remote_address;
	struct condition_patterns remote_host; /* lower case, without trailing dot */
	struct condition_patterns program, label;
	struct condition_ids user, group;
};

/* As a bit set: conditions that are taken to hold, because what they ask about is not known yet. */
enum condition_id {
	CONDITION_DIRECTION,
	CONDITION_LOCAL_PORT,
	CONDITION_REMOTE_PORT,
	CONDITION_LOCAL_ADDRESS,
	CONDITION_REMOTE_ADDRESS,
	CONDITION_REMOTE_HOST,
	CONDITION_PROGRAM,
	CONDITION_USER,
	CONDITION_GROUP,
	CONDITION_LABEL,
	CONDITION_COUNT,
};
#define CONDITION_BIT(id) (1u << (id))

/* The query with addresses as the conditions want them: v4-mapped ones as v4. */
void conditions_normalize(const struct policy_query *query, struct policy_query *out);

/* Both want a normalized query. conditions_given() says which conditions the rule has, as bits. */
bool conditions_match(const struct policy_conditions *conditions, const struct policy_query *query,
	unsigned skip);
/* The first condition, in the order of enum condition_id, that does not hold; CONDITION_COUNT: all
 * hold. */
enum condition_id conditions_first_unmet(const struct policy_conditions *conditions,
	const struct policy_query *query, unsigned skip);
unsigned conditions_given(const struct policy_conditions *conditions);

/*
 * The directions, as bits, in which the rule can match at all: names are looked up for connections
 * that the program opens, so a rule that asks for one is outbound.
 */
unsigned conditions_directions(const struct policy_conditions *conditions);

/* Whether every connection that `inner` matches is also matched by `outer`, as far as can be seen
 * from their texts. */
bool conditions_cover(const struct policy_conditions *outer, const struct policy_conditions *inner);

bool network_contains(const struct network *network, uint8_t family, const uint8_t *bytes);
bool host_matches(const char *pattern,
	const char *name); /* the pattern is normalized, the name need not be */
bool condition_program_match(const struct condition_patterns *patterns, const char *program);
bool condition_label_match(const struct condition_patterns *patterns, const char *label);

#define HOST_NAME_MAX_BYTES 254
/* Lower case, without the trailing dot. The length, or 0 if this is no name that could match. */
size_t host_normalize(const char *name, char out[HOST_NAME_MAX_BYTES]);

#endif
