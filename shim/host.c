/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Policy and audit are set up under one lock at the first TCP socket. When a connection begins, and
 * at most once a second, the policy's files are looked at; a changed policy takes the old one's
 * place as a whole or not at all.
 */
#include "host_private.h"

#include "audit/writer.h"
#include "deep.h"
#include "guard.h"
#include "libc.h"
#include "notice.h"
#include "strict.h"
#include "variables.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define GROUPS_MOST 256
#define STRICT_WHY_LEN 256

enum host_status { HOST_UNKNOWN, HOST_READY, HOST_DISABLED, HOST_REFUSES };

pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int status = HOST_UNKNOWN;
static struct watch policy_files;
static bool again; /* what they have become makes no sense, but was tried only once */
static char last_refusal[HOST_WHY_LEN];
static _Atomic int64_t look_ms;
static _Atomic bool covers_children;
static bool is_strict;
static char program[PATH_MAX];
static const char *label;
static _Atomic pid_t known_pid;
static _Atomic uint64_t next_id;
/* Loading may look up users and groups, for which libc's modules may open sockets of their own:
 * those pass. */
static _Thread_local bool loading __attribute__((tls_model("initial-exec")));

static void find_program(void)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
	label = variable_get("SEAMTLS_LABEL");
}

const char *host_program(void)
{
	return program;
}

const char *host_label(void)
{
	return label;
}

/* What cannot be enforced is as bad as what cannot be loaded. What was enforced stays. */
static int enforce_strict(const struct policy *policy, char *why, size_t len)
{
	char reason[STRICT_WHY_LEN];
	int r;

	if (!policy->global.strict || is_strict)
		return 0;
	r = strict_enforce(reason, sizeof(reason));
	if (r < 0) {
		snprintf(why, len, "strict = yes: %s", reason);
		return r;
	}
	is_strict = true;
	return 0;
}

/* With host_lock. */
static void apply(struct rules *rules)
{
	audit_choose(rules->policy);
	atomic_store(&covers_children, rules->policy->global.cover_children);
	rules_apply(rules);
}

static enum host_status refuse(const char *why)
{
	char reason[HOST_WHY_LEN + 64];

	snprintf(reason, sizeof(reason), "refused, so no TCP connection is made: %s", why);
	audit_set_first(reason);
	return HOST_REFUSES;
}

static enum host_status use_first(struct policy *policy)
{
	char why[HOST_WHY_LEN] = "out of memory", reason[PATH_MAX + 64];
	struct rules *rules;

	audit_choose(policy);
	if (enforce_strict(policy, why, sizeof(why)) < 0) {
		notice("the policy says 'strict = yes', so no TCP connection is made: %s", why);
		policy_free(policy);
		return refuse(why);
	}
	rules = rules_new(policy);
	if (rules == NULL)
		return refuse(why);
	snprintf(
		reason, sizeof(reason), "loaded %s, %zu rules", policy->source, policy->rule_count);
	audit_set_first(reason);
	notice_debug(1, "policy: %s", reason);
	apply(rules);
	return HOST_READY;
}

static enum host_status set_up(void)
{
	const char *disable = variable_get("SEAMTLS_DISABLE");
	bool off = disable != NULL && strcmp(disable, "1") == 0;
	char why[HOST_WHY_LEN];
	struct policy *policy;
	int r;

