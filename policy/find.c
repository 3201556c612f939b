/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the policy is: see policy.h. */
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SYSTEM_DIR "/etc/seamtls"

const char *policy_locked_path(void)
{
	return SYSTEM_DIR "/policy.conf";
}

bool policy_is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* 0 and *out; -ENOENT; -ENOMEM. */
static int try_path(const char *dir, const char *below, const char *name, char **out)
{
	if (asprintf(out, "%s%s/%s.conf", dir, below, name) < 0) {
		*out = NULL;
		return -ENOMEM;
	}
	if (policy_is_there(*out))
		return 0;
	free(*out);
	*out = NULL;
	return -ENOENT;
}

static int find_name(const char *name, const struct policy_places *places, char **out)
{
	const char *config = places->config_home, *home = places->home;
	int r = -ENOENT;

	/* The XDG base directory specification: a relative path is to be ignored. */
	if (config != NULL && config[0] == '/')
		r = try_path(config, "/seamtls", name, out);
	else if (home != NULL && home[0] == '/')
		r = try_path(home, "/.config/seamtls", name, out);
	if (r == -ENOENT)
		r = try_path(SYSTEM_DIR, "", name, out);
	return r;
}

bool policy_is_path(const char *setting)
{
	size_t len = strlen(setting);

	return strchr(setting, '/') != NULL || (len > 5 && strcmp(setting + len - 5, ".conf") == 0);
}

int policy_find(const char *setting, const struct policy_places *places, char **out)
{
	*out = NULL;
	if (setting == NULL && !policy_is_there(policy_locked_path()))
		return 0;
	if (setting == NULL)
		setting = policy_locked_path();
	if (setting[0] == '\0')
		return -ENOENT;
	if (!policy_is_path(setting))
		return find_name(setting, places, out);
	*out = strdup(setting);
	return *out != NULL ? 0 : -ENOMEM;
}
