/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proc.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define START_FIELD 20   /* of those behind the name, which may hold anything */
#define SLACK_US 2000000 /* clocks are set, and ticks are coarse */

/* When it was started, in ticks since the boot; 0: there is none. */
static uint64_t start_ticks(pid_t pid)
{
	char path[32], text[2048];
	uint64_t ticks = 0;
	FILE *file;
	char *at;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 0; at != NULL && field < START_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (at != NULL)
		sscanf(at, " %" SCNu64, &ticks);
	return ticks;
}

static uint64_t clock_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool proc_runs_since(pid_t pid, uint64_t time_us)
{
	uint64_t ticks = start_ticks(pid), boot_us;

	if (ticks == 0)
		return false;
	boot_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME);
	return boot_us + ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK) <= time_us + SLACK_US;
}
