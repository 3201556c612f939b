/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ways to libc's functions that lead past us, in the clear. RTLD_DEEPBIND lets an object find libc
 * before any preloaded library: it is taken out of the flags, so that such an object is bound as
 * one that is loaded without. A new namespace (dlmopen) has a libc of its own, which we are not in:
 * it is refused where there is a policy. A name that is asked of libc's own handle is answered with
 * ours.
 *
 * The loader looks at the address of its caller, for the search path and for RTLD_NEXT. So where
 * that matters there is a jump to the real function, which is what the compiler makes of a call
 * that is the last thing; a test holds it to that.
 */
#include "calls/border.h"
#include "host.h"

#include <aio.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* What the loader says of a file that is not there is what the program reads in dlerror(). */
#define REFUSAL "seamtls: in a new namespace connections could not be protected"

typedef void function(void);

struct stand_in {
	const void *real; /* its place in `libc` */
	function *ours;
};

#define ROW(result, name, parameters, arguments) { &libc.name, (function *)name },
static const struct stand_in stand_ins[] = {
	LIBC_FUNCTIONS(ROW)
	/* the loader's */
	{ &libc.dlsym, (function *)dlsym },
	{ &libc.dlvsym, (function *)dlvsym },
	{ &libc.dlopen, (function *)dlopen },
	{ &libc.dlmopen, (function *)dlmopen },
};
#undef ROW

static void *stand_in(void *found)
{
	for (size_t i = 0; found != NULL && i < sizeof(stand_ins) / sizeof(*stand_ins); i++)
		if (memcmp(stand_ins[i].real, &found, sizeof(found)) == 0) {
			memcpy(&found, &stand_ins[i].ours, sizeof(found));
			break;
		}
	return found;
}

SEAM_EXPORT BEFORE_SANITIZERS void *dlsym(void *restrict handle, const char *restrict name)
{
	if (handle == RTLD_DEFAULT || handle == RTLD_NEXT)
		return libc.dlsym(handle, name);
	return stand_in(libc.dlsym(handle, name));
}

SEAM_EXPORT BEFORE_SANITIZERS void *dlvsym(
	void *restrict handle, const char *restrict name, const char *restrict version)
{
	if (handle == RTLD_DEFAULT || handle == RTLD_NEXT)
		return libc.dlvsym(handle, name, version);
	return stand_in(libc.dlvsym(handle, name, version));
}

SEAM_EXPORT void *dlopen(const char *path, int flags)
{
	return libc.dlopen(path, flags & ~RTLD_DEEPBIND);
}

SEAM_EXPORT void *dlmopen(Lmid_t space, const char *path, int flags)
{
	if (space == LM_ID_BASE)
		return libc.dlmopen(space, path, flags & ~RTLD_DEEPBIND);
	if (host_has_policy() || host_refuses())
		path = REFUSAL;
	return libc.dlmopen(space, path, flags);
}
