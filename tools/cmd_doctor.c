/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls doctor`: whether a program can be covered, or a process is. */
#include "command.h"
#include "doctor.h"
#include "live.h"
#include "load.h"
#include "query.h"
#include "reach.h"
#include "rows.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "live", no_argument, NULL, 'L' },
	{ "policy", required_argument, NULL, 'p' },
	{ "rule", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct report {
	struct rows rows;
	bool good, full; /* full: there is no memory for more */
};

static void tell(enum doctor_verdict verdict, const char *what, const char *detail, void *arg)
{
	static const char *const names[] = { "ok", "note", "warning", "no" };
	struct report *report = arg;

	if (verdict == DOCTOR_NO)
		report->good = false;
	if (rows_add(&report->rows, (const char *const[]){ names[verdict], what, detail }) < 0)
		report->full = true;
}

/* --- a handshake --- */

/* The rule that is named, else the one that a connection to the host and port would get. NULL: a
 * message was printed. */
static const struct policy_rule *choose_rule(
	const struct policy *policy, const char *name, const char *host, unsigned port)
{
	struct policy_query query = { .direction = POLICY_OUTBOUND,
		.remote_names = &host,
		.remote_name_count = 1,
		.uid = geteuid(),
		.gid = getegid() };
	struct policy_decision decision;

	for (size_t i = 0; name != NULL && i < policy->rule_count; i++)
		if (strcmp(policy->rules[i].name, name) == 0)
			return &policy->rules[i];
	if (name != NULL) {
		fail(0, "there is no rule \"%s\" in '%s'", name, policy->source);
		return NULL;
	}
	if (query_parse_address(host, &query.remote))
		query.remote_name_count = 0;
	query.remote.port = (uint16_t)port;
	policy_decide(policy, &query, &decision);
	if (decision.rule == NULL || decision.action != POLICY_TLS) {
		fail(0, "no rule of '%s' has TLS for %s port %u: name one with --rule",
			policy->source, host, port);
		return NULL;
	}
	return decision.rule;
}

static const struct policy_rule *usable(const struct policy_rule *rule)
{
	if (rule != NULL && rule->action != POLICY_TLS) {
		fail(0, "the rule \"%s\" has no TLS: action = %s", rule->name,
			policy_action_name(rule->action));
		return NULL;
	}
	return rule;
}

/* "host:port", "[::1]:port" into its parts; false: it is none. */
static bool split(char *peer, char **host, char **port)
{
	char *colon = strrchr(peer, ':'), *end;
	unsigned long number = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9' || *end != '\0' || number == 0 ||
		number > 65535)
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = peer;
	if (peer[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*host = peer + 1;
	}
	return **host != '\0';
}

static int test_live(const char *setting, const char *name, char *peer, struct report *report)
{
	const struct policy_rule *rule = NULL;
	struct policy *policy = NULL;
	char *path = NULL, *host, *port;
	int status;

	if (!split(peer, &host, &port))
		return usage_error("found '%s', allowed with --live: HOST:PORT", peer);
	status = load_find(setting != NULL ? setting : getenv("SEAMTLS_POLICY"), &path);
	if (status == EXIT_SUCCESS)
		status = load_policy(path, &policy);
	if (status == EXIT_SUCCESS)
		rule = usable(choose_rule(policy, name, host, (unsigned)atoi(port)));
	if (rule != NULL)
		live_test(rule, host, port, tell, report);
	if (status == EXIT_SUCCESS && (rule == NULL || !report->good))
		status = EXIT_FAILURE;
	policy_free(policy);
	free(path);
	return status;
}

/* --- a program, or a process --- */

static int examine(const char *subject, struct report *report)
{
	bool is_pid = subject[0] != '\0' && strspn(subject, "0123456789") == strlen(subject);
	char path[PATH_MAX];
	int r;

	if (is_pid)
		return strlen(subject) < 10 ? doctor_process(atoi(subject), tell, report) : -ESRCH;
	r = reach_find(subject, path, sizeof path);
	return r < 0 ? r : doctor_program(path, tell, report);
}

int cmd_doctor(int argc, char **argv)
{
	static const char *const names[] = { "verdict", "what", "detail", NULL };
	enum rows_format format = ROWS_TABLE;
	struct report report = { .good = true };
	const char *policy = NULL, *rule = NULL;
	bool live = false;
	int option, r;

	while ((option = getopt_long(argc, argv, "p:", options, NULL)) != -1) {
		if (option == 'h')
			return usage_help();
		if (option == '?')
			return usage_hint();
		if (option == 'L')
			live = true;
		else if (option == 'p')
			policy = optarg;
		else if (option == 'r')
			rule = optarg;
		else if (!rows_parse_format(optarg, &format))
			return usage_error(
				"--format: found '%s', allowed: table, json, csv", optarg);
	}
	if (argc - optind != 1)
		return usage_error("one program, process or peer at a time");
	rows_init(&report.rows, format, names);
	if (live) {
		r = test_live(policy, rule, argv[optind], &report);
		if (report.rows.count > 0)
			rows_finish(&report.rows);
		return report.full ? fail(ENOMEM, "the list is not complete") : r;
	}
	r = examine(argv[optind], &report);
	if (r == 0)
		doctor_kernel(tell, &report);
	if (report.rows.count > 0)
		rows_finish(&report.rows);
	if (r < 0 || report.full)
		return fail(r < 0 ? r : -ENOMEM, "cannot look at '%s'", argv[optind]);
	return report.good ? EXIT_SUCCESS : EXIT_FAILURE;
}
