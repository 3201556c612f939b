/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * seamtls explain: which rule a connection would get, why those before it do not match, and what
 * the rule means with everything filled in. Nothing is connected or looked up; what the connection
 * is like is said on the command line.
 */
#include "command.h"
#include "json.h"
#include "load.h"
#include "policy/policy.h"
#include "query.h"
#include "rows.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 16
#define WHY_BYTES 1024

static const struct option options[] = {
	{ "policy", required_argument, NULL, 'p' },
	{ "direction", required_argument, NULL, 'd' },
	{ "local", required_argument, NULL, 'L' },
	{ "remote", required_argument, NULL, 'R' },
	{ "host", required_argument, NULL, 'H' },
	{ "program", required_argument, NULL, 'P' },
	{ "user", required_argument, NULL, 'u' },
	{ "label", required_argument, NULL, 'l' },
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct explain {
	const char *policy;
	enum rows_format format;
	struct policy_query query;
	const char *names[NAMES_MAX];
	struct query_user user;
	char *program;
};

static int set_direction(struct explain *explain, const char *text)
{
	for (enum policy_direction direction = POLICY_OUTBOUND; direction <= POLICY_INBOUND;
		direction++)
		if (strcmp(text, policy_direction_name(direction)) == 0) {
			explain->query.direction = direction;
			return EXIT_SUCCESS;
		}
	return usage_error("--direction: found '%s', allowed: outbound, inbound", text);
}

static int set_address(const char *text, struct policy_address *out)
{
	if (query_parse_address(text, out))
		return EXIT_SUCCESS;
	return usage_error(
		"found '%s', allowed: ADDRESS:PORT, ADDRESS, :PORT, with [] around an IPv6 address",
		text);
}

static int set_host(struct explain *explain, const char *name)
{
	if (explain->query.remote_name_count == NAMES_MAX)
		return usage_error("--host was given more than %d times", NAMES_MAX);
	explain->names[explain->query.remote_name_count++] = name;
	return EXIT_SUCCESS;
}

static int set_format(struct explain *explain, const char *text)
{
	if (rows_parse_format(text, &explain->format) && explain->format != ROWS_CSV)
		return EXIT_SUCCESS;
	return usage_error("--format: found '%s', allowed: table, json", text);
}

static int set_user(struct explain *explain, const char *text)
{
	int r = query_user_find(text, &explain->user);

	return r == 0 ? EXIT_SUCCESS : fail(r, "cannot find the user '%s'", text);
}

static int set_program(struct explain *explain, const char *text)
{
	free(explain->program);
	explain->program = query_program_path(text);
	return explain->program != NULL ? EXIT_SUCCESS : fail(0, "out of memory");
}

static int set_option(struct explain *explain, int option, const char *value)
{
	switch (option) {
	case 'p':
		explain->policy = value;
		return EXIT_SUCCESS;
	case 'd':
		return set_direction(explain, value);
	case 'L':
		return set_address(value, &explain->query.local);
	case 'R':
		return set_address(value, &explain->query.remote);
	case 'H':
		return set_host(explain, value);
	case 'P':
		return set_program(explain, value);
	case 'u':
		return set_user(explain, value);
	case 'l':
		explain->query.label = value;
		return EXIT_SUCCESS;
	case 'f':
		return set_format(explain, value);
	default:
		return usage_hint();
	}
}

static void print_setting(const char *key, const char *value, void *arg)
{
	(void)arg;
	printf("  %-18s %s\n", key, value);
}

static void print_settings(const struct policy_rule *rule)
{
	if (rule->action != POLICY_TLS && rule->require == 0)
		return;
	puts("\nsettings:");
	policy_settings_each(rule, print_setting, NULL);
}

static int print_table(const struct policy *policy, const struct policy_query *query)
{
	char why[WHY_BYTES];
	struct policy_decision decision;

	printf("policy: %s\n", policy->source);
	policy_decide(policy, query, &decision);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule == decision.rule)
			break;
		policy_rule_explain(rule, query, why, sizeof why);
		printf("not \"%s\" (%s:%u): %s\n", rule->name, rule->file, rule->line, why);
	}
	if (decision.rule == NULL) {
		printf("no rule matches: the default action is %s\n",
			policy_action_name(decision.action));
		return EXIT_SUCCESS;
	}
	printf("rule \"%s\" (%s:%u): %s\n", decision.rule->name, decision.rule->file,
		decision.rule->line, policy_action_name(decision.action));
	print_settings(decision.rule);
	return EXIT_SUCCESS;
}

static void json_setting(const char *key, const char *value, void *arg)
{
	json_string(arg, key, value);
}

static void json_rule(struct json *json, const struct policy_rule *rule)
{
	json_begin(json, stdout);
	json_string(json, "rule", rule->name);
	json_string(json, "file", rule->file);
	json_number(json, "line", rule->line);
	json_string(json, "action", policy_action_name(rule->action));
}

static int print_json(const struct policy *policy, const struct policy_query *query)
{
	char why[WHY_BYTES];
	struct policy_decision decision;
	struct json json;

	policy_decide(policy, query, &decision);
	for (size_t i = 0; i < policy->rule_count && &policy->rules[i] != decision.rule; i++) {
		policy_rule_explain(&policy->rules[i], query, why, sizeof why);
		json_rule(&json, &policy->rules[i]);
		json_bool(&json, "matches", false);
		json_string(&json, "why", why);
		json_end(&json);
	}
	if (decision.rule != NULL) {
		json_rule(&json, decision.rule);
	} else {
		json_begin(&json, stdout);
		json_string(&json, "action", policy_action_name(decision.action));
	}
	json_bool(&json, "matches", true);
	if (decision.rule == NULL)
		json_string(&json, "why", "no rule matches");
	if (decision.action == POLICY_TLS ||
		(decision.rule != NULL && decision.rule->require != 0)) {
		json_open(&json, "settings", '{');
		policy_settings_each(decision.rule, json_setting, &json);
		json_close(&json, '}');
	}
	json_end(&json);
	return EXIT_SUCCESS;
}

static int explain_policy(struct explain *explain)
{
	struct policy *policy = NULL;
	char *path;
	int status = load_find(
		explain->policy != NULL ? explain->policy : getenv("SEAMTLS_POLICY"), &path);

	if (status == EXIT_SUCCESS)
		status = load_policy(path, &policy);
	if (status == EXIT_SUCCESS)
		status = explain->format == ROWS_JSON ? print_json(policy, &explain->query)
						      : print_table(policy, &explain->query);
	policy_free(policy);
	free(path);
	return status;
}

int cmd_explain(int argc, char **argv)
{
	struct explain explain = { .query = { .direction = POLICY_OUTBOUND } };
	int option, status = query_user_self(&explain.user) == 0 ? EXIT_SUCCESS
								 : fail(0, "out of memory");

	while (status == EXIT_SUCCESS &&
		(option = getopt_long(argc, argv, "p:l:", options, NULL)) != -1) {
		if (option == 'h') {
			status = usage_help();
			goto out;
		}
		status = set_option(&explain, option, optarg);
	}
	if (status == EXIT_SUCCESS && optind < argc)
		status = usage_error("unexpected argument '%s'", argv[optind]);
	if (status != EXIT_SUCCESS)
		goto out;
	explain.query.remote_names = explain.names;
	explain.query.program = explain.program;
	explain.query.uid = explain.user.uid;
	explain.query.gid = explain.user.gid;
	explain.query.groups = explain.user.groups;
	explain.query.group_count = explain.user.group_count;
	status = explain_policy(&explain);
out:
	free(explain.program);
	query_user_clear(&explain.user);
	return status;
}
