/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of host.h, for the files that make it up. */
#ifndef SEAMTLS_HOST_PRIVATE_H
#define SEAMTLS_HOST_PRIVATE_H

#include "host.h"
#include "policy/watch.h"

#include <pthread.h>
#include <stdatomic.h>

#define HOST_WHY_LEN 512

/* What a rule is in one role. Made under the lock of host.c; the context is looked up under that of
 * host_rules.c. */
struct slot {
	struct tls_context *context; /* NULL: not made yet */
	struct watch files;          /* that it was made from */
	_Atomic int64_t look_ms;     /* not before are they looked at again */
	bool again;            /* what they have become makes no sense, but was tried only once */
	_Atomic bool unwarned; /* what is to be said of the context's files has not been said */
	uint64_t told;         /* what of them was told last */
};

/* A policy with what was made from it. Connections hold the one that they were decided by. */
struct rules {
	_Atomic unsigned refs;
	struct policy *policy;
	struct slot *slots[2]; /* by role, by rule */
};

/* --- host_rules.c */
/* Takes the policy over. NULL: no memory, and the policy is freed. */
struct rules *rules_new(struct policy *policy);
void rules_unref(struct rules *rules);
/* The ones that apply now, with a reference; NULL: there are none. */
struct rules *rules_hold(void);
/* `next` apply from now on; with them goes the reference. */
void rules_apply(struct rules *next);
/*
 * Makes what `next` needs at once and cannot take over from `old`, which is whatever has the same
 * name and settings: contexts in the place of those in use, and a server's others, so that a policy
 * is refused that would only fail later. All or none: 0; or -errno, and in why[] what cannot be
 * used, whose files `files` gets.
 */
int rules_prepare(
	struct rules *old, struct rules *next, struct watch *files, char *why, size_t len);
void rules_take_over(struct rules *old, struct rules *next);
/* True once in every second, for one of those who ask. */
bool host_is_time(_Atomic int64_t *look_ms);
void rules_lock_for_fork(bool on);

/* --- host_choose.c */
/*
 * Which policy applies: the system's, if that is locked, else the environment's choice, which is
 * the same for as long as the process lives. 0 and *out; or -errno, and in why[] the first thing
 * that is wrong. All of it is said as notices, if `outcome` ends the sentence about the policy.
 * `files` gets what was looked at.
 */
int host_choose(
	struct policy **out, struct watch *files, const char *outcome, char *why, size_t len);

/* policy_find() with the directories of the user. */
int host_find(const char *setting, char **path);

/* --- host_audit.c */
/* Where the audit goes and whether there is one, by the environment and the policy (NULL: none). */
void audit_choose(const struct policy *policy);
/* What the first event of the process says; before any is written. */
void audit_set_first(const char *reason);
/* The event that tells of the policy, or of the files of a rule (NULL: none). */
void audit_tell_policy(const char *rule, const char *reason);

/* --- host.c */
extern pthread_mutex_t host_lock; /* loading of policy and contexts */
const char *host_program(void);
const char *host_label(void);
bool host_is_disabled(void);

#endif
