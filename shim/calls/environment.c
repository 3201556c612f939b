/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No allocation, since exec() may be called where none is allowed: in a vfork child, or in a signal
 * handler. */
#include "calls/environment.h"

#include "calls/border.h"

#include "host.h"
#include "policy/policy.h"
#include "variables.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PRELOAD "LD_PRELOAD="
#define NUMBERS_MOST 4096 /* where listening sockets are looked for */

static char library[PATH_MAX];

static const char *find(char *const envp[], const char *name, size_t len)
{
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

void environment_learn(char *const envp[])
{
	Dl_info info;

	if (dladdr((void *)library, &info) != 0 && info.dli_fname != NULL &&
		strlen(info.dli_fname) < sizeof(library))
		strcpy(library, info.dli_fname);
	variables_learn(envp);
}

static bool lacks_library(char *const envp[])
{
	const char *preload = find(envp, PRELOAD, strlen(PRELOAD) - 1);

	return library[0] != '\0' && (preload == NULL || strstr(preload, library) == NULL);
}

static bool lacks(char *const envp[], size_t i)
{
	const char *setting = variable_setting(i);

	return setting != NULL &&
	       find(envp, setting, (size_t)(strchr(setting, '=') - setting)) == NULL;
}

/* A listening socket that is to be served with TLS, and that the next program will have: not
 * covered, that would serve it in the clear. */
static bool hands_on_listener(void)
{
	struct rlimit limit = { 0 };
	int saved = errno;
	bool found = false;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 0; fd < NUMBERS_MOST && (rlim_t)fd < limit.rlim_cur && !found; fd++) {
		int flags = libc.fcntl(fd, F_GETFD, 0);

		found = flags >= 0 && (flags & FD_CLOEXEC) == 0 && conn_protects_listener(fd);
	}
	errno = saved;
	return found;
}

/* Asked only if something is missing. */
static bool is_wanted(void)
{
	return host_has_policy() && (host_covers_children() || hands_on_listener());
}

size_t environment_lacks(char *const envp[])
{
	size_t count = 0;

	if (envp == NULL)
		return 0;
	count += lacks_library(envp);
	for (size_t i = 0; i < VARIABLES_PASSED_ON; i++)
		count += lacks(envp, i);
	return count > 0 && is_wanted() ? count : 0;
}

bool environment_loads(char *const envp[])
{
	return envp != NULL && (!lacks_library(envp) || environment_lacks(envp) > 0);
}

static size_t length(char *const envp[])
{
	size_t count = 0;

	while (envp[count] != NULL)
		count++;
	return count;
}

size_t environment_size(char *const envp[])
{
	const char *preload = find(envp, PRELOAD, strlen(PRELOAD) - 1);

	return (length(envp) + VARIABLES_PASSED_ON + 2) * sizeof(char *) + strlen(PRELOAD) +
	       strlen(library) + 1 + (preload != NULL ? strlen(preload) : 0) + 1;
}

/* Ours first, and whatever else the program wants loaded. */
static char *with_library(char *const envp[], char *out)
{
	const char *preload = find(envp, PRELOAD, strlen(PRELOAD) - 1);
	char *end = stpcpy(stpcpy(out, PRELOAD), library);

	if (preload != NULL && preload[0] != '\0')
		stpcpy(stpcpy(end, ":"), preload);
	return out;
}

char *const *environment_complete(char *const envp[], void *memory)
{
	char **out = memory;
	char *text = (char *)(out + length(envp) + VARIABLES_PASSED_ON + 2);
	bool replace = lacks_library(envp);
	size_t used = 0;

	for (size_t i = 0; envp[i] != NULL; i++)
		if (!replace || strncmp(envp[i], PRELOAD, strlen(PRELOAD)) != 0)
			out[used++] = envp[i];
	if (replace)
		out[used++] = with_library(envp, text);
	for (size_t i = 0; i < VARIABLES_PASSED_ON; i++)
		if (lacks(envp, i))
			out[used++] = (char *)(uintptr_t)variable_setting(i);
	out[used] = NULL;
	return out;
}
