/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers in the index. For each kind: the ends of all ranges, sorted; a sweep over them that keeps
 * the set of rules whose range is open; a copy of the set at every end.
 */
#include "policy/index_build.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* One end of a range: from `at` on, one more (+1) or one less (-1) range of the rule holds. */
struct edge {
	struct index_point at;
	uint32_t rule;
	int step;
};

struct builder {
	struct policy_index *index;
	struct index_sets *sets;
	struct edge *edges;
	size_t edge_count, edge_room;
	uint64_t *now;  /* the set of the sweep */
	uint32_t *open; /* how many ranges of each rule are open */
};

struct index_point index_point_of(uint8_t family, const uint8_t *bytes)
{
	struct index_point point = { 0, 0 };
	size_t size = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < size; i++) {
		point.high = point.high << 8 | point.low >> 56;
		point.low = point.low << 8 | bytes[i];
	}
	return point;
}

static bool is_last_point(enum index_kind kind, const struct index_point *point)
{
	if (kind == INDEX_LOCAL_V6 || kind == INDEX_REMOTE_V6)
		return point->high == UINT64_MAX && point->low == UINT64_MAX;
	return false; /* the others are smaller than their 64 bits */
}

static int add_range(struct builder *builder, enum index_kind kind, size_t rule,
	struct index_point first, struct index_point last)
{
	if (builder->edge_count + 2 > builder->edge_room) {
		size_t room = builder->edge_room > 0 ? builder->edge_room * 2 : 64;
		struct edge *edges = realloc(builder->edges, room * sizeof(*edges));

		if (edges == NULL)
			return -ENOMEM;
		builder->edges = edges;
		builder->edge_room = room;
	}
	builder->edges[builder->edge_count++] = (struct edge){ first, (uint32_t)rule, 1 };
	if (!is_last_point(kind, &last)) {
		last.low++;
		last.high += last.low == 0;
		builder->edges[builder->edge_count++] = (struct edge){ last, (uint32_t)rule, -1 };
	}
	return 0;
}

static int add_network(
	struct builder *builder, enum index_kind kind, size_t rule, const struct network *network)
{
	struct index_point first = index_point_of(network->family, network->bytes), last = first;
	unsigned host_bits = (network->family == AF_INET ? 32u : 128u) - network->bits;

	if ((network->family == AF_INET) != (kind == INDEX_LOCAL_V4 || kind == INDEX_REMOTE_V4))
		return 0;
	if (host_bits >= 64) {
		last.low = UINT64_MAX;
		last.high |= host_bits == 128 ? UINT64_MAX : ((uint64_t)1 << (host_bits - 64)) - 1;
	} else {
		last.low |= ((uint64_t)1 << host_bits) - 1;
	}
	return add_range(builder, kind, rule, first, last);
}

static int add_ports(struct builder *builder, enum index_kind kind, size_t rule,
	const struct condition_ports *ports)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ports->count; i++)
		r = add_range(builder, kind, rule, (struct index_point){ 0, ports->items[i].low },
			(struct index_point){ 0, ports->items[i].high });
	return r;
}

static int add_networks(struct builder *builder, enum index_kind kind, size_t rule,
	const struct condition_networks *networks)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < networks->count; i++)
		r = add_network(builder, kind, rule, &networks->items[i]);
	return r;
}

static int add_ids(
	struct builder *builder, enum index_kind kind, size_t rule, const struct condition_ids *ids)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ids->count; i++)
		r = add_range(builder, kind, rule, (struct index_point){ 0, ids->items[i] },
			(struct index_point){ 0, ids->items[i] });
	return r;
}

static int add_rule(struct builder *builder, enum index_kind kind, size_t rule,
	const struct policy_conditions *conditions)
{
	switch (kind) {
	case INDEX_LOCAL_PORT:
		return add_ports(builder, kind, rule, &conditions->local_port);
	case INDEX_REMOTE_PORT:
		return add_ports(builder, kind, rule, &conditions->remote_port);
	case INDEX_LOCAL_V4:
	case INDEX_LOCAL_V6:
		return add_networks(builder, kind, rule, &conditions->local_address);
	case INDEX_REMOTE_V4:
	case INDEX_REMOTE_V6:
		return add_networks(builder, kind, rule, &conditions->remote_address);
	case INDEX_USER:
		return add_ids(builder, kind, rule, &conditions->user);
	case INDEX_GROUP:
		return add_ids(builder, kind, rule, &conditions->group);
	case INDEX_KIND_COUNT:
		break;
	}
	return 0;
}

