/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/program.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/bin:/usr/bin" /* of execvp(3), where there is no PATH */

int program_open_path(const void *path)
{
	return path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
}

int program_open(const void *file)
{
	const char *search = getenv("PATH"), *name = file;
	char path[PATH_MAX];

	if (name == NULL || strchr(name, '/') != NULL)
		return program_open_path(name);
	for (search = search != NULL ? search : PATH_DEFAULT;; search++) {
		size_t len = strcspn(search, ":");
		int n = snprintf(
			path, sizeof(path), "%.*s%s%s", (int)len, search, len > 0 ? "/" : "", name);

		if (n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0)
			return program_open_path(path);
		search += len;
		if (*search == '\0')
			return -1;
	}
}
