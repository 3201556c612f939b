/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of conditions: directions, ports, networks, names, patterns, users and groups. */
#include "policy/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define NSS_BYTES_MAX ((size_t)1 << 20) /* of one entry; a group may have many members */
#define PATTERN_MAX 4096

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int parse_directions(struct parse *parse, const char *text, void *out)
{
	struct condition_direction *direction = out;
	struct policy_list names;
	unsigned mask = 0;
	int r = parse_choice_list(parse, text, &names);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.count; i++)
		mask |= choice_find(choices_direction, names.items[i])->value;
	direction->mask = mask;
	direction->text = arena_strdup(parse->arena, text);
	return direction->text != NULL ? 0 : -ENOMEM;
}

static int refuse_port(struct parse *parse, const char *item)
{
	return parse_refuse(
		parse, "found '%.100s', allowed: ports from 1 to 65535, and ranges LOW-HIGH", item);
}

static int parse_port_range(struct parse *parse, char *item, void *out)
{
	size_t len = strcspn(item, "-");
	const char *low_text = item, *high_text = item + len + 1;
	size_t high_len = item[len] == '-' ? strlen(high_text) : 0;
	uint32_t low, high;

	text_trim(&low_text, &len);
	if (!text_number(low_text, len, 65535, &low) || low == 0)
		return refuse_port(parse, item);
	high = low;
	if (low_text[len] != '\0') {
		text_trim(&high_text, &high_len);
		if (!text_number(high_text, high_len, 65535, &high))
			return refuse_port(parse, item);
	}
	if (high < low)
		return parse_refuse(parse, "found '%.100s': the range ends before it begins", item);
	*(struct port_range *)out =
		(struct port_range){ .low = (uint16_t)low, .high = (uint16_t)high };
	return 0;
}

/* A condition's list, and its text for those who read an explanation. */
static int parse_condition(struct parse *parse, const char *text, size_t size, parse_item_fn *one,
	struct parse_values *values, const char **copy)
{
	int r = parse_list(parse, text, size, one, values);

	if (r < 0)
		return r;
	*copy = arena_strdup(parse->arena, text);
	return *copy != NULL ? 0 : -ENOMEM;
}

int parse_ports(struct parse *parse, const char *text, void *out)
{
	struct condition_ports *ports = out;
	struct parse_values values;
	int r = parse_condition(
		parse, text, sizeof(*ports->items), parse_port_range, &values, &ports->text);

	if (r < 0)
		return r;
	ports->count = values.count;
	ports->items = values.at;
	return 0;
}

/* Clears the bits of the host; whether there were any. */
static bool cut_host_bits(struct network *network)
{
	size_t size = network->family == AF_INET ? 4 : 16;
	bool cut = false;

	for (size_t i = 0; i < size; i++) {
		unsigned bits = network->bits > 8 * i ? network->bits - 8 * (unsigned)i : 0;
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);

		cut = cut || (network->bytes[i] & ~mask) != 0;
		network->bytes[i] &= mask;
	}
	return cut;
}

int parse_network(struct parse *parse, char *item, void *out)
{
	char *slash = strchr(item, '/');
	struct network network = { .family = strchr(item, ':') != NULL ? AF_INET6 : AF_INET };
	unsigned max = network.family == AF_INET ? 32 : 128;
	uint32_t bits = max;
	char text[INET6_ADDRSTRLEN];
	bool valid;

	if (slash != NULL)
		*slash = '\0';
	valid = inet_pton(network.family, item, network.bytes) == 1;
	if (slash != NULL) {
		valid = valid && text_number(slash + 1, strlen(slash + 1), max, &bits);
		*slash = '/';
	}
	if (!valid)
		return parse_refuse(parse,
			"found '%.100s', allowed: IPv4 and IPv6 addresses, and networks "
			"ADDRESS/BITS",
			item);
	network.bits = (uint8_t)bits;
	if (cut_host_bits(&network)) {
		inet_ntop(network.family, network.bytes, text, sizeof(text));
		return parse_refuse(parse,
			"found '%.100s': bits of a host are set; the network is %s/%u, the host "
			"%.*s/%u",
			item, text, bits, (int)(slash - item), item, max);
	}
	if (network.family == AF_INET6 && bits >= 96 &&
		memcmp(network.bytes, mapped_prefix, 12) == 0) {
		memmove(network.bytes, network.bytes + 12, 4);
		memset(network.bytes + 4, 0, 12);
		network.family = AF_INET;
		network.bits = (uint8_t)(bits - 96);
	}
	*(struct network *)out = network;
	return 0;
}

