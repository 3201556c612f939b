/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Without allocation: exec() needs them where none is allowed, in a vfork child or in a signal
 * handler. */
#include "variables.h"

#include "policy/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* A path that is cut here is too long for the kernel too. */
#define SETTING_LEN (PATH_MAX + 64)

/* The first are for the programs that this one starts, too. */
static const char *const names[] = { "SEAMTLS_POLICY", "SEAMTLS_LABEL", "SEAMTLS_AUDIT",
	"SEAMTLS_DEBUG", "SEAMTLS_DEBUG_FILE", "SEAMTLS_DISABLE", "XDG_CONFIG_HOME",
	"XDG_STATE_HOME", "HOME" };

#define POLICY_SETTING 0 /* in the list */
#define VARIABLES (sizeof(names) / sizeof(*names))
_Static_assert(VARIABLES_PASSED_ON <= VARIABLES, "each has a name");

static char settings[VARIABLES][SETTING_LEN]; /* "": not set */
static bool learned;

static void learn(char *const envp[], size_t i)
{
	size_t len = strlen(names[i]);

	for (; *envp != NULL; envp++)
		if (strncmp(*envp, names[i], len) == 0 && (*envp)[len] == '=') {
			snprintf(settings[i], sizeof(settings[i]), "%s", *envp);
			return;
		}
}

/* A path in relation to the directory that the program was started in, which it may leave. What is
 * too long is left as it is. */
static void make_absolute(size_t i)
{
	char path[SETTING_LEN];
	size_t name_len = strlen(names[i]) + 1;
	const char *value = settings[i] + name_len;
	int saved = errno, len = 0;

	if (settings[i][0] == '\0' || value[0] == '\0' || value[0] == '/')
		return;
	if (getcwd(path, sizeof(path)) != NULL && path[0] == '/')
		len = (int)strlen(path);
	errno = saved;
	if (len == 0 || name_len + (size_t)len + 1 + strlen(value) >= SETTING_LEN)
		return;
	path[len++] = '/';
	strcpy(path + len, value);
	strcpy(settings[i] + name_len, path);
}

void variables_learn(char *const envp[])
{
	const char *policy;

	learned = true;
	if (getauxval(AT_SECURE) != 0)
		return;
	for (size_t i = 0; i < VARIABLES; i++)
		learn(envp, i);
	policy = variable_get("SEAMTLS_POLICY");
	if (policy != NULL && policy_is_path(policy))
		make_absolute(POLICY_SETTING);
}

const char *variable_get(const char *name)
{
	const char *value = NULL;

	if (!learned)
		value = secure_getenv(name);
	for (size_t i = 0; i < VARIABLES && learned; i++)
		if (strcmp(names[i], name) == 0 && settings[i][0] != '\0')
			value = settings[i] + strlen(name) + 1;
	return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *variable_setting(size_t i)
{
	return settings[i][0] != '\0' ? settings[i] : NULL;
}
