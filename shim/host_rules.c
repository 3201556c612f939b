/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The policy that applies, and the contexts of its rules: made when they are needed first, and
 * again when their files have changed. Files are looked at when a connection begins, at most once a
 * second. Who has a policy or a context goes on with it; what takes its place is for others.
 */
#include "host_private.h"

#include "deep.h"
#include "guard.h"
#include "notice.h"
#include "policy/hash.h"
#include "tls/session_cache.h"
#include "tls/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_MS 1000

/* Guards the pointers, so that whoever takes one has its reference before it is replaced. */
static pthread_mutex_t pointer_lock = PTHREAD_MUTEX_INITIALIZER;
static struct rules *applied;

bool host_is_time(_Atomic int64_t *look_ms)
{
	int64_t due = atomic_load_explicit(look_ms, memory_order_relaxed), now;
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
	now = (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
	return now >= due && atomic_compare_exchange_strong(look_ms, &due, now + LOOK_EVERY_MS);
}

struct rules *rules_new(struct policy *policy)
{
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL) {
		policy_free(policy);
		return NULL;
	}
	atomic_init(&rules->refs, 1);
	rules->policy = policy;
	policy->owner = rules;
	for (int role = TLS_CLIENT; role <= TLS_SERVER; role++) {
		rules->slots[role] = calloc(policy->rule_count + 1, sizeof(struct slot));
		if (rules->slots[role] == NULL) {
			rules_unref(rules);
			return NULL;
		}
	}
	return rules;
}

static void slot_clear(struct slot *slot)
{
	tls_context_free(slot->context);
	watch_clear(&slot->files);
}

void rules_unref(struct rules *rules)
{
	if (rules == NULL || atomic_fetch_sub(&rules->refs, 1) > 1)
		return;
	for (int role = TLS_CLIENT; role <= TLS_SERVER; role++) {
		for (size_t i = 0; rules->slots[role] != NULL && i < rules->policy->rule_count; i++)
			slot_clear(&rules->slots[role][i]);
		free(rules->slots[role]);
	}
	policy_free(rules->policy);
	free(rules);
}

struct rules *rules_hold(void)
{
	struct rules *rules;

	guard_lock(&pointer_lock);
	rules = applied;
	if (rules != NULL)
		atomic_fetch_add(&rules->refs, 1);
	guard_unlock(&pointer_lock);
	return rules;
}

/* Children that are forked before the first connection are to share their sessions, too. Without
 * the memory they do not. */
static void share_sessions(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->action == POLICY_TLS && rule->tls.resumption &&
			(policy_rule_directions(rule) & POLICY_OUTBOUND) != 0) {
			session_cache_prepare();
			return;
		}
	}
}

void rules_apply(struct rules *next)
{
	struct rules *old;

	share_sessions(next->policy);
	guard_lock(&pointer_lock);
	old = applied;
	applied = next;
	guard_unlock(&pointer_lock);
	rules_unref(old);
}

void rules_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&pointer_lock);
	else
		guard_unlock(&pointer_lock);
}

static struct rules *rules_of(const struct policy_rule *rule)
{
	return rule->policy->owner;
}

const struct policy_rule *host_hold(const struct policy_rule *rule)
{
	if (rule != NULL)
		atomic_fetch_add(&rules_of(rule)->refs, 1);
	return rule;
}

void host_release(const struct policy_rule *rule)
{
	if (rule != NULL)
		rules_unref(rules_of(rule));
}

/* --- Contexts */

static struct tls_context *slot_context(struct slot *slot)
{
	struct tls_context *context;

	guard_lock(&pointer_lock);
	context = slot->context;
	if (context != NULL)
		tls_context_ref(context);
	guard_unlock(&pointer_lock);
	return context;
}

static void slot_put(struct slot *slot, struct tls_context *context)
{
	struct tls_context *old;

	guard_lock(&pointer_lock);
	old = slot->context;
	slot->context = context;
	guard_unlock(&pointer_lock);
	tls_context_free(old);
}

static void watch_file(const char *key, const char *path, void *files)
{
	(void)key;
	if (strcmp(path, "system") == 0)
		path = trust_system_bundle();
	if (path != NULL && path[0] == '/')
		watch_add_tree(files, path);
}

static void bind_setting(const char *key, const char *value, void *context)
{
	tls_context_bind(context, key);
	tls_context_bind(context, value);
}

