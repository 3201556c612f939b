/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which events are wanted: all that is given must hold; of several values for one, any. */
#ifndef SEAMTLS_TOOLS_LOG_FILTER_H
#define SEAMTLS_TOOLS_LOG_FILTER_H

#include "audit/cause.h"
#include "audit/format.h"

#define LOG_FILTER_MAX 16 /* values for one option */

struct log_patterns {
	size_t count;
	const char *items[LOG_FILTER_MAX];
};

/* All zeroes: everything is wanted. */
struct log_filter {
	uint64_t since_us, until_us; /* from the one on, before the other; until_us 0: no end */
	unsigned types;              /* bits; 0: all */
	struct log_patterns rules, programs, peers, applications;
	uint32_t causes;    /* bits of enum cause; 0: all, and what is no failure */
	unsigned protocols; /* bits; 0: all, and what is protected */
	const char *direction;
	/* Whether a record may hold what is looked for, told from its bytes; NULL: any may. */
	bool (*may_hold)(const uint8_t *record, size_t len, const void *arg);
	const void *may_hold_arg;
};

/* Each reads the value of an option. 0; -EINVAL: it is none of those allowed; -E2BIG: too many. */
int log_filter_time(const char *text, uint64_t now_us, uint64_t *out);
int log_filter_event(struct log_filter *filter, const char *text);
int log_filter_cause(struct log_filter *filter, const char *text);
int log_filter_protocol(struct log_filter *filter, const char *text);
int log_filter_direction(struct log_filter *filter, const char *text);
int log_patterns_add(struct log_patterns *patterns, const char *text);

/* Whether an event may be wanted, by what is known before it is decoded. */
bool log_filter_frame(const struct log_filter *filter, const struct audit_frame *frame);
bool log_filter_wants(const struct log_filter *filter, const struct audit_event *event);

#endif
