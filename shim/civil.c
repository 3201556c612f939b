/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In years that begin in March, so that the day which some have is their last. */
#include "civil.h"

#define ERA_DAYS 146097 /* of 400 years */
#define TO_1970 719468  /* days, from 0000-03-01 */

struct civil civil_of(int64_t time_s)
{
	int64_t days = (time_s >= 0 ? time_s : time_s - (CIVIL_DAY_S - 1)) / CIVIL_DAY_S;
	int64_t since = days + TO_1970, in_day = time_s - days * CIVIL_DAY_S;
	int64_t era = (since >= 0 ? since : since - (ERA_DAYS - 1)) / ERA_DAYS;
	int64_t of_era = since - era * ERA_DAYS;
	int64_t year_of_era =
		(of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
	int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * of_year + 2) / 153;
	struct civil civil = { .day = (int)(of_year - (153 * march_month + 2) / 5 + 1) };

	civil.month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
	civil.year = year_of_era + era * 400 + (civil.month <= 2);
	civil.hour = (int)(in_day / 3600);
	civil.minute = (int)(in_day / 60 % 60);
	civil.second = (int)(in_day % 60);
	return civil;
}

int64_t civil_days(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, march_month = month > 2 ? month - 3 : month + 9;
	int64_t era = (y >= 0 ? y : y - 399) / 400, year_of_era = y - era * 400;
	int64_t of_year = (153 * march_month + 2) / 5 + day - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year -
	       TO_1970;
}
