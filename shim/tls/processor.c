/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/processor.h"

/* As CPU_FEATURE_ACTIVE(), which shifts a signed 1 by 31. */
static bool is_active(unsigned feature)
{
	const unsigned *active = __x86_get_cpuid_feature_leaf(feature / 128)->active_array;

	return (active[feature % 128 / 32] & 1u << feature % 32) != 0;
}

bool processor_has(const unsigned *features, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_active(features[i]))
			return false;
	return true;
}
