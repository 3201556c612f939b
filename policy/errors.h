/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SEAMTLS_POLICY_ERRORS_H
#define SEAMTLS_POLICY_ERRORS_H

#include "policy/policy.h"

#define ERRORS_MAX 100 /* findings; after that one more that says so */

/*
 * Adds a finding. Repetitions are dropped, and so is what there is no memory for: the caller has to
 * remember on his own that something was wrong.
 */
__attribute__((format(printf, 5, 6))) void errors_add(struct policy_errors *errors,
	const char *file, unsigned line, const char *key, const char *format, ...);

#endif
