/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Policy and audit are set up under one lock at the first TCP socket; afterwards everything here is
 * read-only but the cache of contexts. The environment speaks last, unless the system's own policy
 * is locked.
 */
#include "host.h"

#include "audit/writer.h"
#include "deep.h"
#include "guard.h"
#include "notice.h"
#include "strict.h"
#include "variables.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define GROUPS_MOST 256
#define TLS_WHY_LEN 256
#define STRICT_WHY_LEN 256

enum host_status { HOST_UNKNOWN, HOST_READY, HOST_DISABLED, HOST_REFUSES };

static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int status = HOST_UNKNOWN;
static struct policy *policy;
static char refusal[512]; /* why there is none */
/* Chosen once: programs empty their environment (nginx does, in its workers). */
static char audit_dir[PATH_MAX];
static bool audited;
static char program[PATH_MAX];
static const char *label;
static struct tls_context **contexts[2]; /* by role, by rule */
static _Atomic pid_t known_pid;
static _Atomic uint64_t next_id;
/* Loading may look up users and groups, for which libc's modules may open sockets of their own:
 * those pass. */
static _Thread_local bool loading __attribute__((tls_model("initial-exec")));

static void say_errors(const char *path, const struct policy_errors *errors)
{
	if (errors->count > 0)
		snprintf(refusal, sizeof(refusal), "%s:%u: %s%s%s", errors->items[0].file,
			errors->items[0].line,
			errors->items[0].key != NULL ? errors->items[0].key : "",
			errors->items[0].key != NULL ? ": " : "", errors->items[0].message);
	notice("the policy '%s' cannot be used, so no TCP connection is made (try: seamtls check "
	       "'%s')",
		path, path);
	for (size_t i = 0; i < errors->count; i++) {
		const struct policy_error *e = &errors->items[i];

		notice("%s:%u: %s%s%s", e->file, e->line, e->key != NULL ? e->key : "",
			e->key != NULL ? ": " : "", e->message);
	}
}

static int load(const char *path, struct policy **out)
{
	struct policy_errors errors = { 0 };
	int r = policy_load(path, out, &errors);

	if (r < 0)
		say_errors(path != NULL ? path : "built-in", &errors);
	policy_errors_clear(&errors);
	return r;
}

/* A system policy with `locked = yes` is above the environment. 1: there is one, and it is loaded;
 * 0: none; or -errno. */
static int load_locked(void)
{
	int r;

	if (access(policy_locked_path(), F_OK) != 0)
		return 0;
	r = load(policy_locked_path(), &policy);
	if (r < 0)
		return r;
	if (policy->global.locked)
		return 1;
	policy_free(policy);
	policy = NULL;
	return 0;
}

static int find_chosen(const char *setting, char **path)
{
	const struct policy_places places = { variable_get("XDG_CONFIG_HOME"),
		variable_get("HOME") };

	return policy_find(setting, &places, path);
}

static int load_chosen(void)
{
	const char *setting = variable_get("SEAMTLS_POLICY");
	char *path = NULL;
	int r = find_chosen(setting, &path);

	if (r < 0)
		snprintf(refusal, sizeof(refusal), "no policy '%s' is found",
			setting != NULL ? setting : "");
	if (r < 0)
		notice("no policy '%s' is found, so no TCP connection is made (SEAMTLS_POLICY is a "
		       "path, or a name in "
		       "$XDG_CONFIG_HOME/seamtls or /etc/seamtls)",
			setting != NULL ? setting : "");
	else
		r = load(path, &policy);
	free(path);
	return r;
}

static void find_program(void)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
	label = variable_get("SEAMTLS_LABEL");
}

static enum policy_audit audit_setting(void)
{
	return policy != NULL ? policy->global.audit : POLICY_AUDIT_ON;
}

/* The environment's directory, else the policy's, else the default. false: there is to be no audit.
 */
static bool choose_audit_dir(char *dir, size_t len)
{
	const char *setting =
		policy != NULL && policy->global.locked ? NULL : variable_get("SEAMTLS_AUDIT");

	if (audit_setting() == POLICY_AUDIT_OFF)
		return false;
	if (setting != NULL && strcmp(setting, "none") == 0) {
		if (audit_setting() != POLICY_AUDIT_REQUIRED)
			return false;
		setting = NULL;
	}
	if (setting == NULL && policy != NULL)
		setting = policy->global.audit_dir;
	if (setting == NULL)
		return audit_default_dir(
			       variable_get("XDG_STATE_HOME"), variable_get("HOME"), dir, len) == 0;
	return (size_t)snprintf(dir, len, "%s", setting) < len;
}

static bool make_room_for_contexts(void)
{
	for (int role = TLS_CLIENT; role <= TLS_SERVER; role++) {
		contexts[role] = calloc(policy->rule_count + 1, sizeof(struct tls_context *));
		if (contexts[role] == NULL)
			return false;
	}
	return true;
}