int parse_networks(struct parse *parse, const char *text, void *out)
{
	struct condition_networks *networks = out;
	struct parse_values values;
	int r = parse_condition(
		parse, text, sizeof(*networks->items), parse_network, &values, &networks->text);

	if (r < 0)
		return r;
	networks->count = values.count;
	networks->items = values.at;
	return 0;
}

static int parse_host(struct parse *parse, char *item, void *out)
{
	char name[HOST_NAME_MAX_BYTES];
	const char *base = strncmp(item, "*.", 2) == 0 ? item + 2 : item;

	if (strchr(base, '*') != NULL)
		return parse_refuse(parse,
			"found '%.100s', allowed: '*' only as the whole first label, as in "
			"*.example.com",
			item);
	if (!parse_is_host_name(base) || host_normalize(item, name) == 0)
		return parse_refuse(parse,
			"found '%.100s', allowed: host names (xn--... if not ASCII), and *. before "
			"one",
			item);
	return parse_name(parse, name, out);
}

static int parse_pattern(struct parse *parse, char *item, void *out)
{
	if (strlen(item) > PATTERN_MAX)
		return parse_refuse(parse, "a pattern is longer than %d bytes", PATTERN_MAX);
	*(char **)out = item;
	return 0;
}

static int parse_texts(struct parse *parse, const char *text, parse_item_fn *one,
	struct condition_patterns *patterns)
{
	struct parse_values values;
	int r = parse_condition(
		parse, text, sizeof(*patterns->items), one, &values, &patterns->text);

	if (r < 0)
		return r;
	patterns->count = values.count;
	patterns->items = values.at;
	return 0;
}

int parse_hosts(struct parse *parse, const char *text, void *out)
{
	return parse_texts(parse, text, parse_host, out);
}

int parse_patterns(struct parse *parse, const char *text, void *out)
{
	return parse_texts(parse, text, parse_pattern, out);
}

static int look_up_user(const char *name, char *buf, size_t size, uint32_t *out)
{
	struct passwd entry, *found;
	int r = getpwnam_r(name, &entry, buf, size, &found);

	if (found != NULL)
		*out = entry.pw_uid;
	return r == 0 && found == NULL ? ENOENT : r;
}

static int look_up_group(const char *name, char *buf, size_t size, uint32_t *out)
{
	struct group entry, *found;
	int r = getgrnam_r(name, &entry, buf, size, &found);

	if (found != NULL)
		*out = entry.gr_gid;
	return r == 0 && found == NULL ? ENOENT : r;
}

/* A number needs no look-up: user databases may be behind a network. */
static int parse_id(struct parse *parse, const char *item,
	int (*look_up)(const char *, char *, size_t, uint32_t *), uint32_t *out)
{
	int r = ERANGE;

	if (text_number(item, strlen(item), UINT32_MAX - 1, out))
		return 0;
	for (size_t size = 4096; r == ERANGE && size <= NSS_BYTES_MAX; size *= 4) {
		char *buf = malloc(size);

		if (buf == NULL)
			return -ENOMEM;
		r = look_up(item, buf, size, out);
		free(buf);
	}
	if (r != 0)
		return parse_refuse(parse,
			"found '%.100s', and there is no %s of that name; allowed: names and "
			"numbers",
			item, parse->key->name);
	return 0;
}

static int parse_user(struct parse *parse, char *item, void *out)
{
	return parse_id(parse, item, look_up_user, out);
}

static int parse_group(struct parse *parse, char *item, void *out)
{
	return parse_id(parse, item, look_up_group, out);
}

static int parse_ids(
	struct parse *parse, const char *text, parse_item_fn *one, struct condition_ids *ids)
{
	struct parse_values values;
	int r = parse_condition(parse, text, sizeof(*ids->items), one, &values, &ids->text);

	if (r < 0)
		return r;
	ids->count = values.count;
	ids->items = values.at;
	return 0;
}

int parse_users(struct parse *parse, const char *text, void *out)
{
	return parse_ids(parse, text, parse_user, out);
}

int parse_groups(struct parse *parse, const char *text, void *out)
{
	return parse_ids(parse, text, parse_group, out);
}