	find_program();
	r = host_choose(&policy, &policy_files, "so no TCP connection is made", why, sizeof(why));
	/* What cannot be loaded cannot say `locked` either; but the system's own policy is above
	 * the environment. */
	if (off && (policy != NULL ? !policy->global.locked
				   : !policy_is_there(policy_locked_path()))) {
		policy_free(policy);
		return HOST_DISABLED;
	}
	if (r == 0 && policy != NULL)
		return use_first(policy);
	audit_choose(NULL);
	return refuse(why);
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

static bool is_strict_mentioned_in(const char *setting)
{
	bool mentioned = false;
	char *path = NULL;

	/* In every program's start, which is not to ask for memory if it need not. */
	if (policy_is_path(setting))
		return strict_is_mentioned(setting);
	if (host_find(setting, &path) == 0)
		mentioned = strict_is_mentioned(path);
	free(path);
	return mentioned;
}

void host_begin(void)
{
	const char *setting = variable_get("SEAMTLS_POLICY");
	bool mentioned = strict_is_mentioned(policy_locked_path());
	char why[STRICT_WHY_LEN];
	int saved = errno;

	if (!mentioned && setting != NULL)
		mentioned = is_strict_mentioned_in(setting);
	/* A policy that does not load cannot say what it would have said. */
	if (mentioned && host_status() == HOST_REFUSES)
		strict_enforce(why, sizeof(why));
	errno = saved;
}

bool host_is_disabled(void)
{
	return host_status() == HOST_DISABLED;
}

/* --- A policy that has changed */

/* With host_lock. 0, or -errno and in why[] what the new one lacks. */
static int take_new_policy(struct rules *old, struct watch *files, char *why, size_t len)
{
	struct policy *policy;
	struct rules *rules;
	int r = host_choose(&policy, files, NULL, why, len);

	if (r < 0)
		return r;
	rules = rules_new(policy);
	if (rules == NULL)
		return -ENOMEM;
	r = rules_prepare(old, rules, files, why, len);
	if (r == 0)
		r = enforce_strict(policy, why, len);
	if (r < 0) {
		rules_unref(rules);
		return r;
	}
	rules_take_over(old, rules);
	snprintf(why, len, "reloaded %s, %zu rules", policy->source, policy->rule_count);
	apply(rules);
	return 0;
}

/* With host_lock. Whether there is something to tell, in text[]. A change that makes no sense may
 * be half of one: it is tried once more at the next look before it is told. */
static bool reload(struct rules *old, char *text, size_t len)
{
	char why[HOST_WHY_LEN] = "out of memory";
	bool changed = watch_changed(&policy_files);
	struct watch files = { 0 };
	int r;

	if (!changed && !again)
		return false;
	loading = true;
	r = take_new_policy(old, &files, why, sizeof(why));
	loading = false;
	watch_clear(&policy_files);
	policy_files = files;
	again = r < 0 && changed;
	if (r == 0) {
		last_refusal[0] = '\0';
		snprintf(text, len, "%s", why);
		return true;
	}
	if (changed || strcmp(last_refusal, why) == 0)
		return false;
	strcpy(last_refusal, why);
	snprintf(text, len, "not reloaded, so the policy before stays in use: %s", why);
	notice("%s", text);
	return true;
}

static void look_at_policy(void *arg)
{
	struct rules *old = arg;
	char text[HOST_WHY_LEN + 64];
	bool tell;

	/* Whoever is at it will be through soon. */
	if (!guard_try_lock(&host_lock))
		return;
	tell = reload(old, text, sizeof(text));
	guard_unlock(&host_lock);
	if (tell)
		audit_tell_policy(NULL, text);
}

/* The rules that are to decide over a connection, with a reference. */
static struct rules *rules_for_decision(void)
{
	struct rules *rules = rules_hold();

	if (loading || host_is_visitor() || !host_is_time(&look_ms))
		return rules;
	look_at_policy(rules);
	rules_unref(rules);
	return rules_hold();
}

bool host_has_policy(void)
{
	return host_status() == HOST_READY;
}

bool host_covers_children(void)
{
	return host_status() == HOST_READY && atomic_load(&covers_children);
}

bool host_refuses(void)
{
	if (host_status() != HOST_REFUSES)
		return false;
	host_audit_open(); /* where the refusal is told */
	return true;
}

static void fill_who(struct policy_query *query, gid_t *groups)
{
	int count = getgroups(GROUPS_MOST, groups);

	query->uid = geteuid();
	query->gid = getegid();
	query->groups = groups;
	query->group_count = count > 0 ? (size_t)count : 0;
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
	struct rules *rules = rules_for_decision();
	const struct policy_rule *rule = NULL;
	gid_t groups[GROUPS_MOST];

	question->query->program = program;
	question->query->label = label;
	if (rules->policy->asks_who)
		fill_who(question->query, groups);
	if (question->decision != NULL) {
		policy_decide(rules->policy, question->query, question->decision);
		rule = question->decision->rule;
	} else {
		question->matters =
			policy_listener_matters(rules->policy, question->query, question->rule);
		rule = *question->rule;
	}
	question->query->groups = NULL;
	/* The rule that comes out keeps them. */
	host_hold(rule);
	rules_unref(rules);
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

/* FNV-1a, and what spreads its last bytes. */
static uint64_t mix(uint64_t so_far, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		so_far = (so_far ^ bytes[i]) * UINT64_C(0x100000001b3);
	return so_far ^ so_far >> 29;
}

/* Of this boot: the kernel's numbers of sockets begin anew with each. 0: it is not to be had. */
static uint64_t boot_number(void)
{
	static _Atomic uint64_t known;
	char text[64] = "";
	uint64_t number = atomic_load(&known);
	int fd = number != 0 ? -1 : open(BOOT_ID, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return number;
	if (libc.read(fd, text, sizeof(text) - 1) > 0)
		number = mix(number, (const uint8_t *)text, sizeof(text));
	libc.close(fd);
	atomic_store(&known, number);
	return number;
}

uint64_t host_socket_id(int fd, const struct policy_address *remote)
{
	int saved = errno;
	uint64_t cookie = 0, id;
	socklen_t len = sizeof(cookie);

	if (libc.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		cookie = 0;
	errno = saved;
	id = mix(boot_number(), (const uint8_t *)&cookie, sizeof(cookie));
	id = mix(id, remote->bytes, sizeof(remote->bytes));
	id = mix(id, (const uint8_t *)&remote->port, sizeof(remote->port));
	return cookie != 0 && id != 0 ? id : host_new_id();
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
	/* 0 is no number, and passed over should they ever come round. */
	id = atomic_fetch_add(&next_id, 1);
	return id != 0 ? id : atomic_fetch_add(&next_id, 1);
}

bool host_is_visitor(void)
{
	pid_t known = atomic_load_explicit(&known_pid, memory_order_relaxed);

	return known != 0 && known != guard_pid();
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
	rules_lock_for_fork(on);
	if (!on)
		guard_unlock(&host_lock);
}