/* What cannot be enforced is as bad as what cannot be loaded. */
static int enforce_strict(void)
{
	char why[STRICT_WHY_LEN];
	int r = strict_enforce(why, sizeof(why));

	if (r < 0) {
		snprintf(refusal, sizeof(refusal), "strict = yes: %s", why);
		notice("%s, and the policy says 'strict = yes', so no TCP connection is made", why);
	}
	return r;
}

static enum host_status set_up(void)
{
	const char *disable = variable_get("SEAMTLS_DISABLE");
	bool off = disable != NULL && strcmp(disable, "1") == 0;
	int r;

	find_program();
	r = load_locked();
	if (r == 0)
		r = load_chosen();
	/* What cannot be loaded cannot say `locked` either; but the system's own policy is above
	 * the environment. */
	if (off &&
		(policy != NULL ? !policy->global.locked : access(policy_locked_path(), F_OK) != 0))
		return HOST_DISABLED;
	audited = choose_audit_dir(audit_dir, sizeof(audit_dir));
	if (r >= 0 && policy->global.strict)
		r = enforce_strict();
	if (r < 0 || !make_room_for_contexts())
		return HOST_REFUSES;
	notice_debug(1, "policy: %s, %zu rules", policy->source, policy->rule_count);
	return HOST_READY;
}

static void set_up_once(void *arg)
{
	(void)arg;
	guard_lock(&host_lock);
	if (atomic_load(&status) == HOST_UNKNOWN) {
		loading = true;
		atomic_store_explicit(&status, set_up(), memory_order_release);
		loading = false;
	}
	guard_unlock(&host_lock);
}

static int host_status(void)
{
	int now = atomic_load_explicit(&status, memory_order_acquire);
	int saved = errno;

	if (now != HOST_UNKNOWN)
		return now;
	if (loading)
		return HOST_DISABLED;
	deep_run(set_up_once, NULL);
	errno = saved;
	return atomic_load(&status);
}

void host_begin(void)
{
	const char *setting = variable_get("SEAMTLS_POLICY");
	bool mentioned = strict_is_mentioned(policy_locked_path());
	char why[STRICT_WHY_LEN], *path = NULL;
	int saved = errno;

	if (!mentioned && setting != NULL && find_chosen(setting, &path) == 0)
		mentioned = strict_is_mentioned(path);
	free(path);
	/* A policy that does not load cannot say what it would have said. */
	if (mentioned && host_status() == HOST_REFUSES)
		strict_enforce(why, sizeof(why));
	errno = saved;
}

const struct policy *host_policy(void)
{
	return host_status() == HOST_READY ? policy : NULL;
}

bool host_refuses(void)
{
	if (host_status() != HOST_REFUSES)
		return false;
	host_audit_open(); /* where the refusal is told */
	return true;
}

static size_t fill_query(struct policy_query *query, gid_t *groups)
{
	int count = getgroups(GROUPS_MOST, groups);

	query->program = program;
	query->label = label;
	query->uid = geteuid();
	query->gid = getegid();
	query->groups = groups;
	query->group_count = count > 0 ? (size_t)count : 0;
	return query->group_count;
}

/* What a question to the policy takes and gives. */
struct question {
	struct policy_query *query;
	struct policy_decision *decision;
	const struct policy_rule **rule;
	bool matters;
};

static void ask(void *arg)
{
	struct question *question = arg;
	gid_t groups[GROUPS_MOST];

	fill_query(question->query, groups);
	if (question->decision != NULL)
		policy_decide(policy, question->query, question->decision);
	else
		question->matters =
			policy_listener_matters(policy, question->query, question->rule);
	question->query->groups = NULL;
}

void host_decide(struct policy_query *query, struct policy_decision *out)
{
	struct question question = { .query = query, .decision = out };
	int saved = errno;

	deep_run(ask, &question);
	errno = saved;
}

bool host_listener_matters(struct policy_query *query, const struct policy_rule **rule)
{
	struct question question = { .query = query, .rule = rule };
	int saved = errno;

	deep_run(ask, &question);
	errno = saved;
	return question.matters;
}

struct wanted_context {
	const struct policy_rule *rule;
	enum tls_role role;
	char *why;
	size_t why_len;
};

static int audit(struct audit_event *event);

/* What works without it, and is to be known all the same. */
static void tell_warning(const struct policy_rule *rule, const struct tls_context *context)
{
	struct audit_event event;

	audit_event_init(&event, AUDIT_POLICY);
	event.rule = rule->name;
	event.reason = tls_context_warning(context);
	if (event.reason[0] == '\0')
		return;
	notice_debug(1, "rule '%s': %s", rule->name, event.reason);
	audit(&event);
}

static void bind_setting(const char *key, const char *value, void *context)
{
	tls_context_bind(context, key);
	tls_context_bind(context, value);
}

static struct tls_context *new_context(const struct wanted_context *wanted)
{
	struct tls_context *context;

	if (tls_context_new(
		    &wanted->rule->tls, wanted->role, &context, wanted->why, wanted->why_len) < 0)
		return NULL;
	tls_context_bind(context, wanted->rule->name);
	policy_settings_each(wanted->rule, bind_setting, context);
	return context;
}

