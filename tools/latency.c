/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "latency.h"

#define FINE (UINT64_C(1) << LATENCY_FINE)

static unsigned step_of(uint64_t us)
{
	unsigned exponent;

	if (us < FINE)
		return (unsigned)us;
	exponent = 63 - (unsigned)__builtin_clzll(us) - LATENCY_FINE;
	return ((exponent + 1) << LATENCY_FINE) + (unsigned)((us >> exponent) & (FINE - 1));
}

/* The longest duration of a step. */
static uint64_t step_end(unsigned step)
{
	unsigned exponent = step >> LATENCY_FINE;
	uint64_t fine = step & (FINE - 1);

	return exponent == 0 ? fine : ((FINE + fine + 1) << (exponent - 1)) - 1;
}

void latency_add(struct latency *latency, uint64_t us)
{
	latency->count++;
	latency->sum_us += us;
	latency->steps[step_of(us)]++;
}

uint64_t latency_quantile(const struct latency *latency, unsigned percent)
{
	uint64_t wanted =
		latency->count / 100 * percent + (latency->count % 100 * percent + 99) / 100;
	uint64_t passed = 0;

	if (latency->count == 0)
		return 0;
	for (unsigned i = 0; i < LATENCY_STEPS; i++) {
		passed += latency->steps[i];
		if (passed > 0 && passed >= wanted)
			return step_end(i);
	}
	return 0;
}
