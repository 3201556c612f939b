/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The list of findings. It is kept in reading order, free of repetitions and of control characters
 * (a message quotes what stood in the file, and is printed on terminals), and bounded.
 */
#include "policy/errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 1024

static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Where a finding for file:line belongs: behind the last of the same file that is not below it. -1:
 * it is there already. */
static ssize_t place(const struct policy_errors *errors, const struct policy_error *error)
{
	ssize_t at = -1;

	for (size_t i = 0; i < errors->count; i++) {
		const struct policy_error *item = &errors->items[i];

		if (!same(item->file, error->file))
			continue;
		if (item->line == error->line && same(item->key, error->key) &&
			same(item->message, error->message))
			return -1;
		if (at < 0 || item->line <= error->line)
			at = (ssize_t)i + (item->line <= error->line);
	}
	return at >= 0 && errors->count < ERRORS_MAX ? at : (ssize_t)errors->count;
}

static void error_clear(struct policy_error *error)
{
	free(error->file);
	free(error->key);
	free(error->message);
}

static int insert(struct policy_errors *errors, struct policy_error *error)
{
	struct policy_error *items;
	ssize_t at = place(errors, error);

	if (at < 0)
		return -EEXIST;
	items = realloc(errors->items, (errors->count + 1) * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	errors->items = items;
	memmove(items + at + 1, items + at, (errors->count - (size_t)at) * sizeof(*items));
	items[at] = *error;
	errors->count++;
	return 0;
}

void errors_add(struct policy_errors *errors, const char *file, unsigned line, const char *key,
	const char *format, ...)
{
	char message[MESSAGE_BYTES];
	struct policy_error error = { .line = line };
	va_list args;

	if (errors->count > ERRORS_MAX)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (errors->count == ERRORS_MAX) {
		snprintf(message, sizeof(message), "more errors follow; they are not shown");
		key = NULL;
		error.line = 0;
	}
	clean(message);
	error.file = strdup(file);
	error.key = key != NULL ? strdup(key) : NULL;
	error.message = strdup(message);
	if (error.key != NULL)
		clean(error.key);
	if (error.file == NULL || error.message == NULL || insert(errors, &error) < 0)
		error_clear(&error);
}

void policy_errors_clear(struct policy_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		error_clear(&errors->items[i]);
	free(errors->items);
	errors->items = NULL;
	errors->count = 0;
}
