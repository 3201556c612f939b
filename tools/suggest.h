/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What went in the clear, and the policy that would protect it. */
#ifndef SEAMTLS_TOOLS_SUGGEST_H
#define SEAMTLS_TOOLS_SUGGEST_H

#include "audit/event.h"
#include "conns.h"
#include <stdio.h>

#define SUGGEST_TARGETS_MAX 1000
#define SUGGEST_PROGRAMS_MAX 8

/* A service: where clients go, or where a server listens. */
struct suggest_target {
	bool inbound;
	char host[256];   /* outbound: the name that was looked up, else "" */
	char address[64]; /* outbound without a name */
	unsigned port;
	char *programs[SUGGEST_PROGRAMS_MAX]; /* those that a policy can name */
	size_t program_count;
	bool other_programs; /* also some that are not in the list */
	uint64_t count, last_us;
	uint64_t own; /* connections that are protected by the program itself */
};

struct suggest {
	bool loopback; /* connections within the host count, too */
	bool enforce;  /* the last stage, in which nothing is in the clear any more; else permissive
			*/
	const char *ca, *cert, *key; /* cert and key NULL: servers have none so far */
	struct suggest_target *targets;
	size_t target_count;
	uint64_t skipped; /* connections for which there was no room, or no address */
	uint64_t first_us, last_us;
	bool incomplete;    /* there was not enough memory */
	struct conns alone; /* connections of which it is not known yet what protects them */
};

/* Takes an event; for log_source_each(). */
void suggest_take(const struct audit_event *event, void *suggest);

/* Prints the policy, the services with most connections first. */
void suggest_print(struct suggest *suggest, FILE *out);

void suggest_clear(struct suggest *suggest);

#endif
