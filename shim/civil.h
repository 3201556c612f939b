/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Gregorian calendar, without libc: its gmtime_r() reads the time zone, for which it allocates,
 * and takes a lock that a signal handler or a forked child may find taken.
 */
#ifndef SEAMTLS_CIVIL_H
#define SEAMTLS_CIVIL_H

#include <stdint.h>

#define CIVIL_DAY_S 86400

struct civil {
	int64_t year;
	int month, day;           /* from 1 */
	int hour, minute, second; /* UTC */
};

struct civil civil_of(int64_t time_s);
/* The days from 1970-01-01 to a date. */
int64_t civil_days(int64_t year, int month, int day);

#endif