static enum condition_id kind_condition(enum index_kind kind)
{
	static const enum condition_id ids[INDEX_KIND_COUNT] = {
		CONDITION_LOCAL_PORT,
		CONDITION_REMOTE_PORT,
		CONDITION_LOCAL_ADDRESS,
		CONDITION_LOCAL_ADDRESS,
		CONDITION_REMOTE_ADDRESS,
		CONDITION_REMOTE_ADDRESS,
		CONDITION_USER,
		CONDITION_GROUP,
	};

	return ids[kind];
}

static int compare_edges(const void *a, const void *b)
{
	const struct index_point *x = &((const struct edge *)a)->at,
				 *y = &((const struct edge *)b)->at;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return (x->low > y->low) - (x->low < y->low);
}

static void step(struct builder *builder, const struct edge *edge)
{
	uint64_t bit = (uint64_t)1 << edge->rule % 64;

	builder->open[edge->rule] += (uint32_t)edge->step;
	if (builder->open[edge->rule] > 0)
		builder->now[edge->rule / 64] |= bit;
	else
		builder->now[edge->rule / 64] &= ~bit;
}

static int sweep(struct builder *builder, struct index_ranges *ranges)
{
	int r = index_sets_store(builder->sets, builder->now, &ranges->set[0]);

	ranges->start[0] = (struct index_point){ 0, 0 };
	ranges->count = 1;
	for (size_t i = 0; r == 0 && i < builder->edge_count; i++) {
		const struct edge *edge = &builder->edges[i];
		size_t at = ranges->count - 1;

		step(builder, edge);
		if (i + 1 < builder->edge_count && compare_edges(edge, edge + 1) == 0)
			continue;
		if (edge->at.high != 0 || edge->at.low != 0) {
			at = ranges->count++;
			ranges->start[at] = edge->at;
		}
		r = index_sets_store(builder->sets, builder->now, &ranges->set[at]);
	}
	return r;
}

static int build_kind(struct builder *builder, enum index_kind kind, uint32_t all)
{
	struct policy_index *index = builder->index;
	struct index_ranges *ranges = &index->ranges[kind];
	size_t words = index->word_count;
	int r = 0;

	if (index->any[kind_condition(kind)] == all)
		return 0; /* no rule asks, so no query needs to */
	builder->edge_count = 0;
	for (size_t i = 0; r == 0 && i < index->rule_count; i++)
		r = add_rule(builder, kind, i, index->rules[i].conditions);
	if (r < 0 || builder->edge_count > 2 * INDEX_RANGES_MAX)
		return r < 0 ? r : -E2BIG;
	memcpy(builder->now, builder->sets->words + index->any[kind_condition(kind)],
		words * sizeof(uint64_t));
	memset(builder->open, 0, index->rule_count * sizeof(*builder->open));
	ranges->start = calloc(builder->edge_count + 1, sizeof(*ranges->start));
	ranges->set = calloc(builder->edge_count + 1, sizeof(*ranges->set));
	if (ranges->start == NULL || ranges->set == NULL)
		return -ENOMEM;
	if (builder->edge_count > 0)
		qsort(builder->edges, builder->edge_count, sizeof(*builder->edges), compare_edges);
	return sweep(builder, ranges);
}

int index_build_ranges(struct policy_index *index, struct index_sets *sets, uint32_t all)
{
	struct builder builder = {
		.index = index,
		.sets = sets,
		.now = calloc(index->word_count, sizeof(uint64_t)),
		.open = calloc(index->rule_count, sizeof(uint32_t)),
	};
	int r = builder.now != NULL && builder.open != NULL ? 0 : -ENOMEM;

	for (unsigned kind = 0; r == 0 && kind < INDEX_KIND_COUNT; kind++)
		r = build_kind(&builder, (enum index_kind)kind, all);
	free(builder.edges);
	free(builder.now);
	free(builder.open);
	return r;
}
