/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the linker puts in the place of malloc() and its like wherever objects of the library call
 * them, wolfSSL's too (`ld --wrap`). What libc itself has made, by asprintf() for one, is libc's to
 * free.
 */
#include "heap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

void __real_free(void *block);
void *__real_realloc(void *block, size_t len);

void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *block, size_t len);
void *__wrap_reallocarray(void *block, size_t count, size_t len);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);

void *__wrap_malloc(size_t len)
{
	return heap_take(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
	size_t all;

	if (__builtin_mul_overflow(count, len, &all))
		all = SIZE_MAX;
	return heap_take(all);
}

void *__wrap_realloc(void *block, size_t len)
{
	size_t have;
	void *made;

	if (block == NULL)
		return heap_take(len);
	if (!heap_has(block))
		return __real_realloc(block, len);
	have = heap_len(block);
	/* What is half empty is not worth a copy. */
	if (len <= have && len >= have / 2)
		return block;
	made = heap_take(len);
	if (made == NULL)
		return NULL;
	memcpy(made, block, have < len ? have : len);
	heap_give(block);
	return made;
}

void *__wrap_reallocarray(void *block, size_t count, size_t len)
{
	size_t all;

	if (__builtin_mul_overflow(count, len, &all))
		all = SIZE_MAX;
	return __wrap_realloc(block, all);
}

void __wrap_free(void *block)
{
	if (block == NULL)
		return;
	if (heap_has(block))
		heap_give(block);
	else
		__real_free(block);
}

char *__wrap_strndup(const char *text, size_t most)
{
	size_t len = strnlen(text, most);
	char *copy = heap_take(len + 1);

	return copy != NULL ? memcpy(copy, text, len) : NULL;
}

char *__wrap_strdup(const char *text)
{
	return __wrap_strndup(text, SIZE_MAX);
}
