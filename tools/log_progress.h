/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far reading has come, on a terminal, when it takes more than a moment. */
#ifndef SEAMTLS_TOOLS_LOG_PROGRESS_H
#define SEAMTLS_TOOLS_LOG_PROGRESS_H

#include "log_merge.h"
#include <time.h>

struct log_progress {
	struct log_merge *merge;
	bool shown;
	time_t begun; /* CLOCK_MONOTONIC */
};

/* Until log_progress_end(), or as long as `merge` reads. `beside_output`: what is printed meanwhile
 * goes to standard output. */
void log_progress_begin(struct log_progress *progress, struct log_merge *merge, bool beside_output);

/* Takes the bar away. */
void log_progress_end(struct log_progress *progress);

#endif
