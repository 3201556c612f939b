/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies of our own variables, made at the start: programs overwrite the memory of their
 * environment (to show another title), or empty it. No allocation, since exec() may be called
 * where none is allowed: in a vfork child, or in a signal handler.
 */
#include "calls/environment.h"

#include "host.h"
#include "policy/policy.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define VARIABLES 6
#define PRELOAD "LD_PRELOAD="

static const char *const names[VARIABLES - 1] = { "SEAMTLS_POLICY", "SEAMTLS_LABEL",
	"SEAMTLS_AUDIT", "SEAMTLS_DEBUG", "SEAMTLS_DEBUG_FILE" };
static char values[VARIABLES - 1][PATH_MAX]; /* NAME=VALUE; "": not set */
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

	if (dladdr((void *)values, &info) != 0 && info.dli_fname != NULL &&
		strlen(info.dli_fname) < sizeof(library))
		strcpy(library, info.dli_fname);
	for (size_t i = 0; i < VARIABLES - 1 && getauxval(AT_SECURE) == 0; i++) {
		const char *value = find(envp, names[i], strlen(names[i]));

		if (value != NULL && strlen(names[i]) + 1 + strlen(value) < sizeof(values[i]))
			stpcpy(stpcpy(stpcpy(values[i], names[i]), "="), value);
	}
}

static bool lacks_library(char *const envp[])
{
	const char *preload = find(envp, PRELOAD, strlen(PRELOAD) - 1);

	return library[0] != '\0' && (preload == NULL || strstr(preload, library) == NULL);
}

static bool lacks(char *const envp[], size_t i)
{
	return values[i][0] != '\0' && find(envp, names[i], strlen(names[i])) == NULL;
}

/* Only a policy can ask for it, and is only asked when there is a reason. */
static bool is_wanted(void)
{
	const struct policy *policy = host_policy();

	return policy != NULL && policy->global.cover_children;
}

size_t environment_lacks(char *const envp[])
{
	size_t count = 0;

	if (envp == NULL)
		return 0;
	count += lacks_library(envp);
	for (size_t i = 0; i < VARIABLES - 1; i++)
		count += lacks(envp, i);
	return count > 0 && is_wanted() ? count : 0;
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

	return (length(envp) + VARIABLES + 1) * sizeof(char *) + strlen(PRELOAD) + strlen(library) +
	       1 + (preload != NULL ? strlen(preload) : 0) + 1;
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
	char *text = (char *)(out + length(envp) + VARIABLES + 1);
	bool replace = lacks_library(envp);
	size_t used = 0;

	for (size_t i = 0; envp[i] != NULL; i++)
		if (!replace || strncmp(envp[i], PRELOAD, strlen(PRELOAD)) != 0)
			out[used++] = envp[i];
	if (replace)
		out[used++] = with_library(envp, text);
	for (size_t i = 0; i < VARIABLES - 1; i++)
		if (lacks(envp, i))
			out[used++] = values[i];
	out[used] = NULL;
	return out;
}
