/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether a rule leaves anything to a later one. Decided by looking at the values one by one, so a
 * rule that two earlier ones cover together is not found; but no rule is called unreachable that
 * can be reached.
 */
#include "policy/conditions.h"

#include <string.h>

static bool port_covered(const struct condition_ports *outer, const struct port_range *range)
{
	for (size_t i = 0; i < outer->count; i++)
		if (outer->items[i].low <= range->low && range->high <= outer->items[i].high)
			return true;
	return false;
}

static bool ports_cover(const struct condition_ports *outer, const struct condition_ports *inner)
{
	for (size_t i = 0; i < inner->count; i++)
		if (!port_covered(outer, &inner->items[i]))
			return false;
	return true;
}

static bool network_covered(const struct condition_networks *outer, const struct network *network)
{
	for (size_t i = 0; i < outer->count; i++)
		if (outer->items[i].bits <= network->bits &&
			network_contains(&outer->items[i], network->family, network->bytes))
			return true;
	return false;
}

static bool networks_cover(
	const struct condition_networks *outer, const struct condition_networks *inner)
{
	for (size_t i = 0; i < inner->count; i++)
		if (!network_covered(outer, &inner->items[i]))
			return false;
	return true;
}

/* Two patterns are compared as texts: which of two sets of strings is the larger is more than a
 * warning is worth. */
static bool pattern_covered(const struct condition_patterns *outer, const char *pattern, bool hosts)
{
	for (size_t i = 0; i < outer->count; i++)
		if (strcmp(outer->items[i], pattern) == 0 ||
			(hosts && pattern[0] != '*' && host_matches(outer->items[i], pattern)))
			return true;
	return false;
}

static bool patterns_cover(
	const struct condition_patterns *outer, const struct condition_patterns *inner, bool hosts)
{
	for (size_t i = 0; i < inner->count; i++)
		if (!pattern_covered(outer, inner->items[i], hosts))
			return false;
	return true;
}

static bool ids_cover(const struct condition_ids *outer, const struct condition_ids *inner)
{
	for (size_t i = 0; i < inner->count; i++) {
		bool found = false;

		for (size_t j = 0; j < outer->count; j++)
			found = found || outer->items[j] == inner->items[i];
		if (!found)
			return false;
	}
	return true;
}

static bool condition_covers(const struct policy_conditions *outer,
	const struct policy_conditions *inner, enum condition_id id)
{
	switch (id) {
	case CONDITION_DIRECTION:
		return (inner->direction.mask & ~outer->direction.mask) == 0;
	case CONDITION_LOCAL_PORT:
		return ports_cover(&outer->local_port, &inner->local_port);
	case CONDITION_REMOTE_PORT:
		return ports_cover(&outer->remote_port, &inner->remote_port);
	case CONDITION_LOCAL_ADDRESS:
		return networks_cover(&outer->local_address, &inner->local_address);
	case CONDITION_REMOTE_ADDRESS:
		return networks_cover(&outer->remote_address, &inner->remote_address);
	case CONDITION_REMOTE_HOST:
		return patterns_cover(&outer->remote_host, &inner->remote_host, true);
	case CONDITION_PROGRAM:
		return patterns_cover(&outer->program, &inner->program, false);
	case CONDITION_USER:
		return ids_cover(&outer->user, &inner->user);
	case CONDITION_GROUP:
		return ids_cover(&outer->group, &inner->group);
	case CONDITION_LABEL:
		return patterns_cover(&outer->label, &inner->label, false);
	case CONDITION_COUNT:
		break;
	}
	return false;
}

bool conditions_cover(const struct policy_conditions *outer, const struct policy_conditions *inner)
{
	unsigned inner_given = conditions_given(inner), outer_given = conditions_given(outer);

	for (unsigned id = 0; id < CONDITION_COUNT; id++) {
		if ((outer_given & CONDITION_BIT(id)) == 0)
			continue;
		if (id == CONDITION_DIRECTION &&
			outer->direction.mask == (POLICY_OUTBOUND | POLICY_INBOUND))
			continue;
		if ((inner_given & CONDITION_BIT(id)) == 0 ||
			!condition_covers(outer, inner, (enum condition_id)id))
			return false;
	}
	return true;
}
