/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program becomes another one. What it hands on becomes an end of a relay, what it does not
 * hand on comes to its end. Nothing is allocated: a vfork child calls these too.
 */
#include "calls/border.h"
#include "calls/environment.h"
#include "calls/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define WATCHES_MOST 64

/* How a program is executed, and its file opened to be looked at. */
struct way {
	int (*execute)(const void *how, char *const argv[], char *const envp[]);
	int (*open)(const void *how);
};

static int run(const struct way *way, const void *how, char *const argv[], char *const envp[])
{
	const struct conn_next next = { way->open, how, environment_loads(envp) };
	int watches[WATCHES_MOST];
	size_t count = conn_before_exec(watches, WATCHES_MOST, &next);
	int r = way->execute(how, argv, ENVIRONMENT_FOR(envp));

	conn_exec_failed(watches, count);
	return r;
}

static int real_execve(const void *how, char *const argv[], char *const envp[])
{
	return libc.execve(how, argv, envp);
}

static int real_execvpe(const void *how, char *const argv[], char *const envp[])
{
	return libc.execvpe(how, argv, envp);
}

static int real_fexecve(const void *how, char *const argv[], char *const envp[])
{
	return libc.fexecve(*(const int *)how, argv, envp);
}

static int open_descriptor(const void *how)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", *(const int *)how);
	return program_open_path(path);
}

struct at {
	int dir, flags;
	const char *path;
};

static int real_execveat(const void *how, char *const argv[], char *const envp[])
{
	const struct at *at = how;

	return libc.execveat(at->dir, at->path, argv, envp, at->flags);
}

static int open_at(const void *how)
{
	const struct at *at = how;

	if (at->path == NULL || at->path[0] == '\0')
		return open_descriptor(&at->dir);
	return openat(at->dir, at->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static const struct way by_path = { real_execve, program_open_path };
static const struct way by_search = { real_execvpe, program_open };
static const struct way by_descriptor = { real_fexecve, open_descriptor };
static const struct way by_place = { real_execveat, open_at };

SEAM_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return run(&by_path, path, argv, envp);
}

SEAM_EXPORT int execv(const char *path, char *const argv[])
{
	return run(&by_path, path, argv, environ);
}

SEAM_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return run(&by_search, file, argv, envp);
}

SEAM_EXPORT int execvp(const char *file, char *const argv[])
{
	return run(&by_search, file, argv, environ);
}

SEAM_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	return run(&by_descriptor, &fd, argv, envp);
}

SEAM_EXPORT int execveat(
	int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	struct at at = { dir, flags, path };

	return run(&by_place, &at, argv, envp);
}

/* --- With the arguments one by one */

static size_t count_arguments(va_list args)
{
	size_t count = 1;

	while (va_arg(args, char *) != NULL)
		count++;
	return count;
}

/* The list that begins with `first`, into argv with room for it and its NULL. */
static void take_arguments(char **argv, const char *first, size_t count, va_list args)
{
	argv[0] = (char *)(uintptr_t)first;
	for (size_t i = 1; i <= count; i++)
		argv[i] = va_arg(args, char *);
}

#define ARGUMENTS(first, argv, args)                                                               \
	do {                                                                                       \
		size_t count;                                                                      \
		va_start(args, first);                                                             \
		count = first != NULL ? count_arguments(args) : 0;                                 \
		va_end(args);                                                                      \
		argv = __builtin_alloca((count + 1) * sizeof(char *));                             \
		va_start(args, first);                                                             \
		if (first != NULL)                                                                 \
			take_arguments(argv, first, count, args);                                  \
		else                                                                               \
			argv[0] = NULL;                                                            \
	} while (0)

SEAM_EXPORT int execl(const char *path, const char *first, ...)
{
	char **argv;
	va_list args;

	ARGUMENTS(first, argv, args);
	va_end(args);
	return execv(path, argv);
}

SEAM_EXPORT int execlp(const char *file, const char *first, ...)
{
	char **argv;
	va_list args;

	ARGUMENTS(first, argv, args);
	va_end(args);
	return execvp(file, argv);
}

SEAM_EXPORT int execle(const char *path, const char *first, ...)
{
	char **argv;
	char *const *envp;
	va_list args;

	ARGUMENTS(first, argv, args);
	envp = va_arg(args, char *const *);
	va_end(args);
	return execve(path, argv, envp);
}
