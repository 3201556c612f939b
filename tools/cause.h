/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why connections failed, in classes that can be counted (audit/cause.h), of events of any age. */
#ifndef SEAMTLS_TOOLS_CAUSE_H
#define SEAMTLS_TOOLS_CAUSE_H

#include "audit/event.h"

/* One word: "name", "timeout", ... "other". NULL: the event tells of no failure. */
const char *cause_of(const struct audit_event *event);

/* A client that came and went without a word: a port scan, a health check. No failure. */
bool cause_is_probe(const char *cause);

/* The cause in words, and what to do about it. */
const char *cause_text(const char *cause);
const char *cause_to_do(const char *cause); /* NULL: the reason says all that is known */

#endif
