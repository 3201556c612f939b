/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls suggest`: a policy out of what was in the clear. */
#include "command.h"
#include "log_source.h"
#include "suggest.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STAGE = 1, LOOPBACK, CA, CERT, KEY };

static const struct option options[] = {
	{ "stage", required_argument, NULL, STAGE },
	{ "loopback", no_argument, NULL, LOOPBACK },
	{ "ca", required_argument, NULL, CA },
	{ "cert", required_argument, NULL, CERT },
	{ "key", required_argument, NULL, KEY },
	LOG_SOURCE_OPTIONS,
};

/* A value that is one line of a policy, and no comment. 0; -EINVAL. */
static int set_file(const char **out, const char *value)
{
	*out = value;
	return value[0] != '\0' && strpbrk(value, "\n\r#;,\"") == NULL ? 0 : -EINVAL;
}

static int set_option(void *arg, int option, const char *value)
{
	struct suggest *suggest = arg;

	switch (option) {
	case STAGE:
		suggest->enforce = strcmp(value, "enforce") == 0;
		return suggest->enforce || strcmp(value, "permissive") == 0 ? 0 : -EINVAL;
	case LOOPBACK:
		suggest->loopback = true;
		return 0;
	case CA:
		return set_file(&suggest->ca, value);
	case CERT:
		return set_file(&suggest->cert, value);
	default:
		return set_file(&suggest->key, value);
	}
}

static const char *allowed(int option)
{
	return option == STAGE ? "permissive, enforce" : "a file without , ; # or \" in its name";
}

int cmd_suggest(int argc, char **argv)
{
	struct suggest suggest = { .ca = "system" };
	const struct log_options own = { "", options, set_option, allowed, &suggest };
	struct log_source source;
	bool done;
	int status = log_source_arguments(&source, argc, argv, &own, &done);

	if (status != EXIT_SUCCESS || done)
		return status;
	if ((suggest.cert == NULL) != (suggest.key == NULL))
		return usage_error("--cert and --key belong together");
	status = log_source_each(&source, suggest_take, &suggest);
	suggest_print(&suggest, stdout);
	if (suggest.incomplete)
		status = fail(ENOMEM, "the policy is not complete");
	suggest_clear(&suggest);
	return status;
}
