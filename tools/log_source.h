/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the subcommands have in common that read the audit log: the options that say which events
 * are wanted, the directories and files that are to be read, and reading them.
 */
#ifndef SEAMTLS_TOOLS_LOG_SOURCE_H
#define SEAMTLS_TOOLS_LOG_SOURCE_H

#include "log_follow.h"
#include <getopt.h>
#include <limits.h>

struct log_source {
	struct log_filter filter;
	char **operands; /* what stands before the places: log_source_operands() */
	char **places;   /* files and directories, the last one NULL */
	char usual[PATH_MAX];
	char *usual_places[2];
};

/* getopt_long()'s numbers of the common options; a subcommand's own ones are below. */
enum {
	LOG_SINCE = 256,
	LOG_UNTIL,
	LOG_EVENT,
	LOG_CAUSE,
	LOG_PROTOCOL,
	LOG_APPLICATION,
	LOG_RULE,
	LOG_PROGRAM,
	LOG_PEER,
	LOG_DIRECTION,
	LOG_HELP,
};

/* The rows of the common options, and of the end of the table. */
/* clang-format off */
#define LOG_SOURCE_OPTIONS                                      \
	{ "since", required_argument, NULL, LOG_SINCE },        \
	{ "until", required_argument, NULL, LOG_UNTIL },        \
	{ "event", required_argument, NULL, LOG_EVENT },        \
	{ "cause", required_argument, NULL, LOG_CAUSE },        \
	{ "protocol", required_argument, NULL, LOG_PROTOCOL },  \
	{ "application", required_argument, NULL, LOG_APPLICATION }, \
	{ "rule", required_argument, NULL, LOG_RULE },          \
	{ "program", required_argument, NULL, LOG_PROGRAM },    \
	{ "peer", required_argument, NULL, LOG_PEER },          \
	{ "direction", required_argument, NULL, LOG_DIRECTION },\
	{ "help", no_argument, NULL, LOG_HELP },                \
	{ NULL, 0, NULL, 0 }
/* clang-format on */

/* A subcommand's own options. */
struct log_options {
	const char *shorts; /* getopt_long()'s */
	const struct option *options;
	/* 0; -EINVAL: the value is not allowed; -E2BIG: too often. */
	int (*set)(void *arg, int option, const char *value);
	/* What is allowed, for the message. */
	const char *(*allowed)(int option);
	void *arg;
};

/*
 * Reads all arguments. EXIT_SUCCESS; else what to return, the message is printed. *done: it was
 * --help, and there is nothing more to do.
 */
int log_source_arguments(struct log_source *source, int argc, char **argv,
	const struct log_options *own, bool *done);

/* For subcommands with so many operands of their own before the places. */
int log_source_operands(struct log_source *source, int argc, char **argv, int operands,
	const struct log_options *own, bool *done);

/* Adds all places to `merge` (and `follow`, unless NULL), with a message for each that is not
 * there. Whether all are. */
bool log_source_open(
	const struct log_source *source, struct log_merge *merge, struct log_follow *follow);

/* Gives every event that is wanted to `take`, in the order of time. EXIT_SUCCESS; EXIT_FAILURE:
 * not all could be read, and the messages are printed. */
int log_source_each(const struct log_source *source,
	void (*take)(const struct audit_event *event, void *arg), void *arg);

#endif
