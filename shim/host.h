/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host program, and what applies to it: its policy, its audit, its name. Loaded at its first
 * TCP socket, so that a program without sockets pays nothing, and again when the files have
 * changed.
 */
#ifndef SEAMTLS_HOST_H
#define SEAMTLS_HOST_H

#include "audit/event.h"
#include "policy/policy.h"
#include "tls/context.h"

#include <stdbool.h>

/*
 * Whether there is a policy, which is loaded at the first call; what it says is asked by the
 * functions below, since another may take its place at any moment. false: the library is disabled
 * and everything passes; or it could not be loaded, then host_refuses() is true and every TCP
 * connection is to fail with EACCES.
 */
bool host_has_policy(void);
bool host_refuses(void);
bool host_covers_children(void);

/* Before the program's own code: a policy that may say `strict` is loaded, any other is left for
 * later. */
void host_begin(void);

/* Decides over a connection, or what listens there; fills in what the host program is. The rule
 * that comes out is held: host_release(). */
void host_decide(struct policy_query *query, struct policy_decision *out);
bool host_listener_matters(struct policy_query *query, const struct policy_rule **rule);

/* One more reference on the policy of a rule, and one less. NULL is legal. */
const struct policy_rule *host_hold(const struct policy_rule *rule);
void host_release(const struct policy_rule *rule);

/* The context of a rule in a role, made at the first call, and anew when its files have changed.
 * NULL, and in `why` the reason. A reference: tls_context_free(). */
struct tls_context *host_context(
	const struct policy_rule *rule, enum tls_role role, char *why, size_t why_len);

/*
 * The program is about to give up privileges, or its root directory: what can be read now is read.
 * What fails is told when it is needed.
 */
void host_prepare(void);

/* Each rule of the policy that protects connections, whatever they are. */
void host_each_rule(void (*look)(const struct policy_rule *rule));

/* Opens the audit log, if there is to be one. 0, or -errno if policy requires an audit and there
 * can be none. */
int host_audit_open(void);
/* Whether events are written at all. */
bool host_audits(void);
/* Writes the event. 0, or -errno if policy requires it and it could not be written. */
int host_audit(struct audit_event *event);

/* At the end: what was lost and not told yet. */
void host_audit_flush(void);

/* An id for a connection: unique on the host as far as 64 random bits can be. Never 0. */
uint64_t host_new_id(void);
/* The same for a TCP socket and its peer, by the kernel's number for it: a program that is given
 * the socket by another calls the connection as that did. */
uint64_t host_socket_id(int fd, const struct policy_address *remote);

/* The process as it was last seen: differs from getpid() in a vfork child, which may touch nothing
 * but descriptors. */
bool host_is_visitor(void);
/* In the first constructor: a vfork child may be the first to ask for the policy. */
void host_started(void);
void host_after_fork(void);
void host_lock_for_fork(bool on); /* no other thread is in the middle of anything */

#endif
