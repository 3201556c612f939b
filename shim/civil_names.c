/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the linker puts in the place of gmtime_r() wherever objects of the library call it: wolfSSL
 * does, for the dates of certificates (`ld --wrap`). */
#include "civil.h"

#include <time.h>

struct tm *__wrap_gmtime_r(const time_t *time, struct tm *out);

struct tm *__wrap_gmtime_r(const time_t *time, struct tm *out)
{
	struct civil at = civil_of(*time);
	int64_t days = civil_days(at.year, at.month, at.day);

	*out = (struct tm){ .tm_year = (int)(at.year - 1900),
		.tm_mon = at.month - 1,
		.tm_mday = at.day,
		.tm_hour = at.hour,
		.tm_min = at.minute,
		.tm_sec = at.second,
		.tm_wday = (int)(((days + 4) % 7 + 7) % 7), /* 1970 began on a Thursday */
		.tm_yday = (int)(days - civil_days(at.year, 1, 1)) };
	return out;
}
