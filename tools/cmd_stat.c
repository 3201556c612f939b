/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls stat`: what the audit log says in sum. */
#include "command.h"
#include "load.h"
#include "log_source.h"
#include "totals_print.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FORMAT = 1, TOP };
enum stat_format { STAT_TABLE, STAT_JSON, STAT_CSV, STAT_PROMETHEUS };

#define TOP_DEFAULT 10

static const struct option options[] = {
	{ "format", required_argument, NULL, FORMAT },
	{ "policy", required_argument, NULL, 'p' },
	{ "top", required_argument, NULL, TOP },
	LOG_SOURCE_OPTIONS,
};

struct request {
	struct log_source source;
	enum stat_format format;
	const char *policy;
	size_t top;
};

static int read_format(const char *text, enum stat_format *out)
{
	static const char *const names[] = { "table", "json", "csv", "prometheus" };

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i], text) == 0) {
			*out = (enum stat_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_top(const char *text, size_t *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && *out > 0 && *out <= 1000000
		       ? 0
		       : -EINVAL;
}

static int set_option(void *arg, int option, const char *value)
{
	struct request *request = arg;

	if (option == FORMAT)
		return read_format(value, &request->format);
	if (option == TOP)
		return read_top(value, &request->top);
	request->policy = value;
	return 0;
}

static const char *allowed(int option)
{
	return option == FORMAT ? "table, json, csv, prometheus" : "a number from 1 on";
}

/* The names of the policy's rules that no event names. 0; -ENOMEM. */
static int find_unused(
	const struct policy *policy, const struct totals *totals, struct totals_view *view)
{
	const char **unused = calloc(policy->rule_count + 1, sizeof *unused);

	if (unused == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (tally_find(&totals->by[TOTALS_RULE], policy->rules[i].name) == NULL)
			unused[view->unused_count++] = policy->rules[i].name;
	view->unused = unused;
	return 0;
}

static int print(const struct request *request, const struct totals_view *view)
{
	int r;

	if (request->format == STAT_TABLE)
		r = totals_print_table(view, stdout);
	else if (request->format == STAT_PROMETHEUS)
		r = totals_print_prometheus(view, stdout);
	else
		r = totals_print_rows(view, request->format == STAT_JSON, stdout);
	return r < 0 ? fail(r, "cannot print") : EXIT_SUCCESS;
}

static int run(const struct request *request, const struct policy *policy, struct totals *totals)
{
	struct totals_view view = { .totals = totals, .top = request->top, .now = time(NULL) };
	int status = log_source_each(&request->source, totals_take, totals);
	int r = policy != NULL ? find_unused(policy, totals, &view) : 0;

	if (r < 0 || totals->incomplete)
		status = fail(ENOMEM, "the totals are not complete");
	if (print(request, &view) != EXIT_SUCCESS)
		status = EXIT_FAILURE;
	free((void *)view.unused);
	return status;
}

static int load(const char *setting, struct policy **out)
{
	char *path = NULL;
	int status = load_find(setting, &path);

	if (status == EXIT_SUCCESS)
		status = load_policy(path, out);
	free(path);
	return status;
}

int cmd_stat(int argc, char **argv)
{
	struct request request = { .format = STAT_TABLE, .top = TOP_DEFAULT };
	const struct log_options own = { "p:", options, set_option, allowed, &request };
	struct totals *totals;
	struct policy *policy = NULL;
	bool done;
	int status = log_source_arguments(&request.source, argc, argv, &own, &done);

	if (status != EXIT_SUCCESS || done)
		return status;
	if (request.policy != NULL)
		status = load(request.policy, &policy);
	totals = calloc(1, sizeof *totals);
	if (totals == NULL) {
		status = fail(ENOMEM, "cannot begin to read the log");
	} else {
		if (status == EXIT_SUCCESS)
			status = run(&request, policy, totals);
		totals_clear(totals);
	}
	free(totals);
	policy_free(policy);
	return status;
}
