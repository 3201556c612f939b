/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looking a query up: ten sets of rules at most, one for each kind of condition, and their
 * intersection word by word. Ports, addresses and ids are found by binary search among ranges,
 * names by hashing. Programs and labels are matched against all patterns the first time; since they
 * hardly ever change within a process, the set is kept in a memo that is written once, which any
 * thread may do and none waits for.
 */
#include "policy/index.h"

#include "policy/index_build.h"
#include "policy/text.h"

#include <netinet/in.h>
#include <string.h>

/* The sets to intersect, and room for the two that may have to be put together from several. */
struct lookup {
	const struct policy_index *index;
	size_t count;
	const uint64_t *sets[CONDITION_COUNT];
	uint64_t hosts[INDEX_WORDS_MAX], groups[INDEX_WORDS_MAX], programs[INDEX_WORDS_MAX],
		labels[INDEX_WORDS_MAX];
};

static const uint64_t *set_at(const struct policy_index *index, uint32_t offset)
{
	return index->words + offset;
}

static bool point_above(const struct index_point *a, const struct index_point *b)
{
	return a->high > b->high || (a->high == b->high && a->low > b->low);
}

static uint32_t ranges_find(const struct index_ranges *ranges, const struct index_point *point)
{
	size_t low = 0, high = ranges->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (point_above(&ranges->start[middle], point))
			high = middle;
		else
			low = middle;
	}
	return ranges->set[low];
}

static void take_set(struct lookup *lookup, const uint64_t *set)
{
	lookup->sets[lookup->count++] = set;
}

static void take_number(struct lookup *lookup, enum index_kind kind, uint32_t number)
{
	const struct index_ranges *ranges = &lookup->index->ranges[kind];
	struct index_point point = { 0, number };

	if (ranges->count > 0)
		take_set(lookup, set_at(lookup->index, ranges_find(ranges, &point)));
}

static void take_port(
	struct lookup *lookup, enum index_kind kind, enum condition_id id, uint16_t port)
{
	if (port != 0)
		take_number(lookup, kind, port);
	else
		take_set(lookup, set_at(lookup->index, lookup->index->any[id]));
}

static void take_address(struct lookup *lookup, enum index_kind v4, enum condition_id id,
	const struct policy_address *address)
{
	const struct index_ranges *ranges =
		&lookup->index->ranges[address->family == AF_INET ? v4 : v4 + 1];
	struct index_point point;

	if (address->family == AF_INET || address->family == AF_INET6) {
		point = index_point_of(address->family, address->bytes);
		if (ranges->count > 0)
			take_set(lookup, set_at(lookup->index, ranges_find(ranges, &point)));
		return;
	}
	take_set(lookup, set_at(lookup->index, lookup->index->any[id]));
}

static void set_add(uint64_t *set, const uint64_t *other, size_t words)
{
	for (size_t i = 0; i < words; i++)
		set[i] |= other[i];
}

static void take_groups(struct lookup *lookup, const struct policy_query *query)
{
	const struct policy_index *index = lookup->index;
	const struct index_ranges *ranges = &index->ranges[INDEX_GROUP];
	struct index_point point = { 0, query->gid };
	uint32_t any = index->any[CONDITION_GROUP];

	if (ranges->count == 0)
		return;
	memcpy(lookup->groups, set_at(index, ranges_find(ranges, &point)),
		index->word_count * sizeof(uint64_t));
	for (size_t i = 0; i < query->group_count; i++) {
		uint32_t set;

		point.low = query->groups[i];
		set = ranges_find(ranges, &point);
		if (set != any)
			set_add(lookup->groups, set_at(index, set), index->word_count);
	}
	take_set(lookup, lookup->groups);
}

static const struct index_host *host_find(
	const struct policy_index *index, const char *star, const char *name, size_t len)
{
	uint32_t hash = index_host_hash(star, name, len);
	size_t star_len = strlen(star);

	for (size_t at = hash & (index->host_size - 1); index->hosts[at].name != NULL;
		at = (at + 1) & (index->host_size - 1)) {
		const struct index_host *host = &index->hosts[at];

		if (host->hash == hash && strncmp(host->name, star, star_len) == 0 &&
			strcmp(host->name + star_len, name) == 0)
			return host;
	}
	return NULL;
}

