/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the values of several keys have in common: refusals, lists, words, numbers, paths. */
#include "policy/parse.h"

#include "policy/keys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 3600
#define TICKETS_MAX 8

int parse_refuse(struct parse *parse, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parse->why, sizeof(parse->why), format, args);
	va_end(args);
	return -EINVAL;
}

/* 0 and parse->why if an item is empty or there are too many. */
static size_t count_items(struct parse *parse, const char *text)
{
	size_t count = 0;

	for (const char *item = text;;) {
		const char *begin = item;
		size_t len = strcspn(item, ",");

		item += len;
		text_trim(&begin, &len);
		if (len == 0) {
			parse_refuse(parse, "found '%.100s': an item of the list is empty", text);
			return 0;
		}
		if (++count > LIST_MAX) {
			parse_refuse(parse, "more than %d items", LIST_MAX);
			return 0;
		}
		if (*item == '\0')
			return count;
		item++;
	}
}

int parse_list(struct parse *parse, const char *text, size_t size, parse_item_fn *one,
	struct parse_values *out)
{
	const char *next = text;

	out->count = count_items(parse, text);
	if (out->count == 0)
		return -EINVAL;
	out->at = arena_alloc(parse->arena, out->count, size);
	if (out->at == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < out->count; i++) {
		const char *begin = next;
		size_t len = strcspn(begin, ",");
		char *item;
		int r;

		next = begin + len + (begin[len] == ',');
		text_trim(&begin, &len);
		item = arena_strndup(parse->arena, begin, len);
		r = item != NULL ? one(parse, item, (char *)out->at + i * size) : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

int parse_strings(
	struct parse *parse, const char *text, parse_item_fn *one, struct policy_list *out)
{
	struct parse_values values;
	int r = parse_list(parse, text, sizeof(*out->items), one, &values);

	if (r == 0)
		*out = (struct policy_list){ .count = values.count, .items = values.at };
	return r;
}

static int refuse_choice(struct parse *parse, const char *found)
{
	const struct policy_choice *choice;
	char allowed[400];
	struct text text;
	struct text_nearest nearest;

	text_init(&text, allowed, sizeof(allowed));
	key_print_allowed(parse->key, &text);
	text_nearest_init(&nearest, found);
	for (choice = parse->key->choices; choice->name != NULL; choice++)
		text_nearest_offer(&nearest, choice->name);
	if (nearest.best == NULL)
		return parse_refuse(parse, "found '%.100s', allowed: %s", found, allowed);
	return parse_refuse(parse, "found '%.100s', did you mean '%s'? allowed: %s", found,
		nearest.best, allowed);
}

int parse_choice(struct parse *parse, const char *text, void *out)
{
	const struct policy_choice *choice = choice_find(parse->key->choices, text);

	if (choice == NULL)
		return refuse_choice(parse, text);
	if (parse->key->size != 0)
		*(unsigned *)out = choice->value;
	return 0;
}

int parse_bool(struct parse *parse, const char *text, void *out)
{
	const struct policy_choice *choice = choice_find(parse->key->choices, text);

	if (choice == NULL)
		return refuse_choice(parse, text);
	*(bool *)out = choice->value != 0;
	return 0;
}

static int parse_listed_choice(struct parse *parse, char *item, void *out)
{
	const struct policy_choice *choice = choice_find(parse->key->choices, item);

	if (choice == NULL)
		return refuse_choice(parse, item);
	return parse_name(parse, choice_name(parse->key->choices, choice->value), out);
}

int parse_choice_list(struct parse *parse, const char *text, void *out)
{
	return parse_strings(parse, text, parse_listed_choice, out);
}

int parse_choices(struct parse *parse, const char *text, void *out)
{
	struct policy_list names = { 0, NULL };
	unsigned values = 0;
	int r = parse_choice_list(parse, text, &names);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.count; i++) {
		unsigned value = choice_find(parse->key->choices, names.items[i])->value;

		if (value == 0 && names.count > 1)
			return parse_refuse(parse, "found '%.100s': '%s' goes with nothing else",
				text, names.items[i]);
		values |= value;
	}
	*(unsigned *)out = values;
	return 0;
}

int parse_name(struct parse *parse, const char *text, void *out)
{
	char *copy = arena_strdup(parse->arena, text);

	*(char **)out = copy;
	return copy != NULL ? 0 : -ENOMEM;
}

int parse_seconds(struct parse *parse, const char *text, void *out)
{
	uint32_t seconds;

	if (!text_number(text, strlen(text), SECONDS_MAX, &seconds) || seconds == 0)
		return parse_refuse(
			parse, "found '%.100s', allowed: seconds, 1 to %d", text, SECONDS_MAX);
	*(unsigned *)out = seconds;
	return 0;
}

int parse_tickets(struct parse *parse, const char *text, void *out)
{
	uint32_t number;

	if (!text_number(text, strlen(text), TICKETS_MAX, &number))
		return parse_refuse(parse, "found '%.100s', allowed: 0 to %d", text, TICKETS_MAX);
	*(unsigned *)out = number;
	return 0;
}

char *parse_resolve_path(struct parse *parse, const char *path)
{
	size_t dir_len = strlen(parse->dir), len = strlen(path);
	char *whole;

	if (path[0] == '/')
		return arena_strndup(parse->arena, path, len);
	while (strncmp(path, "./", 2) == 0) {
		path += 2;
		len -= 2;
	}
	whole = arena_alloc(parse->arena, dir_len + len + 2, 1);
	if (whole == NULL)
		return NULL;
	memcpy(whole, parse->dir, dir_len);
	if (dir_len == 0 || parse->dir[dir_len - 1] != '/')
		whole[dir_len++] = '/';
	memcpy(whole + dir_len, path, len + 1);
	return whole;
}

int parse_path(struct parse *parse, const char *text, void *out)
{
	char *path = parse_resolve_path(parse, text);

	*(char **)out = path;
	return path != NULL ? 0 : -ENOMEM;
}

bool parse_is_host_name(const char *name)
{
	size_t len = strlen(name), label = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text_lower(name[i]);
		bool last = i + 1 == len || name[i + 1] == '.';

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
			    (c == '-' && label > 0 && !last)))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}
