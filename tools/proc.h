/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What /proc says of a process. */
#ifndef SEAMTLS_TOOLS_PROC_H
#define SEAMTLS_TOOLS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether the process that had this id at `time_us` (since the epoch) still runs: not one that got
 * its id later. */
bool proc_runs_since(pid_t pid, uint64_t time_us);

#endif
