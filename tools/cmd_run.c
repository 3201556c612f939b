/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `seamtls run`: starts a program with the library preloaded. Whatever would make the loader, or
 * the library, quietly do nothing is looked for first: a program that a preload does not reach, a
 * policy that does not load, a library that is not there.
 */
#include "command.h"
#include "load.h"
#include "reach.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libseamtls.so"

struct run_options {
	const char *policy, *label; /* NULL: as the environment says */
};

static int parse_options(int argc, char **argv, struct run_options *out)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "label", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*out = (struct run_options){ 0 };
	while ((c = getopt_long(argc, argv, "+p:l:h", options, NULL)) != -1) {
		if (c == 'p')
			out->policy = optarg;
		else if (c == 'l')
			out->label = optarg;
		else
			return c == 'h' ? usage_help() : usage_hint();
	}
	if (optind == argc)
		return usage_error("no program is given");
	if (out->label != NULL && (out->label[0] == '\0' || strpbrk(out->label, " \t\n,") != NULL))
		return usage_error("a label is one word, without commas: '%s'", out->label);
	return -1;
}

/* Where the library is, seen from the directory that the command is in: in a build tree, and below
 * any prefix that both were installed or unpacked to. */
static const struct {
	const char *command, *library;
} trees[] = {
	{ "/tools/seamtls", "/shim/" LIBRARY },
	{ "/" SEAMTLS_BINDIR "/seamtls", "/" SEAMTLS_LIBDIR "/" LIBRARY },
};

static bool find_in_tree(const char *self, size_t i, char *path, size_t len)
{
	size_t self_len = strlen(self), tail = strlen(trees[i].command);

	if (self_len < tail || strcmp(self + self_len - tail, trees[i].command) != 0)
		return false;
	snprintf(path, len, "%.*s%s", (int)(self_len - tail), self, trees[i].library);
	return access(path, R_OK) == 0;
}

/* The library of the tree that this command stands in, else the installed one. */
static int find_library(char *path, size_t len)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		if (find_in_tree(self, i, path, len))
			return 0;
	snprintf(path, len, "%s", SEAMTLS_INSTALLED "/" LIBRARY);
	return access(path, R_OK) == 0 ? 0 : -errno;
}

/* Prepends, since what is preloaded first stands before the others. */
static int set_library(void)
{
	char library[PATH_MAX];
	const char *others = getenv("LD_PRELOAD");
	char *value;
	int r = find_library(library, sizeof library);

	if (r < 0)
		return fail(r, "cannot find the library '%s'", library);
	if (strpbrk(library, ": ") != NULL)
		return fail(0,
			"the library's path has a colon or a space, which the loader takes for a "
			"separator: '%s'",
			library);
	if (others == NULL || others[0] == '\0' || strcmp(others, library) == 0)
		return setenv("LD_PRELOAD", library, 1) == 0 ? EXIT_SUCCESS
							     : fail(errno, "cannot set LD_PRELOAD");
	if (asprintf(&value, "%s:%s", library, others) < 0)
		return fail(ENOMEM, "cannot set LD_PRELOAD");
	r = setenv("LD_PRELOAD", value, 1) == 0 ? EXIT_SUCCESS
						: fail(errno, "cannot set LD_PRELOAD");
	free(value);
	return r;
}

/* The machine's policy may forbid others. The library would hold to that without a word. */
static int check_locked(const char *setting)
{
	const char *path = policy_locked_path();
	struct policy *policy = NULL;
	bool locked;

	if (access(path, F_OK) < 0)
		return EXIT_SUCCESS;
	if (load_policy(path, &policy) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	locked = policy->global.locked;
	policy_free(policy);
	if (locked && setting != NULL && strcmp(setting, path) != 0)
		return fail(0, "the policy '%s' cannot be used: '%s' is locked", setting, path);
	return EXIT_SUCCESS;
}

/* Hands the policy over as an absolute path: the program may look elsewhere, or change its
 * directory, before the library does. */
static int set_policy(const char *setting)
{
	char absolute[PATH_MAX];
	struct policy *policy = NULL;
	char *path = NULL;
	int r = check_locked(setting);

	if (r == EXIT_SUCCESS)
		r = load_find(setting, &path);
	if (r == EXIT_SUCCESS)
		r = load_policy(path, &policy);
	if (r == EXIT_SUCCESS && path != NULL &&
		(realpath(path, absolute) == NULL || setenv("SEAMTLS_POLICY", absolute, 1) < 0))
		r = fail(errno, "cannot hand over the policy '%s'", path);
	policy_free(policy);
	free(path);
	return r;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options;
	char program[PATH_MAX], why[PATH_MAX + 256];
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	argv += optind;
	r = reach_find(argv[0], program, sizeof program);
	if (r < 0)
		return fail(r, "cannot run '%s'", argv[0]);
	r = reach_check(program, why, sizeof why);
	if (r < 0)
		return fail(r == -ENOTSUP ? 0 : r, "%s", why);
	r = set_policy(options.policy != NULL ? options.policy : getenv("SEAMTLS_POLICY"));
	if (r == EXIT_SUCCESS)
		r = set_library();
	if (r != EXIT_SUCCESS)
		return r;
	if (options.label != NULL && setenv("SEAMTLS_LABEL", options.label, 1) < 0)
		return fail(errno, "cannot set SEAMTLS_LABEL");
	execv(program, argv);
	return fail(errno, "cannot run '%s'", program);
}
