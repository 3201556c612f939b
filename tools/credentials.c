/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "credentials.h"
#include "policy/hash.h"
#include "tls/context.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_LEN 512

/* What was looked at or said before, by hash: rules share profiles. */
struct seen {
	size_t count, room;
	uint64_t *hashes;
};

struct look {
	const struct policy_rule *rule;
	struct seen seen;
	size_t failed;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return hash_add(hash_add(hash, text, strlen(text)), "\n", 1);
}

/* False if it was there already. */
static bool is_new(struct seen *seen, uint64_t hash)
{
	for (size_t i = 0; i < seen->count; i++)
		if (seen->hashes[i] == hash)
			return false;
	if (seen->count == seen->room) {
		size_t room = seen->room > 0 ? seen->room * 2 : 64;
		uint64_t *hashes = realloc(seen->hashes, room * sizeof *hashes);

		if (hashes == NULL)
			return true;
		seen->hashes = hashes;
		seen->room = room;
	}
	seen->hashes[seen->count++] = hash;
	return true;
}

static void say(struct look *look, const char *kind, const char *text)
{
	if (is_new(&look->seen, hash_text(0, text)))
		fprintf(stderr, "%s:%u: %s: the rule \"%s\": %s\n", look->rule->file,
			look->rule->line, kind, look->rule->name, text);
}

static void warn(const char *text, void *arg)
{
	say(arg, "warning", text);
}

static void add_setting(const char *key, const char *value, void *hash)
{
	*(uint64_t *)hash = hash_text(hash_text(*(uint64_t *)hash, key), value);
}

static void look_at_role(struct look *look, enum tls_role role)
{
	uint64_t hash = HASH_START + role;
	struct tls_context *context;
	char why[WHY_LEN];
	int r;

	policy_settings_each(look->rule, add_setting, &hash);
	if (!is_new(&look->seen, hash))
		return;
	r = tls_context_new(&look->rule->tls, role, &context, why, sizeof why);
	if (r == 0)
		tls_context_warn(context, &look->rule->tls, warn, look);
	else if (r == -EACCES || r == -EPERM)
		say(look, "warning", why);
	else {
		say(look, "error", why);
		look->failed++;
	}
	tls_context_free(context);
}

size_t credentials_check(const struct policy *policy)
{
	struct look look = { 0 };

	for (size_t i = 0; i < policy->rule_count; i++) {
		unsigned directions = policy_rule_directions(&policy->rules[i]);

		look.rule = &policy->rules[i];
		if (look.rule->action != POLICY_TLS)
			continue;
		if ((directions & POLICY_INBOUND) != 0)
			look_at_role(&look, TLS_SERVER);
		if ((directions & POLICY_OUTBOUND) != 0)
			look_at_role(&look, TLS_CLIENT);
	}
	free(look.seen.hashes);
	return look.failed;
}
