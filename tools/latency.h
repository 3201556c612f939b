/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Durations, of which quantiles are asked: counted in steps of at most 1/32 of their size. */
#ifndef SEAMTLS_TOOLS_LATENCY_H
#define SEAMTLS_TOOLS_LATENCY_H

#include <stdint.h>

#define LATENCY_FINE 5 /* bits of a duration that count */
#define LATENCY_STEPS ((64 - LATENCY_FINE + 1) << LATENCY_FINE)

/* All zeroes: empty. */
struct latency {
	uint64_t count, sum_us;
	uint64_t steps[LATENCY_STEPS];
};

void latency_add(struct latency *latency, uint64_t us);

/* The duration that `percent` of all do not exceed; 0: there are none. */
uint64_t latency_quantile(const struct latency *latency, unsigned percent);

#endif
