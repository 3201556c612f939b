/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CONN_GATED: a connection that is left alone if it begins with TLS, or SSH (`require`). Its bytes
 * go through here, as they are, until both sides have begun; whatever else would pass, or leave to
 * another program, is refused or goes through a relay as on a protected connection.
 */
#ifndef SEAMTLS_CONN_GATE_H
#define SEAMTLS_CONN_GATE_H

#include "audit/event.h"
#include "policy/policy.h"

#include <sys/types.h>
#include <sys/uio.h>

struct conn;

/* Whether the decision wants it. */
static inline bool gate_is_wanted(const struct policy_decision *decision)
{
	return decision->rule != NULL && decision->rule->require != 0 &&
	       (decision->action == POLICY_PASS || decision->action == POLICY_OBSERVE);
}

/* After conn_map(), once there is something to tell: the first event. 0; -EACCES: policy wants it
 * audited, and it cannot be. */
int gate_begin(struct conn *conn);

/* As conn_send() and conn_receive(), but for what they take over; a wait may take the connection
 * away from *held. */
ssize_t gate_send(struct conn **held, int fd, const struct iovec *iov, size_t count, int flags);
ssize_t gate_receive(struct conn **held, int fd, const struct iovec *iov, size_t count, int flags);

#endif
