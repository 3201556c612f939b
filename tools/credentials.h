/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of a policy's rules, read as the library reads them. */
#ifndef SEAMTLS_TOOLS_CREDENTIALS_H
#define SEAMTLS_TOOLS_CREDENTIALS_H

#include "policy/policy.h"

/*
 * Says what keeps rules from working, and warns of what will, or of keys that are open to others;
 * on standard error, each thing once. Returns how many rules cannot work. What this user may not
 * read is only warned of: the program may.
 */
size_t credentials_check(const struct policy *policy);

#endif
