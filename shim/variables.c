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

/* One behind the other, since each page that is touched costs every program's start. One more for a
 * path that is made absolute. */
static char memory[(VARIABLES + 1) * SETTING_LEN];
static size_t memory_used;
static const char *settings[VARIABLES]; /* in there; NULL: not set */
static bool learned;

/* What is too long is cut. */
static const char *keep(const char *text)
{
	char *kept = memory + memory_used;
	size_t len = strlen(text);

	if (len >= SETTING_LEN)
		len = SETTING_LEN - 1;
	memcpy(kept, text, len);
	kept[len] = '\0';
	memory_used += len + 1;
	return kept;
}

/* The first of a name counts, as for getenv(). */
static void learn(const char *variable)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		size_t len;

		if (variable[0] != names[i][0] || settings[i] != NULL)
			continue;
		len = strlen(names[i]);
		if (strncmp(variable, names[i], len) == 0 && variable[len] == '=')
			settings[i] = keep(variable);
	}
}

/* A path in relation to the directory that the program was started in, which it may leave. What is
 * too long is left as it is. */
static void make_absolute(size_t i)
{
	char path[SETTING_LEN];
	char setting[SETTING_LEN];
	size_t name_len = strlen(names[i]) + 1;
	const char *value = settings[i] != NULL ? settings[i] + name_len : "";
	int saved = errno, len = 0;

	if (value[0] == '\0' || value[0] == '/')
		return;
	if (getcwd(path, sizeof(path)) != NULL && path[0] == '/')
		len = (int)strlen(path);
	errno = saved;
	if (len == 0)
		return;
	len = snprintf(
		setting, sizeof(setting), "%.*s%s/%s", (int)name_len, settings[i], path, value);
	if (len > 0 && (size_t)len < sizeof(setting))
		settings[i] = keep(setting);
}

void variables_learn(char *const envp[])
{
	const char *policy;

	learned = true;
	memory_used = 0;
	memset(settings, 0, sizeof(settings));
	if (getauxval(AT_SECURE) != 0)
		return;
	for (; *envp != NULL; envp++)
		learn(*envp);
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
		if (strcmp(names[i], name) == 0 && settings[i] != NULL)
			value = settings[i] + strlen(name) + 1;
	return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *variable_setting(size_t i)
{
	return settings[i];
}
