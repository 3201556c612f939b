/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looks the real functions up with RTLD_NEXT, so that other preloads behind us keep working. Every
 * look-up is of a name that the supported glibc versions have (a failing dlsym allocates, which
 * recurses into preloaded allocators), but for the few newer ones, which are asked for last.
 */
#include "libc.h"

#include "loaded.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static int missing(void)
{
	errno = ENOSYS;
	return -1;
}

#define LIBC_RESOLVER(result, name, parameters, arguments)                                         \
	static result first_##name parameters                                                      \
	{                                                                                          \
		libc_init();                                                                       \
		return libc.name arguments;                                                        \
	}
LIBC_FUNCTIONS(LIBC_RESOLVER)

static void __attribute__((noreturn)) first_exit_now(int status)
{
	libc_init();
	libc.exit_now(status);
}

static BEFORE_SANITIZERS void *first_dlsym(void *handle, const char *name)
{
	libc_init();
	return libc.dlsym(handle, name);
}

static BEFORE_SANITIZERS void *first_dlvsym(void *handle, const char *name, const char *version)
{
	libc_init();
	return libc.dlvsym(handle, name, version);
}

static void *first_dlopen(const char *path, int flags)
{
	libc_init();
	return libc.dlopen(path, flags);
}

static void *first_dlmopen(Lmid_t space, const char *path, int flags)
{
	libc_init();
	return libc.dlmopen(space, path, flags);
}

struct libc libc = {
#define LIBC_INITIAL(result, name, parameters, arguments) .name = first_##name,
	LIBC_FUNCTIONS(LIBC_INITIAL)
#undef LIBC_INITIAL
		.exit_now = first_exit_now,
	.dlsym = first_dlsym,
	.dlvsym = first_dlvsym,
	.dlopen = first_dlopen,
	.dlmopen = first_dlmopen,
};

/* ISO C has no conversion from void * to a function pointer; POSIX dlsym() promises that the bytes
 * are the same. */
static BEFORE_SANITIZERS void find_dlsym(void)
{
	void *found = loaded_find("dlsym");

	if (found != NULL)
		memcpy(&libc.dlsym, &found, sizeof(found));
}

BEFORE_SANITIZERS void libc_find(void *member, const char *name)
{
	int (*absent)(void) = missing;
	void *found;

	if (libc.dlsym == first_dlsym)
		find_dlsym();
	found = libc.dlsym(RTLD_NEXT, name);

	if (found != NULL)
		memcpy(member, &found, sizeof(found));
	else
		memcpy(member, &absent, sizeof(absent));
}

BEFORE_SANITIZERS void libc_init(void)
{
	int saved = errno;

#define LIBC_LOOK_UP(result, name, parameters, arguments) libc_find(&libc.name, #name);
	LIBC_FUNCTIONS(LIBC_LOOK_UP)
#undef LIBC_LOOK_UP
	libc_find(&libc.exit_now, "_exit");
	libc_find(&libc.dlvsym, "dlvsym");
	libc_find(&libc.dlopen, "dlopen");
	libc_find(&libc.dlmopen, "dlmopen");
	errno = saved;
}
