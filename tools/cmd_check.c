/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * seamtls check: everything that is wrong with a policy, as FILE:LINE: KEY: MESSAGE for editors to
 * jump to; and if nothing is, what its rules are and what they give up, with errors for files that
 * cannot be used and warnings for what loads and is probably not meant.
 */
#include "command.h"
#include "credentials.h"
#include "load.h"
#include "policy/policy.h"
#include "rows.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORT_VALUE 48 /* columns of one condition in a table */

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* What it means to relax a setting, for those who did not write the policy. No value: any. */
static const struct {
	const char *key, *value, *meaning;
} relaxed[] = {
	{ "verify", "none",
		"the peer is not verified: whoever is on the way can read and change everything" },
	{ "verify", "chain", "any host with a certificate of these authorities is accepted" },
	{ "crl_check", "available",
		"a revoked certificate is accepted once its CA's list is missing or has expired" },
	{ "truncation", "accept", "whoever is on the way can cut connections short unnoticed" },
	{ "accept", "both", "clients may go on without TLS" },
	{ "start", "program", "it is in the clear until the program itself starts TLS" },
	{ "keylog", NULL, "whoever can read this file can read the connections" },
};

static void print_error(const struct policy_error *error)
{
	fprintf(stderr, "%s:", error->file);
	if (error->line > 0)
		fprintf(stderr, "%u:", error->line);
	if (error->key != NULL)
		fprintf(stderr, " %s:", error->key);
	fprintf(stderr, " %s\n", error->message);
}

__attribute__((format(printf, 2, 3))) static void warn_rule(
	const struct policy_rule *rule, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: warning: the rule \"%s\" ", rule->file, rule->line, rule->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void warn_relaxed(const char *key, const char *value, void *arg)
{
	for (size_t i = 0; i < sizeof relaxed / sizeof relaxed[0]; i++)
		if (strcmp(relaxed[i].key, key) == 0 &&
			(relaxed[i].value == NULL || strcmp(relaxed[i].value, value) == 0))
			warn_rule(arg, "has %s = %s: %s", key, value, relaxed[i].meaning);
}

static void warn_of_rule(const struct policy *policy, const struct policy_rule *rule)
{
	const struct policy_rule *shadow = policy_rule_shadow(policy, rule);

	if (shadow != NULL)
		warn_rule(rule,
			"is never reached: the rule \"%s\" at %s:%u takes all its connections",
			shadow->name, shadow->file, shadow->line);
	if (rule->require != 0 && !policy->global.strict)
		warn_rule(rule,
			"has require, and [global] has no strict = yes: what a program sends by "
			"io_uring is not seen, and not refused");
	if (rule->action != POLICY_TLS)
		return;
	policy_relaxed_each(rule, warn_relaxed, (void *)rule);
}

static void warn_of_owner(const struct policy *policy)
{
	struct stat st;

	if (policy->source[0] == '/' && stat(policy->source, &st) == 0 &&
		(st.st_mode & (S_IWOTH | S_IWGRP)) != 0)
		fprintf(stderr, "%s: warning: others than its owner can write the policy\n",
			policy->source);
}

/* Key-value pairs as one cell: "key = value; key = value". */
struct cell {
	char *text;
	size_t len;
	FILE *stream;
	bool cut; /* long values, for people */
};

static void add_pair(const char *key, const char *value, void *arg)
{
	struct cell *cell = arg;
	bool cut = cell->cut && strlen(value) > SHORT_VALUE;

	fprintf(cell->stream, "%s%s = %.*s%s", ftell(cell->stream) > 0 ? "; " : "", key,
		cut ? SHORT_VALUE - 3 : (int)strlen(value), value, cut ? "..." : "");
}

static char *pairs(const struct policy_rule *rule, bool cut,
	void (*each)(const struct policy_rule *rule,
		void (*row)(const char *key, const char *value, void *arg), void *arg))
{
	struct cell cell = { .cut = cut };

	cell.stream = open_memstream(&cell.text, &cell.len);
	if (cell.stream == NULL)
		return NULL;
	each(rule, add_pair, &cell);
	if (fclose(cell.stream) == 0)
		return cell.text;
	free(cell.text);
	return NULL;
}

static int add_rule(struct rows *rows, const struct policy_rule *rule)
{
	bool table = rows->format == ROWS_TABLE;
	char *conditions = pairs(rule, table, policy_conditions_each);
	char *relaxes = pairs(rule, table, policy_relaxed_each);
	const char *cells[] = { rule->name, policy_action_name(rule->action), relaxes, conditions };
	int r = -1;

	if (conditions != NULL && relaxes != NULL)
		r = rows_add(rows, cells);
	free(conditions);
	free(relaxes);
	return r;
}

static int print_rules(const struct policy *policy, enum rows_format format)
{
	static const char *const names[] = { "rule", "action", "relaxes", "conditions", NULL };
	const char *last[] = { format == ROWS_TABLE ? "(no rule)" : "",
		policy_action_name(policy->global.default_action), "", "" };
	struct rows rows;
	int r = 0;

	rows_init(&rows, format, names);
	for (size_t i = 0; r == 0 && i < policy->rule_count; i++)
		r = add_rule(&rows, &policy->rules[i]);
	if (r == 0)
		r = rows_add(&rows, last);
	rows_finish(&rows);
	return r == 0 ? EXIT_SUCCESS : fail(0, "out of memory");
}

static int check(const char *path, enum rows_format format)
{
	struct policy_errors errors;
	struct policy *policy;
	int r = policy_load(path, &policy, &errors), status;
	size_t failed;

	for (size_t i = 0; i < errors.count; i++)
		print_error(&errors.items[i]);
	policy_errors_clear(&errors);
	if (r < 0)
		return r == -EINVAL ? EXIT_FAILURE : fail(r, "cannot load the policy");
	warn_of_owner(policy);
	for (size_t i = 0; i < policy->rule_count; i++)
		warn_of_rule(policy, &policy->rules[i]);
	failed = credentials_check(policy);
	status = print_rules(policy, format);
	policy_free(policy);
	return failed > 0 ? EXIT_FAILURE : status;
}

int cmd_check(int argc, char **argv)
{
	enum rows_format format = ROWS_TABLE;
	char *path;
	int option, status;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return usage_help();
		if (option != 'f')
			return usage_hint();
		if (!rows_parse_format(optarg, &format))
			return usage_error(
				"--format: found '%s', allowed: table, json, csv", optarg);
	}
	if (argc - optind > 1)
		return usage_error("one policy at a time");
	status = load_find(optind < argc ? argv[optind] : getenv("SEAMTLS_POLICY"), &path);
	if (status == EXIT_SUCCESS)
		status = check(path, format);
	free(path);
	return status;
}
