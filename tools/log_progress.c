/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_progress.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 1
#define BAR_LEN 40

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void show(void *arg)
{
	struct log_progress *progress = arg;
	uint64_t done, total;
	int filled;

	if (now_s() - progress->begun < PATIENCE_S)
		return;
	log_merge_progress(progress->merge, &done, &total);
	filled = done < total ? (int)(done * BAR_LEN / total) : BAR_LEN;
	fprintf(stderr, "\r[%.*s%*s] %3d %%", filled, "########################################",
		BAR_LEN - filled, "", filled * 100 / BAR_LEN);
	progress->shown = true;
}

void log_progress_begin(struct log_progress *progress, struct log_merge *merge, bool beside_output)
{
	*progress = (struct log_progress){ .merge = merge, .begun = now_s() };
	/* Rows on the same terminal are progress enough. */
	if (isatty(STDERR_FILENO) && !(beside_output && isatty(STDOUT_FILENO)))
		log_merge_on_step(merge, show, progress);
}

void log_progress_end(struct log_progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
	log_merge_on_step(progress->merge, NULL, NULL);
}
