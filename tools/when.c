/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "when.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400

/* RFC 3339 knows four digits of a year. RFC 5280, 4.1.2.5: a certificate without end ends then. */
#define LAST_SECOND UINT64_C(253402300799)

static uint64_t clamp(uint64_t seconds)
{
	return seconds < LAST_SECOND ? seconds : LAST_SECOND;
}

const char *when_plain(char out[WHEN_LEN], uint64_t seconds)
{
	/* Most events are of the same second as the one before. */
	static uint64_t last = UINT64_MAX;
	static char text[WHEN_LEN];
	time_t clamped = (time_t)clamp(seconds);
	struct tm tm;

	if (seconds != last) {
		gmtime_r(&clamped, &tm);
		if (strftime(text, WHEN_LEN, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
			text[0] = '\0';
		last = seconds;
	}
	return strcpy(out, text);
}

const char *when_seconds(char out[WHEN_LEN], uint64_t seconds)
{
	when_plain(out, seconds);
	return strcat(out, "Z");
}

const char *when_us(char out[WHEN_LEN], uint64_t us)
{
	size_t len = strlen(when_plain(out, us / WHEN_SECOND_US));

	snprintf(out + len, WHEN_LEN - len, ".%06uZ", (unsigned)(us % WHEN_SECOND_US));
	return out;
}

const char *when_short(char out[WHEN_LEN], uint64_t seconds)
{
	when_plain(out, seconds);
	out[strcspn(out, "T")] = ' ';
	return out;
}

int64_t when_days_left(uint64_t seconds, uint64_t now)
{
	int64_t left = (int64_t)clamp(seconds) - (int64_t)clamp(now);

	return left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S);
}
