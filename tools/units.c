/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "units.h"
#include <inttypes.h>
#include <stdio.h>

const char *units_bytes(char out[UNITS_LEN], uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double scaled = (double)bytes;
	size_t unit = 0;

	for (; scaled >= 999.5 && unit < 6; unit++)
		scaled /= 1000;
	snprintf(out, UNITS_LEN, unit > 0 && scaled < 9.95 ? "%.1f %s" : "%.0f %s", scaled,
		units[unit]);
	return out;
}

const char *units_age(char out[UNITS_LEN], uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	snprintf(out, UNITS_LEN, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
	return out;
}
