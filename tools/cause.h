/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why connections failed, in classes that can be counted. An event's reason is a sentence for
 * people with names and numbers in it; the class is found in its words.
 */
#ifndef SEAMTLS_TOOLS_CAUSE_H
#define SEAMTLS_TOOLS_CAUSE_H

#include "audit/event.h"

/* One word for the cause of a `fail` event: "name", "timeout", ... "other"; never NULL. */
const char *cause_of(const struct audit_event *event);

/* A client that came and went without a word: a port scan, a health check. No failure. */
bool cause_is_probe(const char *cause);

/* The cause in words, and what to do about it. */
const char *cause_meaning(const char *cause);

#endif
