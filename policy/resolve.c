/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From sections to rules: a rule's own keys first, then its profile's, then those that the profile
 * inherits, then the defaults. */
#include "policy/load.h"

#include <string.h>

static struct section *find_profile(
	struct loader *loader, const struct section *user, const char *key_name, const char *name)
{
	const struct place *place = &user->key_place[key_index(key_find(key_name))];
	uint32_t hash = text_hash(name, strlen(name));
	struct text_nearest nearest;

	text_nearest_init(&nearest, name);
	for (struct section *section = loader->first; section != NULL; section = section->next) {
		if (section->kind != SECTION_PROFILE)
			continue;
		if (section->hash == hash && strcmp(section->name, name) == 0)
			return section;
		text_nearest_offer(&nearest, section->name);
	}
	if (nearest.best != NULL && nearest.best[0] != '\0')
		load_error(loader, place, key_name,
			"found '%.100s', and there is no profile of that name; did you mean '%s'?",
			name, nearest.best);
	else
		load_error(loader, place, key_name,
			"found '%.100s', and there is no profile of that name", name);
	return NULL;
}

/* Takes those TLS settings of `from` that `section` does not have yet. */
static void take_settings(struct section *section, const struct section *from)
{
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		uint64_t bit = (uint64_t)1 << i;

		if (!key_is_tls(key) || (from->set & bit) == 0 || (section->set & bit) != 0)
			continue;
		section->set |= bit;
		section->key_place[i] = from->key_place[i];
		if (key->size > 0)
			memcpy(key_field(key, section->values), key_field(key, from->values),
				key->size);
	}
}

/* Fills a profile up with what it inherits, so that its users need to look no further. */
static void resolve_profile(struct loader *loader, struct section *profile)
{
	const struct place *place = &profile->key_place[key_index(key_find("inherit"))];
	struct section *parent = profile;

	for (size_t depth = 0; parent->values->inherit != NULL; depth++) {
		parent = find_profile(loader, parent, "inherit", parent->values->inherit);
		if (parent == NULL)
			return;
		if (parent == profile) {
			load_error(loader, place, "inherit",
				"the profile \"%s\" inherits itself, by way of \"%s\"",
				profile->name, profile->values->inherit);
			return;
		}
		if (depth == LOAD_INHERIT_MAX) {
			load_error(loader, place, "inherit",
				"profiles inherit from each other in a circle, or more than %d "
				"deep",
				LOAD_INHERIT_MAX);
			return;
		}
		take_settings(profile, parent);
	}
	check_settings(loader, profile);
}

static void resolve_rule(struct loader *loader, struct section *section, struct policy_rule *rule)
{
	struct key_values *values = section->values;

	if (values->profile != NULL) {
		const struct section *profile =
			find_profile(loader, section, "profile", values->profile);

		if (profile != NULL)
			take_settings(section, profile);
	}
	check_settings(loader, section);
	check_rule(loader, section);
	rule->conditions = arena_alloc(loader->keep, 1, sizeof(*rule->conditions));
	if (rule->conditions == NULL) {
		load_no_memory(loader);
		return;
	}
	*rule->conditions = values->conditions;
	rule->policy = loader->policy;
	rule->name = section->name;
	rule->file = section->place.file;
	rule->line = section->place.line;
	rule->action = (enum policy_action)values->action;
	rule->require = values->require;
	rule->tls = values->tls;
}

static bool asks_who(const struct policy_rule *rule)
{
	return rule->conditions->user.text != NULL || rule->conditions->group.text != NULL;
}

void resolve_rules(struct loader *loader)
{
	struct policy *policy = loader->policy;

	if (loader->rule_count > LOAD_RULES_MAX)
		return;
	for (struct section *section = loader->first; section != NULL; section = section->next) {
		section->own = section->set;
		if (section->kind == SECTION_PROFILE)
			resolve_profile(loader, section);
	}
	policy->rules = arena_alloc(loader->keep, loader->rule_count, sizeof(*policy->rules));
	if (policy->rules == NULL) {
		load_no_memory(loader);
		return;
	}
	for (struct section *section = loader->first; section != NULL; section = section->next) {
		if (section->kind != SECTION_RULE)
			continue;
		policy->rules[policy->rule_count].index = (unsigned)policy->rule_count;
		resolve_rule(loader, section, &policy->rules[policy->rule_count]);
		policy->asks_who |= asks_who(&policy->rules[policy->rule_count]);
		policy->rule_count++;
	}
}
