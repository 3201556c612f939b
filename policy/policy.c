/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A policy from its beginning to its end: loaded, asked, freed. */
#include "policy/policy.h"

#include "policy/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `path` made absolute, so that errors and relative paths in it do not depend on where the program
 * goes later. */
static char *absolute_path(struct arena *arena, const char *path)
{
	struct parse parse = { .arena = arena };
	char *dir, *whole;

	if (path[0] == '/')
		return arena_strdup(arena, path);
	dir = getcwd(NULL, 0);
	if (dir == NULL)
		return arena_strdup(arena, path);
	parse.dir = dir;
	whole = parse_resolve_path(&parse, path);
	free(dir);
	return whole;
}

static int load_sections(struct loader *loader, const char *path)
{
	const char *text = policy_default_text();
	char *source = path != NULL ? absolute_path(loader->keep, path)
				    : arena_strdup(loader->keep, "built-in");

	loader->global.kind = SECTION_GLOBAL;
	loader->global.values = arena_alloc(&loader->scratch, 1, sizeof(*loader->global.values));
	loader->global.key_place =
		arena_alloc(&loader->scratch, policy_key_count, sizeof(*loader->global.key_place));
	if (source == NULL || loader->global.values == NULL || loader->global.key_place == NULL)
		return -ENOMEM;
	loader->policy->source = source;
	key_values_default(loader->global.values);
	loader->last = &loader->first;
	if (path == NULL)
		load_text(loader, source, "/", text, strlen(text), 0);
	else if (source[0] != '/')
		load_error(loader, NULL, NULL,
			"is relative, and the working directory cannot be found");
	else
		load_file(loader, source, NULL, 0);
	loader->policy->global = loader->global.values->global;
	return 0;
}

static void build_index(struct loader *loader)
{
	struct policy *policy = loader->policy;
	int r = index_build(&policy->private->index, policy->rules, policy->rule_count);

	if (r == -E2BIG)
		load_error(loader, NULL, NULL,
			"the conditions of all rules together are too many (more than %zu ranges "
			"of "
			"a kind, or %zu MiB)",
			INDEX_RANGES_MAX, INDEX_BYTES_MAX >> 20);
	else if (r < 0)
		load_no_memory(loader);
}

static struct policy *policy_new(void)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (policy == NULL)
		return NULL;
	policy->private = calloc(1, sizeof(*policy->private));
	if (policy->private == NULL) {
		free(policy);
		return NULL;
	}
	return policy;
}

int policy_load(const char *path, struct policy **out, struct policy_errors *errors)
{
	return policy_load_watching(path, NULL, out, errors);
}

int policy_load_watching(
	const char *path, struct watch *files, struct policy **out, struct policy_errors *errors)
{
	struct loader loader = { .errors = errors, .policy = policy_new(), .watch = files };

	*errors = (struct policy_errors){ 0, NULL };
	*out = NULL;
	if (loader.policy == NULL)
		return -ENOMEM;
	loader.keep = &loader.policy->private->arena;
	if (load_sections(&loader, path) < 0)
		load_no_memory(&loader);
	else
		resolve_rules(&loader);
	if (!loader.failed)
		build_index(&loader);
	arena_clear(&loader.scratch);
	if (!loader.failed) {
		*out = loader.policy;
		return 0;
	}
	policy_free(loader.policy);
	return loader.out_of_memory || errors->count == 0 ? -ENOMEM : -EINVAL;
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	index_clear(&policy->private->index);
	arena_clear(&policy->private->arena);
	free(policy->private);
	free(policy);
}

void policy_decide(
	const struct policy *policy, const struct policy_query *query, struct policy_decision *out)
{
	struct policy_query normal;

	conditions_normalize(query, &normal);
	out->rule = index_find(&policy->private->index, &normal, &out->remote_name);
	out->action = out->rule != NULL ? out->rule->action : policy->global.default_action;
}

/* What is not known of connections yet that a listening socket will accept. */
static unsigned listener_unknown(const struct policy_query *query)
{
	static const uint8_t any_address[16];
	unsigned unknown =
		CONDITION_BIT(CONDITION_REMOTE_PORT) | CONDITION_BIT(CONDITION_REMOTE_ADDRESS);

	if (query->local.port == 0)
		unknown |= CONDITION_BIT(CONDITION_LOCAL_PORT);
	if (memcmp(query->local.bytes, any_address, sizeof(any_address)) == 0)
		unknown |= CONDITION_BIT(CONDITION_LOCAL_ADDRESS);
	/* Root may become anybody between listen and accept. */
	if (query->uid == 0)
		unknown |= CONDITION_BIT(CONDITION_USER) | CONDITION_BIT(CONDITION_GROUP);
	return unknown;
}

bool policy_listener_matters(const struct policy *policy, const struct policy_query *query,
	const struct policy_rule **rule)
{
	struct policy_query normal;
	unsigned unknown;
	bool matters = false;

	conditions_normalize(query, &normal);
	normal.direction = POLICY_INBOUND;
	normal.remote_name_count = 0;
	unknown = listener_unknown(&normal);
	if (rule != NULL)
		*rule = NULL;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *item = &policy->rules[i];

		if (!conditions_match(item->conditions, &normal, unknown))
			continue;
		matters = matters || item->action != POLICY_PASS || item->require != 0;
		if (rule != NULL && *rule == NULL && item->action == POLICY_TLS)
			*rule = item;
		if ((conditions_given(item->conditions) & unknown) == 0)
			return matters; /* it matches whatever comes: later rules have no say */
	}
	return matters || policy->global.default_action != POLICY_PASS;
}

const char *policy_action_name(enum policy_action action)
{
	return choice_name(choices_action, action);
}

const char *policy_direction_name(enum policy_direction direction)
{
	return choice_name(choices_direction, direction);
}
