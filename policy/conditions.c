/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One rule against one connection, condition by condition: the meaning of the language. The index
 * finds the same rules faster, and `explain` says what is decided here in words.
 */
#include "policy/conditions.h"

#include "policy/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void normalize_address(struct policy_address *address)
{
	if (address->family != AF_INET6 ||
		memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memmove(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
	address->family = AF_INET;
}

void conditions_normalize(const struct policy_query *query, struct policy_query *out)
{
	*out = *query;
	normalize_address(&out->local);
	normalize_address(&out->remote);
}

size_t host_normalize(const char *name, char out[HOST_NAME_MAX_BYTES])
{
	size_t len = strnlen(name, HOST_NAME_MAX_BYTES + 1);

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len >= HOST_NAME_MAX_BYTES)
		len = 0;
	for (size_t i = 0; i < len; i++)
		out[i] = text_lower(name[i]);
	out[len] = '\0';
	return len;
}

static bool ports_match(const struct condition_ports *ports, const struct policy_address *address)
{
	for (size_t i = 0; i < ports->count; i++)
		if (address->port != 0 && ports->items[i].low <= address->port &&
			address->port <= ports->items[i].high)
			return true;
	return false;
}

/* Whether the first `bits` of two addresses are the same. */
static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	return memcmp(a, b, bytes) == 0 &&
	       (bits % 8 == 0 || (a[bytes] & mask) == (b[bytes] & mask));
}

bool network_contains(const struct network *network, uint8_t family, const uint8_t *bytes)
{
	return network->family == family && prefix_equal(network->bytes, bytes, network->bits);
}

static bool networks_match(
	const struct condition_networks *networks, const struct policy_address *address)
{
	for (size_t i = 0; i < networks->count; i++)
		if (network_contains(&networks->items[i], address->family, address->bytes))
			return true;
	return false;
}

bool host_matches(const char *pattern, const char *name)
{
	char host[HOST_NAME_MAX_BYTES];
	const char *rest;

	if (host_normalize(name, host) == 0)
		return false;
	if (pattern[0] != '*')
		return strcmp(pattern, host) == 0;
	rest = strchr(host, '.');
	return rest != NULL && rest != host && strcmp(pattern + 1, rest) == 0;
}

static bool hosts_match(const struct condition_patterns *hosts, const struct policy_query *query)
{
	for (size_t i = 0; i < hosts->count; i++)
		for (size_t j = 0; j < query->remote_name_count; j++)
			if (host_matches(hosts->items[i], query->remote_names[j]))
				return true;
	return false;
}

bool condition_program_match(const struct condition_patterns *patterns, const char *program)
{
	const char *base;

	if (program == NULL)
		return false;
	base = strrchr(program, '/');
	base = base != NULL ? base + 1 : program;
	for (size_t i = 0; i < patterns->count; i++)
		if (text_glob_match(patterns->items[i],
			    strchr(patterns->items[i], '/') != NULL ? program : base))
			return true;
	return false;
}

bool condition_label_match(const struct condition_patterns *patterns, const char *label)
{
	for (size_t i = 0; label != NULL && i < patterns->count; i++)
		if (text_glob_match(patterns->items[i], label))
			return true;
	return false;
}

static bool ids_hold(const struct condition_ids *ids, uint32_t id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->items[i] == id)
			return true;
	return false;
}

static bool groups_match(const struct condition_ids *ids, const struct policy_query *query)
{
	if (ids_hold(ids, query->gid))
		return true;
	for (size_t i = 0; i < query->group_count; i++)
		if (ids_hold(ids, query->groups[i]))
			return true;
	return false;
}

static bool condition_match(
	const struct policy_conditions *c, enum condition_id id, const struct policy_query *query)
{
	switch (id) {
	case CONDITION_DIRECTION:
		return (c->direction.mask & query->direction) != 0;
	case CONDITION_LOCAL_PORT:
		return ports_match(&c->local_port, &query->local);
	case CONDITION_REMOTE_PORT:
		return ports_match(&c->remote_port, &query->remote);
	case CONDITION_LOCAL_ADDRESS:
		return networks_match(&c->local_address, &query->local);
	case CONDITION_REMOTE_ADDRESS:
		return networks_match(&c->remote_address, &query->remote);
	case CONDITION_REMOTE_HOST:
		return hosts_match(&c->remote_host, query);
	case CONDITION_PROGRAM:
		return condition_program_match(&c->program, query->program);
	case CONDITION_USER:
		return ids_hold(&c->user, query->uid);
	case CONDITION_GROUP:
		return groups_match(&c->group, query);
	case CONDITION_LABEL:
		return condition_label_match(&c->label, query->label);
	case CONDITION_COUNT:
		break;
	}
	return false;
}

unsigned conditions_given(const struct policy_conditions *c)
{
	const char *const texts[CONDITION_COUNT] = {
		[CONDITION_DIRECTION] = c->direction.text,
		[CONDITION_LOCAL_PORT] = c->local_port.text,
		[CONDITION_REMOTE_PORT] = c->remote_port.text,
		[CONDITION_LOCAL_ADDRESS] = c->local_address.text,
		[CONDITION_REMOTE_ADDRESS] = c->remote_address.text,
		[CONDITION_REMOTE_HOST] = c->remote_host.text,
		[CONDITION_PROGRAM] = c->program.text,
		[CONDITION_USER] = c->user.text,
		[CONDITION_GROUP] = c->group.text,
		[CONDITION_LABEL] = c->label.text,
	};
	unsigned given = 0;

	for (unsigned id = 0; id < CONDITION_COUNT; id++)
		if (texts[id] != NULL)
			given |= CONDITION_BIT(id);
	return given;
}

bool conditions_match(
	const struct policy_conditions *conditions, const struct policy_query *query, unsigned skip)
{
	return conditions_first_unmet(conditions, query, skip) == CONDITION_COUNT;
}

enum condition_id conditions_first_unmet(
	const struct policy_conditions *conditions, const struct policy_query *query, unsigned skip)
{
	unsigned given = conditions_given(conditions) & ~skip;

	for (unsigned id = 0; id < CONDITION_COUNT; id++)
		if ((given & CONDITION_BIT(id)) != 0 &&
			!condition_match(conditions, (enum condition_id)id, query))
			return (enum condition_id)id;
	return CONDITION_COUNT;
}

unsigned conditions_directions(const struct policy_conditions *conditions)
{
	if (conditions->direction.text != NULL)
		return conditions->direction.mask;
	return conditions->remote_host.text != NULL ? POLICY_OUTBOUND
						    : POLICY_OUTBOUND | POLICY_INBOUND;
}
