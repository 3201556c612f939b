/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which policy applies. The environment speaks last, unless the system's own policy is locked. */
#include "host_private.h"

#include "notice.h"
#include "variables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the environment meant at the start, made absolute; wherever the program goes, and whatever
 * root directory it takes, it is not another file's turn. */
static char *chosen;
static bool has_chosen; /* `chosen` NULL: the built-in policy */
static bool was_locked;

struct telling {
	const char *outcome;
	char *why;
	size_t len;
};

static void say_errors(
	const char *path, const struct policy_errors *errors, const struct telling *tell)
{
	if (errors->count > 0)
		snprintf(tell->why, tell->len, "%s:%u: %s%s%s", errors->items[0].file,
			errors->items[0].line,
			errors->items[0].key != NULL ? errors->items[0].key : "",
			errors->items[0].key != NULL ? ": " : "", errors->items[0].message);
	if (tell->outcome == NULL)
		return;
	notice("the policy '%s' cannot be used, %s (try: seamtls check '%s')", path, tell->outcome,
		path);
	for (size_t i = 0; i < errors->count; i++) {
		const struct policy_error *e = &errors->items[i];

		notice("%s:%u: %s%s%s", e->file, e->line, e->key != NULL ? e->key : "",
			e->key != NULL ? ": " : "", e->message);
	}
}

static int load(
	const char *path, struct policy **out, struct watch *files, const struct telling *tell)
{
	struct policy_errors errors = { 0 };
	int r = policy_load_watching(path, files, out, &errors);

	if (r < 0)
		say_errors(path != NULL ? path : "built-in", &errors, tell);
	policy_errors_clear(&errors);
	return r;
}

/* A system policy with `locked = yes` is above the environment. 1: there is one, and it is loaded;
 * 0: none; or -errno. */
static int load_locked(struct policy **out, struct watch *files, const struct telling *tell)
{
	int r;

	if (!policy_is_there(policy_locked_path())) {
		watch_add(files, policy_locked_path());
		/* Out of reach, in another root directory or taken away, it is not undone. */
		return was_locked ? -ENOENT : 0;
	}
	r = load(policy_locked_path(), out, files, tell);
	if (r < 0)
		return r;
	if ((*out)->global.locked) {
		was_locked = true;
		return 1;
	}
	policy_free(*out);
	*out = NULL;
	return 0;
}

int host_find(const char *setting, char **path)
{
	const struct policy_places places = { variable_get("XDG_CONFIG_HOME"),
		variable_get("HOME") };

	return policy_find(setting, &places, path);
}

static int find_chosen(const struct telling *tell)
{
	const char *setting = variable_get("SEAMTLS_POLICY");
	int r = has_chosen ? 0 : host_find(setting, &chosen);

	if (r == 0) {
		has_chosen = true;
		return 0;
	}
	snprintf(tell->why, tell->len, "no policy '%s' is found", setting != NULL ? setting : "");
	if (tell->outcome != NULL)
		notice("no policy '%s' is found, %s (SEAMTLS_POLICY is a path, or a name in "
		       "$XDG_CONFIG_HOME/seamtls or /etc/seamtls)",
			setting != NULL ? setting : "", tell->outcome);
	return r;
}

static int load_chosen(struct policy **out, struct watch *files, const struct telling *tell)
{
	int r = find_chosen(tell);

	if (r == 0)
		r = load(chosen, out, files, tell);
	if (r == 0 && chosen != NULL && chosen[0] != '/') {
		char *absolute = strdup((*out)->source);

		if (absolute != NULL) {
			free(chosen);
			chosen = absolute;
		}
	}
	return r;
}

int host_choose(
	struct policy **out, struct watch *files, const char *outcome, char *why, size_t len)
{
	struct telling tell = { outcome, why, len };
	int r;

	*out = NULL;
	snprintf(why, len, "%s", strerrordesc_np(ENOMEM));
	r = load_locked(out, files, &tell);
	if (r == -ENOENT && was_locked)
		snprintf(why, len, "%s, which is locked, is not there any more",
			policy_locked_path());
	if (r == 0)
		r = load_chosen(out, files, &tell);
	return r < 0 ? r : 0;
}
