/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A library to be preloaded behind another one, whose allocations it lets fail: by malloc() and its
 * like, called out of LIBRARY, the one that MALLOC_FAILS says, or with a + all from there on. Says
 * so on standard error, once.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "/libseamtls_with_malloc.so"
#define SHOWN __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static uintptr_t first, last; /* of the library's code */
static unsigned long from;    /* 0: none fails */
static bool onwards;
static _Atomic unsigned long made;

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	if (strstr(info->dlpi_name, LIBRARY) == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
			continue;
		first = info->dlpi_addr + part->p_vaddr;
		last = first + part->p_memsz;
	}
	return 1;
}

static void __attribute__((constructor)) begin(void)
{
	const char *setting = getenv("MALLOC_FAILS");

	if (setting == NULL)
		return;
	onwards = strchr(setting, '+') != NULL;
	dl_iterate_phdr(look, NULL);
	from = strtoul(setting, NULL, 10);
}

static bool fails(const void *caller)
{
	static const char words[] = "there was no memory\n";
	unsigned long number;

	if (from == 0 || (uintptr_t)caller < first || (uintptr_t)caller >= last)
		return false;
	number = atomic_fetch_add(&made, 1) + 1;
	if (number == from && write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		abort();
	if (number < from || (number > from && !onwards))
		return false;
	errno = ENOMEM;
	return true;
}

SHOWN void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

SHOWN void *calloc(size_t count, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

SHOWN void *realloc(void *old, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

SHOWN void *reallocarray(void *old, size_t count, size_t size)
{
	size_t all;

	if (fails(__builtin_return_address(0)) || __builtin_mul_overflow(count, size, &all))
		return NULL;
	return __libc_realloc(old, all);
}

SHOWN char *strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(len);

	return copy != NULL ? memcpy(copy, text, len) : NULL;
}
