/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waits until audit files have grown, or there are new ones. */
#ifndef SEAMTLS_TOOLS_LOG_FOLLOW_H
#define SEAMTLS_TOOLS_LOG_FOLLOW_H

#include "log_merge.h"

struct log_follow;

int log_follow_new(struct log_follow **out); /* 0; -errno */
void log_follow_free(struct log_follow *follow);

/* A directory, or a file. To be called before it is read, so that nothing is missed. 0; -errno. */
int log_follow_add(struct log_follow *follow, const char *path, bool is_dir);

/*
 * Waits, and tells `merge` what there is to read. 1; 0: nobody reads standard output any more;
 * -errno.
 */
int log_follow_wait(struct log_follow *follow, struct log_merge *merge);

#endif