static void make_context(void *arg)
{
	const struct wanted_context *wanted = arg;
	struct tls_context **context = &contexts[wanted->role][wanted->rule->index];
	bool made = false;

	guard_lock(&host_lock);
	if (*context == NULL) {
		*context = new_context(wanted);
		made = *context != NULL;
	}
	guard_unlock(&host_lock);
	if (made)
		tell_warning(wanted->rule, *context);
}

struct tls_context *host_context(
	const struct policy_rule *rule, enum tls_role role, char *why, size_t why_len)
{
	struct wanted_context wanted = { rule, role, why, why_len };
	int saved = errno;

	deep_run(make_context, &wanted);
	errno = saved;
	return contexts[role][rule->index];
}

static int required(int r)
{
	return audit_setting() == POLICY_AUDIT_REQUIRED ? r : 0;
}

static int write_event(struct audit_event *event)
{
	if (event->program == NULL)
		event->program = program;
	if (event->label == NULL)
		event->label = label;
	return audit_write(event);
}

/* The first event of a process: what its decisions come from. */
static void tell_policy(void)
{
	static _Atomic bool told;
	struct audit_event event;
	char reason[PATH_MAX + 64];

	if (atomic_exchange(&told, true))
		return;
	audit_event_init(&event, AUDIT_POLICY);
	if (host_status() == HOST_READY)
		snprintf(reason, sizeof(reason), "loaded %s, %zu rules", policy->source,
			policy->rule_count);
	else
		snprintf(reason, sizeof(reason), "refused, so no TCP connection is made: %s",
			refusal);
	event.reason = reason;
	write_event(&event);
}

static int open_audit(void)
{
	char why[256] = "";
	int saved = errno, r;

	if (host_status() == HOST_DISABLED)
		return 0;
	if (!audited)
		return required(-ENOENT);
	r = audit_writer_open(audit_dir, why, sizeof(why));
	if (r < 0 && why[0] != '\0')
		notice("%s: connections are %s", why,
			audit_setting() == POLICY_AUDIT_REQUIRED
				? "refused, since the policy requires an audit"
				: "not audited");
	if (r == 0)
		tell_policy();
	errno = saved;
	return r < 0 ? required(r) : 0;
}

static int audit(struct audit_event *event)
{
	int saved = errno, r;

	if (host_status() == HOST_DISABLED || !audited)
		return 0;
	r = open_audit();
	if (r < 0)
		return r;
	r = write_event(event);
	errno = saved;
	return r < 0 ? required(r) : 0;
}

struct audit_job {
	struct audit_event *event; /* NULL: only open it */
	int result;
};

static void do_audit(void *arg)
{
	struct audit_job *job = arg;

	job->result = job->event != NULL ? audit(job->event) : open_audit();
}

int host_audit_open(void)
{
	struct audit_job job = { NULL, 0 };

	deep_run(do_audit, &job);
	return job.result;
}

int host_audit(struct audit_event *event)
{
	struct audit_job job = { event, 0 };

	deep_run(do_audit, &job);
	return job.result;
}

static void flush_audit(void *arg)
{
	(void)arg;
	if (audit_writer_descriptor() >= 0)
		audit_writer_flush();
}

void host_audit_flush(void)
{
	int saved = errno;

	deep_run(flush_audit, NULL);
	errno = saved;
}

void host_prepare(void)
{
	char why[TLS_WHY_LEN];

	if (host_policy() == NULL)
		return;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->action != POLICY_TLS)
			continue;
		host_audit_open();
		if ((policy_rule_directions(rule) & POLICY_INBOUND) != 0 &&
			rule->tls.cert.count > 0)
			host_context(rule, TLS_SERVER, why, sizeof(why));
		if ((policy_rule_directions(rule) & POLICY_OUTBOUND) != 0)
			host_context(rule, TLS_CLIENT, why, sizeof(why));
	}
}

uint64_t host_new_id(void)
{
	uint64_t id = atomic_load(&next_id), start = 0;

	while (id == 0) {
		if (getrandom(&start, sizeof(start), 0) != sizeof(start))
			start = (uint64_t)getpid() << 32 | (uint64_t)(uintptr_t)&start;
		atomic_compare_exchange_strong(&next_id, &id, start | 1);
		id = atomic_load(&next_id);
	}
	id = atomic_fetch_add(&next_id, 1);
	return id != 0 ? id : host_new_id();
}

bool host_is_visitor(void)
{
	pid_t known = atomic_load_explicit(&known_pid, memory_order_relaxed);

	return known != 0 && known != getpid();
}

void host_started(void)
{
	atomic_store(&known_pid, getpid());
}

void host_after_fork(void)
{
	atomic_store(&known_pid, getpid());
	atomic_store(&next_id, 0); /* the parent goes on with its own */
	audit_writer_after_fork();
}

void host_lock_for_fork(bool on)
{
	if (on)
		guard_lock(&host_lock);
	else
		guard_unlock(&host_lock);
}
