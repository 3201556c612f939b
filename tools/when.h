/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times in words: RFC 3339, UTC. */
#ifndef SEAMTLS_TOOLS_WHEN_H
#define SEAMTLS_TOOLS_WHEN_H

#include <stdint.h>

#define WHEN_LEN 32
#define WHEN_SECOND_US 1000000

/* "2027-01-15T08:00:00", without the zone. Returns out. */
const char *when_plain(char out[WHEN_LEN], uint64_t seconds);

/* "2027-01-15T08:00:00Z" */
const char *when_seconds(char out[WHEN_LEN], uint64_t seconds);

/* "2027-01-15T08:00:00.123456Z" */
const char *when_us(char out[WHEN_LEN], uint64_t us);

/* "2027-01-15 08:00:00", for people */
const char *when_short(char out[WHEN_LEN], uint64_t seconds);

/* Whole days from now until then; negative: it is past. */
int64_t when_days_left(uint64_t seconds, uint64_t now);

#endif
