/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Without allocation: exec() needs them where none is allowed, in a vfork child or in a signal
 * handler. */
#include "variables.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* A path that is cut here is too long for the kernel too. */
#define SETTING_LEN (PATH_MAX + 64)

/* The first are for the programs that this one starts, too. */
static const char *const names[] = { "SEAMTLS_POLICY", "SEAMTLS_LABEL", "SEAMTLS_AUDIT",
	"SEAMTLS_DEBUG", "SEAMTLS_DEBUG_FILE", "SEAMTLS_DISABLE" };

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

void variables_learn(char *const envp[])
{
	learned = true;
	if (getauxval(AT_SECURE) != 0)
		return;
	for (size_t i = 0; i < VARIABLES; i++)
		learn(envp, i);
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
