/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "load.h"
#include "command.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int load_find(const char *setting, char **path)
{
	const struct policy_places places = { secure_getenv("XDG_CONFIG_HOME"),
		secure_getenv("HOME") };
	int r;

	*path = NULL;
	r = policy_find(setting, &places, path);
	if (r == -ENOENT && setting != NULL)
		return fail(0,
			"there is no policy '%s' in $XDG_CONFIG_HOME/seamtls or /etc/seamtls%s%s",
			setting, access(setting, F_OK) == 0 ? "; for the file here, say ./" : "",
			access(setting, F_OK) == 0 ? setting : "");
	if (r < 0)
		return fail(r, "cannot find the policy");
	return EXIT_SUCCESS;
}

static void print_error(const struct policy_error *error)
{
	const char *key = error->key != NULL ? error->key : "";
	const char *colon = error->key != NULL ? ": " : "";

	if (error->line > 0)
		fail(0, "%s:%u: %s%s%s", error->file, error->line, key, colon, error->message);
	else
		fail(0, "%s: %s%s%s", error->file, key, colon, error->message);
}

int load_policy(const char *path, struct policy **out)
{
	struct policy_errors errors = { 0 };
	int r = policy_load(path, out, &errors);

	for (size_t i = 0; i < errors.count; i++)
		print_error(&errors.items[i]);
	policy_errors_clear(&errors);
	if (r == -EINVAL)
		return EXIT_FAILURE;
	return r < 0 ? fail(r, "cannot load the policy") : EXIT_SUCCESS;
}
