/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers with a unit: sizes of files, times to keep them. */
#include "policy/parse.h"
#include "policy/text.h"
#include <errno.h>
#include <string.h>

#define NUMBER_MAX 1000000000

struct unit {
	char name;
	uint64_t factor;
};

/* At least 1, of one of the units; the last of them, named '\0', is that of a bare number. 0;
 * -EINVAL. */
static int read_amount(const char *text, const struct unit *units, uint64_t *out)
{
	size_t len = strspn(text, "0123456789");
	uint32_t number;

	if (len == 0 || !text_number(text, len, NUMBER_MAX, &number) || number == 0)
		return -EINVAL;
	while (units->name != '\0' && units->name != text[len])
		units++;
	if (units->factor == 0 || text[len] != units->name ||
		(text[len] != '\0' && text[len + 1] != '\0'))
		return -EINVAL;
	*out = number * units->factor;
	return 0;
}

int parse_size(struct parse *parse, const char *text, void *out)
{
	static const struct unit units[] = { { 'K', 1 << 10 }, { 'M', 1 << 20 }, { 'G', 1 << 30 },
		{ '\0', 1 } };

	if (read_amount(text, units, out) == 0)
		return 0;
	return parse_refuse(
		parse, "found '%.100s', allowed: bytes, with K, M or G behind it: 64M", text);
}

int parse_duration(struct parse *parse, const char *text, void *out)
{
	static const struct unit units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 }, { '\0', 0 } };

	if (read_amount(text, units, out) == 0)
		return 0;
	return parse_refuse(parse,
		"found '%.100s', allowed: a number with s, m, h, d or w behind it: 30d", text);
}