/* What one name satisfies: rules that name it, and rules that name its parent with a star. */
static void host_sets(
	const struct policy_index *index, const char *name, const struct index_host *found[2])
{
	char host[HOST_NAME_MAX_BYTES];
	size_t len = host_normalize(name, host);
	const char *rest = strchr(host, '.');

	found[0] = found[1] = NULL;
	if (index->host_size == 0 || len == 0)
		return;
	found[0] = host_find(index, "", host, len);
	if (rest != NULL && rest != host)
		found[1] = host_find(index, "*", rest, len - (size_t)(rest - host));
}

static void take_hosts(struct lookup *lookup, const struct policy_query *query)
{
	const struct policy_index *index = lookup->index;
	const struct index_host *found[2];

	if (index->host_size == 0)
		return;
	memcpy(lookup->hosts, set_at(index, index->any[CONDITION_REMOTE_HOST]),
		index->word_count * sizeof(uint64_t));
	for (size_t i = 0; i < query->remote_name_count; i++) {
		host_sets(index, query->remote_names[i], found);
		for (size_t j = 0; j < 2; j++)
			if (found[j] != NULL)
				set_add(lookup->hosts, set_at(index, found[j]->set),
					index->word_count);
	}
	take_set(lookup, lookup->hosts);
}

static const struct policy_rule *first_in_all(const struct lookup *lookup)
{
	const struct policy_index *index = lookup->index;

	for (size_t word = 0; word < index->word_count; word++) {
		uint64_t bits = ~(uint64_t)0;

		for (size_t i = 0; i < lookup->count; i++)
			bits &= lookup->sets[i][word];
		if (bits != 0)
			return &index->rules[word * 64 + (size_t)__builtin_ctzll(bits)];
	}
	return NULL;
}

/* Which name made the rule match; the newest if it does not ask for one. */
static const char *matching_name(const struct policy_index *index, const struct policy_rule *rule,
	const struct policy_query *query)
{
	size_t word = rule->index / 64;
	uint64_t bit = (uint64_t)1 << rule->index % 64;
	const struct index_host *found[2];

	for (size_t i = 0;
		rule->conditions->remote_host.text != NULL && i < query->remote_name_count; i++) {
		host_sets(index, query->remote_names[i], found);
		for (size_t j = 0; j < 2; j++)
			if (found[j] != NULL && (set_at(index, found[j]->set)[word] & bit) != 0)
				return query->remote_names[i];
	}
	return query->remote_name_count > 0 ? query->remote_names[0] : NULL;
}

const struct policy_rule *index_find(
	const struct policy_index *index, const struct policy_query *query, const char **name)
{
	struct lookup lookup;
	const struct policy_rule *rule;

	*name = query->remote_name_count > 0 ? query->remote_names[0] : NULL;
	if (index->rule_count == 0)
		return NULL;
	lookup.index = index;
	lookup.count = 0;
	take_set(&lookup, set_at(index, index->direction[query->direction & 3]));
	take_port(&lookup, INDEX_LOCAL_PORT, CONDITION_LOCAL_PORT, query->local.port);
	take_port(&lookup, INDEX_REMOTE_PORT, CONDITION_REMOTE_PORT, query->remote.port);
	take_address(&lookup, INDEX_LOCAL_V4, CONDITION_LOCAL_ADDRESS, &query->local);
	take_address(&lookup, INDEX_REMOTE_V4, CONDITION_REMOTE_ADDRESS, &query->remote);
	take_hosts(&lookup, query);
	if (index->programs != NULL)
		take_set(&lookup, index_memo_find(index, index->programs, CONDITION_PROGRAM,
					  query->program, lookup.programs));
	take_number(&lookup, INDEX_USER, (uint32_t)query->uid);
	take_groups(&lookup, query);
	if (index->labels != NULL)
		take_set(&lookup, index_memo_find(index, index->labels, CONDITION_LABEL,
					  query->label, lookup.labels));
	rule = first_in_all(&lookup);
	if (rule != NULL)
		*name = matching_name(index, rule, query);
	return rule;
}
