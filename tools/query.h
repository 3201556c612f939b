/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the words of a command line to what a policy is asked. */
#ifndef SEAMTLS_TOOLS_QUERY_H
#define SEAMTLS_TOOLS_QUERY_H

#include "policy/policy.h"

struct query_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* malloc'ed */
	size_t group_count;
};

/* ADDRESS:PORT, ADDRESS or :PORT; an IPv6 address has brackets if a port follows. */
bool query_parse_address(const char *text, struct policy_address *out);

/* Who runs this. 0 or -errno. */
int query_user_self(struct query_user *out);
/* By name or number, with all groups; *out is replaced on success. 0; -ENOENT: there is no such
 * user; -ENOMEM. */
int query_user_find(const char *text, struct query_user *out);
void query_user_clear(struct query_user *user);

/* The executable that a shell would start for `text`, as an absolute path without links; `text` if
 * there is none. NULL: no memory. */
char *query_program_path(const char *text);

#endif
