/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit of the host program: where it goes is chosen once, since programs empty their
 * environment (nginx does, in its workers). */
#include "host_private.h"

#include "audit/cause.h"
#include "audit/writer.h"
#include "deep.h"
#include "guard.h"
#include "notice.h"
#include "variables.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static char directory[PATH_MAX];
static _Atomic bool audited;
static _Atomic int mode = POLICY_AUDIT_ON;
static char first[PATH_MAX + 64]; /* what the first event says */

/* The environment's directory, else the policy's, else the default. false: there is to be no audit.
 */
static bool choose_directory(const struct policy *policy, char *dir, size_t len)
{
	const char *setting =
		policy != NULL && policy->global.locked ? NULL : variable_get("SEAMTLS_AUDIT");

	if (mode == POLICY_AUDIT_OFF)
		return false;
	if (setting != NULL && strcmp(setting, "none") == 0) {
		if (mode != POLICY_AUDIT_REQUIRED)
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

void audit_choose(const struct policy *policy)
{
	char other[PATH_MAX];

	if (policy != NULL)
		audit_writer_configure(&(struct audit_settings){ policy->global.audit_key,
			policy->global.audit_max_size, policy->global.audit_max_age_s,
			policy->global.audit_keep_s });
	atomic_store(&mode, policy != NULL ? policy->global.audit : POLICY_AUDIT_ON);
	/* The log that is open goes on. */
	if (directory[0] == '\0')
		atomic_store(&audited, choose_directory(policy, directory, sizeof directory));
	else
		atomic_store(&audited, choose_directory(policy, other, sizeof other));
}

void audit_set_first(const char *reason)
{
	snprintf(first, sizeof first, "%s", reason);
}

static int required(int r)
{
	return mode == POLICY_AUDIT_REQUIRED ? r : 0;
}

static int write_event(struct audit_event *event)
{
	if (event->program == NULL)
		event->program = host_program();
	if (event->label == NULL)
		event->label = host_label();
	if (event->pid == 0)
		event->pid = guard_pid();
	return audit_write(event);
}

/* The first event of a process: what its decisions come from. */
static void tell_first(void)
{
	static _Atomic bool told;
	struct audit_event event;

	if (atomic_exchange(&told, true))
		return;
	audit_event_init(&event, AUDIT_POLICY);
	event.reason = first;
	write_event(&event);
}

static int open_audit(void)
{
	char why[256] = "";
	int saved = errno, r;

	if (host_is_disabled())
		return 0;
	if (!audited)
		return required(-ENOENT);
	r = audit_writer_open(directory, why, sizeof(why));
	if (r < 0 && why[0] != '\0')
		notice("%s: connections are %s (what to do: %s)", why,
			mode == POLICY_AUDIT_REQUIRED
				? "refused, since the policy requires an audit"
				: "not audited",
			cause_advice(CAUSE_AUDIT));
	if (r == 0)
		tell_first();
	errno = saved;
	return r < 0 ? required(r) : 0;
}

static int audit(struct audit_event *event)
{
	int saved = errno, r;

	if (host_is_disabled() || !audited)
		return 0;
	r = open_audit();
	if (r < 0)
		return r;
	r = write_event(event);
	errno = saved;
	return r < 0 ? required(r) : 0;
}

bool host_audits(void)
{
	return atomic_load_explicit(&audited, memory_order_relaxed) && !host_is_disabled();
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

	if (host_audits() && audit_writer_descriptor() >= 0)
		return 0; /* for each connection, once the first has opened it */
	deep_run(do_audit, &job);
	return job.result;
}

int host_audit(struct audit_event *event)
{
	struct audit_job job = { event, 0 };

	deep_run(do_audit, &job);
	return job.result;
}

void audit_tell_policy(const char *rule, const char *reason)
{
	struct audit_event event;

	audit_event_init(&event, AUDIT_POLICY);
	event.rule = rule;
	event.reason = reason;
	host_audit(&event);
	notice_debug(1, "policy: %s", reason);
}

static void flush_audit(void *arg)
{
	(void)arg;
	audit_writer_finish();
}

void host_audit_flush(void)
{
	int saved = errno;

	/* Most programs have none, and end sooner without a stack for this. */
	if (audit_writer_descriptor() >= 0)
		deep_run(flush_audit, NULL);
	errno = saved;
}
