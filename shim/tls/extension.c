/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls/extension.h"

bool numbers_have(const struct numbers *numbers, size_t number)
{
	for (size_t i = 0; i < numbers->count; i++)
		if (numbers->seen[i] == number)
			return true;
	return false;
}

bool numbers_add(struct numbers *numbers, size_t number)
{
	if (numbers->count == NUMBERS_MOST || numbers_have(numbers, number))
		return false;
	numbers->seen[numbers->count++] = number;
	return true;
}
