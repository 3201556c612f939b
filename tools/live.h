/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A handshake with a peer as a rule has it, step by step, for `seamtls doctor --live`. */
#ifndef SEAMTLS_TOOLS_LIVE_H
#define SEAMTLS_TOOLS_LIVE_H

#include "doctor.h"
#include "policy/policy.h"

/*
 * Connects to `host` (a name or an address) at `port`, upgrades where the rule says starttls, and
 * does the handshake of the rule; tells each step, the failed one with DOCTOR_NO, and ends the
 * connection.
 */
void live_test(const struct policy_rule *rule, const char *host, const char *port,
	doctor_tell *tell, void *arg);

#endif