/* With host_lock. 0; or -errno and why[], and the context is what it was. */
static int slot_load(struct slot *slot, const struct policy_rule *rule, enum tls_role role,
	char *why, size_t why_len)
{
	struct tls_context *context;
	struct watch files = { 0 };
	int r;

	policy_files_each(rule, watch_file, &files);
	r = tls_context_new(&rule->tls, role, &context, why, why_len);
	watch_clear(&slot->files);
	slot->files = files;
	if (r < 0)
		return r;
	tls_context_bind(context, rule->name);
	policy_settings_each(rule, bind_setting, context);
	atomic_store(&slot->unwarned, true);
	slot_put(slot, context);
	return 0;
}

/*
 * With host_lock. Whether there is something to tell, in text[]. A change that makes no sense may
 * be half of one: it is tried once more at the next look before it is told.
 */
static bool slot_reload(struct slot *slot, const struct policy_rule *rule, enum tls_role role,
	char *text, size_t len)
{
	char why[HOST_WHY_LEN / 2] = "";
	bool changed = watch_changed(&slot->files);
	uint64_t hash;

	if (!changed && !slot->again)
		return false;
	if (slot_load(slot, rule, role, why, sizeof why) == 0) {
		slot->told = 0;
		slot->again = false;
		snprintf(text, len, "reloaded what the rule '%s' uses: its files have changed",
			rule->name);
		return true;
	}
	slot->again = changed;
	hash = hash_add(HASH_START, why, strlen(why));
	if (changed || slot->told == hash)
		return false;
	slot->told = hash;
	snprintf(text, len,
		"not reloaded: files of the rule '%s' have changed and cannot be used, so what was "
		"read before stays: %s",
		rule->name, why);
	notice("%s", text);
	return true;
}

struct wanted_context {
	const struct policy_rule *rule;
	enum tls_role role;
	struct slot *slot;
	bool there; /* a context, which will do for who finds another at it */
	char *why;
	size_t why_len;
};

static void make_context(void *arg)
{
	const struct wanted_context *wanted = arg;
	char text[HOST_WHY_LEN];
	bool tell = false;

	if (!wanted->there)
		guard_lock(&host_lock);
	else if (!guard_try_lock(&host_lock))
		return;
	if (wanted->slot->context == NULL)
		slot_load(wanted->slot, wanted->rule, wanted->role, wanted->why, wanted->why_len);
	else
		tell = slot_reload(wanted->slot, wanted->rule, wanted->role, text, sizeof text);
	guard_unlock(&host_lock);
	if (tell)
		audit_tell_policy(wanted->rule->name, text);
}

/* Each thing once in a process; what there is no room for is not told again and again either. */
static bool is_new(const char *text)
{
	static _Atomic uint64_t warned[64];
	uint64_t hash = hash_add(HASH_START, text, strlen(text));

	for (size_t i = 0; i < sizeof warned / sizeof warned[0]; i++) {
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(&warned[i], &found, hash))
			return true;
		if (found == hash)
			return false;
	}
	return false;
}

static void tell_warning(const char *text, void *arg)
{
	const struct policy_rule *rule = arg;
	char reason[HOST_WHY_LEN];

	if (!is_new(text))
		return;
	snprintf(reason, sizeof reason, "warning: %s", text);
	audit_tell_policy(rule->name, reason);
}

struct warned_context {
	const struct policy_rule *rule;
	const struct tls_context *context;
};

static void tell_warnings(void *arg)
{
	const struct warned_context *of = arg;
	const char *warning = tls_context_warning(of->context);

	if (warning[0] != '\0')
		tell_warning(warning, (void *)(uintptr_t)of->rule);
	tls_context_warn(of->context, &of->rule->tls, tell_warning, (void *)(uintptr_t)of->rule);
}

struct tls_context *host_context(
	const struct policy_rule *rule, enum tls_role role, char *why, size_t why_len)
{
	struct slot *slot = &rules_of(rule)->slots[role][rule->index];
	bool due = !host_is_visitor() && host_is_time(&slot->look_ms);
	struct tls_context *context = slot_context(slot);
	struct wanted_context wanted = { rule, role, slot, context != NULL, why, why_len };
	int saved = errno;

	if (context == NULL || due) {
		tls_context_free(context);
		deep_run(make_context, &wanted);
		context = slot_context(slot);
	}
	if (context != NULL && atomic_load_explicit(&slot->unwarned, memory_order_relaxed) &&
		atomic_exchange(&slot->unwarned, false)) {
		struct warned_context of = { rule, context };

		deep_run(tell_warnings, &of);
	}
	errno = saved;
	return context;
}

