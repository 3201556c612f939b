/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls log`: the audit events of all programs, in the order of time. */
#include "audit/writer.h"
#include "command.h"
#include "log_follow.h"
#include "log_print.h"
#include "text.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct request {
	struct log_filter filter;
	enum log_format format;
	bool follow;
	char **places; /* files and directories, the last one NULL */
};

enum { FORMAT = 1, FOLLOW, SINCE, EVENT, RULE, PROGRAM, PEER, DIRECTION, HELP };

static int read_format(const char *text, enum log_format *out)
{
	static const struct {
		const char *name;
		enum log_format format;
	} formats[] = { { "table", LOG_TABLE }, { "json", LOG_JSON }, { "csv", LOG_CSV } };

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(formats[i].name, text) == 0) {
			*out = formats[i].format;
			return 0;
		}
	}
	return -EINVAL;
}

/* One option. 0; -EINVAL: a value that is not allowed; -E2BIG: too often. */
static int read_option(struct request *request, int option, const char *value)
{
	struct log_filter *filter = &request->filter;

	switch (option) {
	case FORMAT:
		return read_format(value, &request->format);
	case FOLLOW:
		request->follow = true;
		return 0;
	case SINCE:
		return log_filter_since(filter, value, (uint64_t)time(NULL) * 1000000);
	case EVENT:
		return log_filter_event(filter, value);
	case RULE:
		return log_patterns_add(&filter->rules, value);
	case PROGRAM:
		return log_patterns_add(&filter->programs, value);
	case PEER:
		return log_patterns_add(&filter->peers, value);
	default:
		return log_filter_direction(filter, value);
	}
}

static const char *allowed(int option)
{
	static const char *const texts[] = {
		[FORMAT] = "table, json, csv",
		[SINCE] = "a time like 2025-01-31T12:00:00Z, or 10m, 2h, 1d",
		[EVENT] = "open, fail, close, pass, deny, observe, policy, lost",
		[DIRECTION] = "inbound, outbound",
		[HELP] = "",
	};

	return texts[option];
}

/* EXIT_SUCCESS; else what to return. *done: it was --help. */
static int read_arguments(int argc, char **argv, struct request *request, bool *done)
{
	static const struct option options[] = {
		{ "format", required_argument, NULL, FORMAT },
		{ "follow", no_argument, NULL, FOLLOW },
		{ "since", required_argument, NULL, SINCE },
		{ "event", required_argument, NULL, EVENT },
		{ "rule", required_argument, NULL, RULE },
		{ "program", required_argument, NULL, PROGRAM },
		{ "peer", required_argument, NULL, PEER },
		{ "direction", required_argument, NULL, DIRECTION },
		{ "help", no_argument, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	int option, index = 0, r;

	while ((option = getopt_long(argc, argv, "f", options, &index)) != -1) {
		if (option == '?')
			return usage_hint();
		if (option == HELP) {
			*done = true;
			return usage_help();
		}
		r = read_option(request, option == 'f' ? FOLLOW : option, optarg);
		if (r == -E2BIG)
			return usage_error("--%s was given too often", options[index].name);
		if (r < 0)
			return usage_error("--%s: found '%s', allowed: %s", options[index].name,
				optarg, allowed(option));
	}
	request->places = argv + optind;
	return EXIT_SUCCESS;
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

static bool add_places(struct log_merge *merge, struct log_follow *follow, char **places)
{
	bool good = true;
	char name[PATH_MAX];

	for (; *places != NULL; places++) {
		int r = add_place(merge, follow, *places);

		if (r < 0) {
			fail(r, "cannot open '%s'", text_safe(name, sizeof name, *places));
			good = false;
		}
	}
	return good;
}

static int print_all(struct log_merge *merge, struct log_printer *printer)
{
	struct audit_event event;
	int r;

	while ((r = log_merge_next(merge, &event)) > 0 && !ferror(printer->out))
		log_print(printer, &event);
	return fflush(printer->out) != 0 ? -errno : r;
}

static int print_and_follow(
	struct log_merge *merge, struct log_follow *follow, struct log_printer *printer)
{
	int r = print_all(merge, printer);

	while (follow != NULL && r == 0) {
		r = log_follow_wait(follow, merge);
		if (r <= 0)
			break;
		r = print_all(merge, printer);
	}
	log_printer_finish(printer);
	return r;
}

static int run(const struct request *request, struct log_merge *merge, struct log_follow *follow)
{
	struct log_printer printer;
	bool good = add_places(merge, follow, request->places);
	char name[PATH_MAX];
	int r;

	/* No failure: nothing was audited there so far. */
	if (good && log_merge_count(merge) == 0)
		fail(0, "there are no audit files in '%s'",
			text_safe(name, sizeof name, request->places[0]));
	if (log_merge_count(merge) == 0 && follow == NULL)
		return good ? EXIT_SUCCESS : EXIT_FAILURE;
	log_printer_init(&printer, request->format, stdout);
	r = print_and_follow(merge, follow, &printer);
	if (r < 0)
		fail(r, "cannot go on");
	return log_merge_finish(merge) && good && r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int log_places(const struct request *request)
{
	struct log_merge *merge = log_merge_new(&request->filter);
	struct log_follow *follow = NULL;
	int r = merge != NULL ? 0 : -ENOMEM;

	if (r == 0 && request->follow)
		r = log_follow_new(&follow);
	r = r < 0 ? fail(r, "cannot start") : run(request, merge, follow);
	log_follow_free(follow);
	log_merge_free(merge);
	return r;
}

int cmd_log(int argc, char **argv)
{
	struct request request = { .format = LOG_TABLE, .places = argv + argc };
	const char *setting = secure_getenv("SEAMTLS_AUDIT");
	char dir[PATH_MAX];
	char *usual[] = { dir, NULL };
	bool done = false;
	int r = read_arguments(argc, argv, &request, &done);

	if (r != EXIT_SUCCESS || done)
		return r;
	/* `seamtls log | head` ends quietly, whatever the parent ignores. */
	signal(SIGPIPE, SIG_DFL);
	if (request.places[0] != NULL)
		return log_places(&request);
	if (setting != NULL && setting[0] != '\0' && strcmp(setting, "none") != 0)
		r = snprintf(dir, sizeof dir, "%s", setting) < (int)sizeof dir ? 0 : -ENAMETOOLONG;
	else
		r = audit_default_dir(
			secure_getenv("XDG_STATE_HOME"), secure_getenv("HOME"), dir, sizeof dir);
	if (r < 0)
		return fail(r, "cannot tell where the audit directory is");
	request.places = usual;
	return log_places(&request);
}
