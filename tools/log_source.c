/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_source.h"
#include "audit/writer.h"
#include "command.h"
#include "log_progress.h"
#include "text.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* --- arguments --- */

/* A common option. 0; -EINVAL; -E2BIG. */
static int set_common(struct log_filter *filter, int option, const char *value)
{
	uint64_t now_us = (uint64_t)time(NULL) * 1000000;

	switch (option) {
	case LOG_SINCE:
		return log_filter_time(value, now_us, &filter->since_us);
	case LOG_UNTIL:
		return log_filter_time(value, now_us, &filter->until_us);
	case LOG_EVENT:
		return log_filter_event(filter, value);
	case LOG_CAUSE:
		return log_filter_cause(filter, value);
	case LOG_PROTOCOL:
		return log_filter_protocol(filter, value);
	case LOG_APPLICATION:
		return log_patterns_add(&filter->applications, value);
	case LOG_RULE:
		return log_patterns_add(&filter->rules, value);
	case LOG_PROGRAM:
		return log_patterns_add(&filter->programs, value);
	case LOG_PEER:
		return log_patterns_add(&filter->peers, value);
	default:
		return log_filter_direction(filter, value);
	}
}

static const char *all_causes(void)
{
	static char all[512];

	for (int i = CAUSE_NONE + 1; all[0] == '\0' || i < CAUSE_COUNT; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s",
			i > CAUSE_NONE + 1 ? ", " : "", cause_name((enum cause)i));
	return all;
}

static const char *common_allowed(int option)
{
	switch (option) {
	case LOG_SINCE:
	case LOG_UNTIL:
		return "a time like 2025-01-31T12:00:00Z, or 10m, 2h, 1d";
	case LOG_EVENT:
		return "open, fail, close, pass, deny, observe, policy, lost";
	case LOG_CAUSE:
		return all_causes();
	case LOG_PROTOCOL:
		return "tls, ssh, clear, none, unknown";
	default:
		return "inbound, outbound";
	}
}

static const char *option_name(const struct option *options, int option)
{
	while (options->name != NULL && options->val != option)
		options++;
	return options->name != NULL ? options->name : "";
}

static int read_options(
	struct log_source *source, int argc, char **argv, const struct log_options *own, bool *done)
{
	int option, r;

	while ((option = getopt_long(argc, argv, own->shorts, own->options, NULL)) != -1) {
		bool common = option >= LOG_SINCE;

		if (option == '?')
			return usage_hint();
		if (option == LOG_HELP) {
			*done = true;
			return usage_help();
		}
		r = common ? set_common(&source->filter, option, optarg)
			   : own->set(own->arg, option, optarg);
		if (r == -E2BIG)
			return usage_error(
				"--%s was given too often", option_name(own->options, option));
		if (r < 0)
			return usage_error("--%s: found '%s', allowed: %s",
				option_name(own->options, option), optarg,
				common ? common_allowed(option) : own->allowed(option));
	}
	return EXIT_SUCCESS;
}

/* Where to look if nothing is said. */
static int usual_place(struct log_source *source)
{
	const char *setting = secure_getenv("SEAMTLS_AUDIT");
	size_t len = sizeof source->usual;
	int r;

	if (setting != NULL && setting[0] != '\0' && strcmp(setting, "none") != 0)
		r = (size_t)snprintf(source->usual, len, "%s", setting) < len ? 0 : -ENAMETOOLONG;
	else
		r = audit_default_dir(
			secure_getenv("XDG_STATE_HOME"), secure_getenv("HOME"), source->usual, len);
	if (r < 0)
		return fail(r, "cannot tell where the audit directory is");
	source->usual_places[0] = source->usual;
	source->usual_places[1] = NULL;
	source->places = source->usual_places;
	return EXIT_SUCCESS;
}

int log_source_operands(struct log_source *source, int argc, char **argv, int operands,
	const struct log_options *own, bool *done)
{
	int r;

	memset(source, 0, sizeof *source);
	*done = false;
	r = read_options(source, argc, argv, own, done);
	if (r != EXIT_SUCCESS || *done)
		return r;
	if (argc - optind < operands)
		return usage_error("too few arguments");
	/* `seamtls log | head` ends quietly, whatever the parent ignores. */
	signal(SIGPIPE, SIG_DFL);
	source->operands = argv + optind;
	source->places = argv + optind + operands;
	return source->places[0] != NULL ? EXIT_SUCCESS : usual_place(source);
}

int log_source_arguments(
	struct log_source *source, int argc, char **argv, const struct log_options *own, bool *done)
{
	return log_source_operands(source, argc, argv, 0, own, done);
}

/* --- reading --- */

static int add_place(struct log_merge *merge, struct log_follow *follow, const char *path)
{
	struct stat st;
	int r = 0;
	bool is_dir;

	if (stat(path, &st) < 0)
		return -errno;
	is_dir = S_ISDIR(st.st_mode);
	if (follow != NULL)
		r = log_follow_add(follow, path, is_dir);
	if (r < 0)
		return r;
	return is_dir ? log_merge_add_dir(merge, path) : log_merge_add(merge, path);
}

bool log_source_open(
	const struct log_source *source, struct log_merge *merge, struct log_follow *follow)
{
	bool good = true;
	char name[PATH_MAX];

	for (char **place = source->places; *place != NULL; place++) {
		int r = add_place(merge, follow, *place);

		if (r < 0) {
			fail(r, "cannot open '%s'", text_safe(name, sizeof name, *place));
			good = false;
		}
	}
	/* No failure: nothing was audited there so far. */
	if (good && log_merge_count(merge) == 0)
		fail(0,
			"there are no audit files in '%s': programs write to the audit_dir of "
			"their "
			"policy; say where that is, or set SEAMTLS_AUDIT",
			text_safe(name, sizeof name, source->places[0]));
	return good;
}

int log_source_each(const struct log_source *source,
	void (*take)(const struct audit_event *event, void *arg), void *arg)
{
	struct log_merge *merge = log_merge_new(&source->filter);
	struct log_progress progress;
	struct audit_event event;
	bool good;
	int r;

	if (merge == NULL)
		return fail(ENOMEM, "cannot begin to read the log");
	good = log_source_open(source, merge, NULL);
	log_progress_begin(&progress, merge, false);
	while ((r = log_merge_next(merge, &event)) > 0)
		take(&event, arg);
	log_progress_end(&progress);
	if (r < 0)
		fail(r, "cannot go on reading the log");
	good = log_merge_finish(merge) && good && r == 0;
	log_merge_free(merge);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