void host_prepare(void)
{
	struct rules *rules;
	char why[HOST_WHY_LEN];

	if (!host_has_policy() || (rules = rules_hold()) == NULL)
		return;
	for (size_t i = 0; i < rules->policy->rule_count; i++) {
		const struct policy_rule *rule = &rules->policy->rules[i];

		if (rule->action != POLICY_TLS)
			continue;
		host_audit_open();
		if ((policy_rule_directions(rule) & POLICY_INBOUND) != 0 &&
			rule->tls.cert.count > 0)
			tls_context_free(host_context(rule, TLS_SERVER, why, sizeof why));
		if ((policy_rule_directions(rule) & POLICY_OUTBOUND) != 0)
			tls_context_free(host_context(rule, TLS_CLIENT, why, sizeof why));
	}
	rules_unref(rules);
}

void host_each_rule(void (*look)(const struct policy_rule *rule))
{
	struct rules *rules = host_has_policy() ? rules_hold() : NULL;

	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->policy->rule_count; i++)
		if (rules->policy->rules[i].action == POLICY_TLS)
			look(&rules->policy->rules[i]);
	rules_unref(rules);
}

/* --- From one policy to the next */

static const struct policy_rule *rule_named(
	const struct policy *policy, const char *name, size_t guess)
{
	if (guess < policy->rule_count && strcmp(policy->rules[guess].name, name) == 0)
		return &policy->rules[guess];
	for (size_t i = 0; i < policy->rule_count; i++)
		if (strcmp(policy->rules[i].name, name) == 0)
			return &policy->rules[i];
	return NULL;
}

/* The slot of the old rule of the same name, if it is in use. *same: its context will do. */
static struct slot *slot_before(
	struct rules *old, const struct policy_rule *rule, int role, bool *same)
{
	const struct policy_rule *before = rule_named(old->policy, rule->name, rule->index);
	struct slot *slot;

	if (before == NULL || before->action != POLICY_TLS || rule->action != POLICY_TLS)
		return NULL;
	slot = &old->slots[role][before->index];
	if (slot->context == NULL)
		return NULL;
	*same = policy_same_settings(before, rule);
	return slot;
}

static bool any_in_use(const struct rules *rules, enum tls_role role)
{
	for (size_t i = 0; i < rules->policy->rule_count; i++)
		if (rules->slots[role][i].context != NULL)
			return true;
	return false;
}

/* Whether the context of a new rule is made before the rule applies: it takes the place of one that
 * is in use, or may. */
static bool is_made_now(struct rules *old, const struct policy_rule *rule, enum tls_role role,
	bool serves, bool *replaces)
{
	bool same = false;

	*replaces = slot_before(old, rule, role, &same) != NULL;
	if (*replaces)
		return !same;
	return role == TLS_SERVER && serves && rule->action == POLICY_TLS &&
	       rule->tls.cert.count > 0 && (policy_rule_directions(rule) & POLICY_INBOUND) != 0;
}

static int prepare_slot(struct rules *old, struct rules *next, size_t index, enum tls_role role,
	bool serves, char *why, size_t len)
{
	const struct policy_rule *rule = &next->policy->rules[index];
	char reason[HOST_WHY_LEN / 2] = "";
	bool replaces;
	int r;

	if (!is_made_now(old, rule, role, serves, &replaces))
		return 0;
	r = slot_load(&next->slots[role][index], rule, role, reason, sizeof reason);
	/* A key that is another program's. */
	if (r == 0 || (!replaces && (r == -EACCES || r == -EPERM)))
		return 0;
	snprintf(why, len, "%s:%u: the rule '%s': %s", rule->file, rule->line, rule->name, reason);
	return r;
}

int rules_prepare(struct rules *old, struct rules *next, struct watch *files, char *why, size_t len)
{
	bool serves = any_in_use(old, TLS_SERVER);

	for (size_t i = 0; i < next->policy->rule_count; i++)
		for (int role = TLS_CLIENT; role <= TLS_SERVER; role++) {
			int r = prepare_slot(old, next, i, (enum tls_role)role, serves, why, len);

			if (r == 0)
				continue;
			policy_files_each(&next->policy->rules[i], watch_file, files);
			return r;
		}
	return 0;
}

void rules_take_over(struct rules *old, struct rules *next)
{
	for (size_t i = 0; i < next->policy->rule_count; i++)
		for (int role = TLS_CLIENT; role <= TLS_SERVER; role++) {
			struct slot *to = &next->slots[role][i];
			bool same = false;
			struct slot *from = slot_before(old, &next->policy->rules[i], role, &same);

			if (from == NULL || !same)
				continue;
			/* Who still has the old rule does not look any more. */
			to->context = tls_context_ref(from->context);
			to->files = from->files;
			to->again = from->again;
			to->told = from->told;
			atomic_store(&to->unwarned, atomic_load(&from->unwarned));
			memset(&from->files, 0, sizeof from->files);
			from->again = false;
		}
}
