/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loading a policy for a subcommand, with messages.
 */
#ifndef SEAMTLS_TOOLS_LOAD_H
#define SEAMTLS_TOOLS_LOAD_H

#include "policy/policy.h"

/*
 * Where the policy is that `setting` (SEAMTLS_POLICY's value; NULL: not set) means: EXIT_SUCCESS
 * and *path (malloc'ed; NULL: the built-in one), or EXIT_FAILURE and a message.
 */
int load_find(const char *setting, char **path);

/* Loads `path` (NULL: the built-in one). EXIT_SUCCESS and *out (policy_free()), or EXIT_FAILURE and
 * a message for each error in it. */
int load_policy(const char *path, struct policy **out);

#endif
