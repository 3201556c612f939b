/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A policy in words: why a rule does not match, what it says, what it gives up, and whether it can
 * be reached. */
#include "policy/conditions.h"
#include "policy/keys.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 65536

static void add_address(struct text *text, const struct policy_address *address)
{
	char buf[INET6_ADDRSTRLEN];

	if (address->family == 0 ||
		inet_ntop(address->family, address->bytes, buf, sizeof(buf)) == NULL)
		text_add(text, "the connection's is not known");
	else
		text_add(text, "the connection's is %s", buf);
}

static void add_port(struct text *text, const struct policy_address *address)
{
	if (address->port == 0)
		text_add(text, "the connection's is not known");
	else
		text_add(text, "the connection's is %u", address->port);
}

static void add_names(struct text *text, const struct policy_query *query)
{
	if (query->remote_name_count == 0)
		text_add(text, "the program looked no name up for the address");
	for (size_t i = 0; i < query->remote_name_count; i++)
		text_add(text, "%s%s", i == 0 ? "the program looked up " : ", ",
			query->remote_names[i]);
}

static void add_groups(struct text *text, const struct policy_query *query)
{
	text_add(text, "the process has %ju", (uintmax_t)query->gid);
	for (size_t i = 0; i < query->group_count; i++)
		if (query->groups[i] != query->gid)
			text_add(text, ", %ju", (uintmax_t)query->groups[i]);
}

static void add_string(struct text *text, const char *what, const char *value)
{
	if (value == NULL)
		text_add(text, "%s is not known", what);
	else
		text_add(text, "%s is %s", what, value);
}

/* What the query has where the condition asks. */
static void add_actual(struct text *text, enum condition_id id, const struct policy_query *query)
{
	switch (id) {
	case CONDITION_DIRECTION:
		add_string(text, "the connection's", policy_direction_name(query->direction));
		break;
	case CONDITION_LOCAL_PORT:
		add_port(text, &query->local);
		break;
	case CONDITION_REMOTE_PORT:
		add_port(text, &query->remote);
		break;
	case CONDITION_LOCAL_ADDRESS:
		add_address(text, &query->local);
		break;
	case CONDITION_REMOTE_ADDRESS:
		add_address(text, &query->remote);
		break;
	case CONDITION_REMOTE_HOST:
		add_names(text, query);
		break;
	case CONDITION_PROGRAM:
		add_string(text, "the program", query->program);
		break;
	case CONDITION_USER:
		text_add(text, "the process has %ju", (uintmax_t)query->uid);
		break;
	case CONDITION_GROUP:
		add_groups(text, query);
		break;
	case CONDITION_LABEL:
		add_string(text, "the label", query->label);
		break;
	case CONDITION_COUNT:
		break;
	}
}

/* The row of a condition. Its field is where the enum says: conditions stand in the table in the
 * order of their numbers. */
static const struct policy_key *condition_key(enum condition_id id)
{
	return key_find("direction") + id;
}

static struct key_values *rule_values(const struct policy_rule *rule, struct key_values *values)
{
	*values = (struct key_values){ .conditions = *rule->conditions,
		.tls = rule->tls,
		.action = rule->action,
		.require = rule->require };
	return values;
}

bool policy_rule_explain(
	const struct policy_rule *rule, const struct policy_query *query, char *buf, size_t len)
{
	struct key_values values;
	struct policy_query normal;
	struct text text;
	enum condition_id id;
	const struct policy_key *key;

	text_init(&text, buf, len);
	conditions_normalize(query, &normal);
	id = conditions_first_unmet(rule->conditions, &normal, 0);
	if (id == CONDITION_COUNT)
		return true;
	key = condition_key(id);
	text_add(&text, "%s is ", key->name);
	key->print(key, key_field(key, rule_values(rule, &values)), &text);
	text_add(&text, "; ");
	add_actual(&text, id, &normal);
	return false;
}

unsigned policy_rule_directions(const struct policy_rule *rule)
{
	return conditions_directions(rule->conditions);
}

/* Calls row() for those keys that have a value; `wanted` decides by the row of the key. */
static void each_key(const struct policy_rule *rule,
	bool (*wanted)(const struct policy_rule *rule, const struct policy_key *key),
	void (*row)(const char *key, const char *value, void *arg), void *arg)
{
	char *buf = malloc(VALUE_BYTES);
	struct key_values values;

	if (buf == NULL)
		return;
	rule_values(rule, &values);
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		struct text text;

		if (key->size == 0 || key->print == NULL || !wanted(rule, key))
			continue;
		text_init(&text, buf, VALUE_BYTES);
		key->print(key, key_field(key, &values), &text);
		if (text.len > 0)
			row(key->name, buf, arg);
	}
	free(buf);
}

static bool is_setting(const struct policy_rule *rule, const struct policy_key *key)
{
	return key_is_tls(key) &&
	       (key->role == 0 || (key->role & policy_rule_directions(rule)) != 0);
}

static bool is_relaxed(const struct policy_rule *rule, const struct policy_key *key)
{
	struct key_values values;

	if (rule->action != POLICY_TLS || !is_setting(rule, key))
		return false;
	rule_values(rule, &values);
	if (key->relaxes)
		return *(char *const *)key_field(key, &values) != NULL;
	if (key->choices == NULL || key->parse != parse_choice)
		return false;
	for (const struct policy_choice *choice = key->choices; choice->name != NULL; choice++)
		if (choice->value == *(const unsigned *)key_field(key, &values))
			return (choice->flags & CHOICE_RELAXES) != 0;
	return false;
}

static bool is_condition(const struct policy_rule *rule, const struct policy_key *key)
{
	(void)rule;
	return key >= condition_key(CONDITION_DIRECTION) && key < condition_key(CONDITION_COUNT);
}

static bool is_shown(const struct policy_rule *rule, const struct policy_key *key)
{
	return rule->action == POLICY_TLS ? is_setting(rule, key)
					  : strcmp(key->name, "require") == 0;
}

void policy_settings_each(const struct policy_rule *rule,
	void (*row)(const char *key, const char *value, void *arg), void *arg)
{
	each_key(rule, is_shown, row, arg);
}

void policy_relaxed_each(const struct policy_rule *rule,
	void (*row)(const char *key, const char *value, void *arg), void *arg)
{
	each_key(rule, is_relaxed, row, arg);
}

void policy_conditions_each(const struct policy_rule *rule,
	void (*row)(const char *key, const char *value, void *arg), void *arg)
{
	each_key(rule, is_condition, row, arg);
}

const struct policy_rule *policy_rule_shadow(
	const struct policy *policy, const struct policy_rule *rule)
{
	for (const struct policy_rule *earlier = policy->rules; earlier < rule; earlier++)
		if (conditions_cover(earlier->conditions, rule->conditions))
			return earlier;
	return NULL;
}
