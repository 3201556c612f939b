/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loader ignores a preload that it cannot do, at most with a warning, and a program without a
 * loader says nothing at all. So the question is answered from the files beforehand: a script leads
 * to its interpreter (through env, too) and that to an ELF file, which must be dynamic, of this
 * machine, for glibc's loader, without privileges of its own, and use libc's calls.
 */
#include "reach.h"
#include "elf_info.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPT_LINE_MAX 256 /* of which the kernel takes notice */
#define SCRIPT_DEPTH_MAX 5  /* the kernel's limit is 5, too */
#define BLANK " \t"

/* Where the sentence goes. */
struct verdict {
	char *why;
	size_t len;
};

__attribute__((format(printf, 3, 4))) static int decline(
	const struct verdict *verdict, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->why, verdict->len, format, args);
	va_end(args);
	return error;
}

static int program_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return access(path, X_OK) == 0 ? 0 : -errno;
}

int reach_find(const char *name, char *path, size_t path_len)
{
	const char *dirs = getenv("PATH");
	int found = -ENOENT;

	if (strchr(name, '/') != NULL)
		return (size_t)snprintf(path, path_len, "%s", name) < path_len ? program_at(name)
									       : -ENAMETOOLONG;
	if (name[0] == '\0')
		return -ENOENT;
	if (dirs == NULL)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t len = strcspn(dirs, ":");
		int n = snprintf(
			path, path_len, "%.*s%s%s", (int)len, dirs, len > 0 ? "/" : "./", name);
		int r = n >= 0 && (size_t)n < path_len ? program_at(path) : -ENAMETOOLONG;

		if (r == 0)
			return 0;
		if (r == -EACCES) /* execvp() goes on, too, and tells of it if nothing better
				     follows */
			found = r;
		if (dirs[len] == '\0')
			return found;
		dirs += len + 1;
	}
}

/* A program that gains privileges when it starts (AT_SECURE) must not be told by its environment
 * what to load. */
static int check_privileges(int fd, const char *path, const struct verdict *verdict)
{
	struct stat st;
	struct statvfs fs;

	if (fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0)
		return decline(verdict, -errno, "cannot look at '%s'", path);
	if ((fs.f_flag & ST_NOSUID) != 0)
		return 0;
	if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
		return decline(verdict, -ENOTSUP,
			"'%s' is setuid, and the loader ignores preloads there", path);
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
		return decline(verdict, -ENOTSUP,
			"'%s' is setgid, and the loader ignores preloads there", path);
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return decline(verdict, -ENOTSUP,
			"'%s' has file capabilities, and the loader ignores preloads there", path);
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* glibc's loader for this machine has the same name everywhere, even where it is kept elsewhere:
 * our own. */
static bool loader_is_glibc(const char *interpreter)
{
	struct elf_info self;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return false;
	r = elf_read(fd, &self);
	close(fd);
	return r == 0 && strcmp(base_name(self.interpreter), base_name(interpreter)) == 0;
}

static int check_elf(const char *path, const struct elf_info *elf, const struct verdict *verdict)
{
	if (!elf->native)
		return decline(verdict, -ENOTSUP,
			"'%s' is a program for another machine or word size than the library",
			path);
	if (elf->go)
		return decline(verdict, -ENOTSUP,
			"'%s' is a Go program: it makes system calls itself, past libc and the "
			"library",
			path);
	if (elf->interpreter[0] == '\0')
		return decline(verdict, -ENOTSUP,
			"'%s' is statically linked, so no loader runs that could load the library",
			path);
	if (strncmp(base_name(elf->interpreter), "ld-musl", strlen("ld-musl")) == 0)
		return decline(verdict, -ENOTSUP,
			"'%s' is linked with musl, and the library is for glibc", path);
	if (!loader_is_glibc(elf->interpreter))
		return decline(verdict, -ENOTSUP,
			"'%s' has the loader '%s', and the library is for glibc's", path,
			elf->interpreter);
	return 0;
}

/* A script's first line: its interpreter, and the rest as one argument ("" if none), as the kernel
 * splits it. */
struct script {
	char line[SCRIPT_LINE_MAX + 1];
	char *interpreter, *argument;
};

static int script_read(int fd, struct script *out)
{
	ssize_t n = pread(fd, out->line, SCRIPT_LINE_MAX, 0);
	size_t len;

	if (n < 0)
		return -errno;
	out->line[n] = '\0';
	if (strncmp(out->line, "#!", 2) != 0)
		return -ENOEXEC;
	len = strcspn(out->line, "\n");
	while (len > 2 && strchr(BLANK, out->line[len - 1]) != NULL)
		len--;
	out->line[len] = '\0';
	out->interpreter = out->line + 2 + strspn(out->line + 2, BLANK);
	out->argument = out->interpreter + strcspn(out->interpreter, BLANK);
	if (*out->argument != '\0') {
		*out->argument++ = '\0';
		out->argument += strspn(out->argument, BLANK);
	}
	return *out->interpreter != '\0' ? 0 : -ENOEXEC;
}

/* What env starts, NULL if that cannot be told. *clears: it empties the environment first. */
static char *env_program(char *argument, bool *clears)
{
	char *rest = NULL;

	for (char *word = strtok_r(argument, BLANK, &rest); word != NULL;
		word = strtok_r(NULL, BLANK, &rest)) {
		if (strncmp(word, "-S", 2) == 0 && word[2] != '\0')
			word += 2;
		if (strcmp(word, "-") == 0 || strcmp(word, "-i") == 0 ||
			strcmp(word, "--ignore-environment") == 0)
			*clears = true;
		else if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0)
			strtok_r(NULL, BLANK, &rest);
		else if (word[0] != '-' && strchr(word, '=') == NULL)
			return word;
	}
	return NULL;
}

/* Replaces *path by the program that runs the script. */
static int follow_script(char path[PATH_MAX], struct script *script, const struct verdict *verdict)
{
	bool clears = false;
	const char *program = script->interpreter;
	char next[PATH_MAX];
	int r;

	if (strcmp(base_name(program), "env") == 0 && *script->argument != '\0') {
		program = env_program(script->argument, &clears);
		if (clears)
			return decline(verdict, -ENOTSUP,
				"'%s' is started by env with an empty environment, without "
				"preloads",
				path);
		if (program == NULL)
			return decline(verdict, -ENOTSUP,
				"'%s' is started by env, and what that starts cannot be told",
				path);
	}
	r = reach_find(program, next, sizeof next);
	if (r < 0)
		return decline(
			verdict, r, "cannot run '%s', the interpreter of '%s'", program, path);
	memcpy(path, next, sizeof next);
	return 0;
}

/* One file on the way. 1: a script, and path now is its interpreter. */
static int check_file(char path[PATH_MAX], const struct verdict *verdict)
{
	struct elf_info elf;
	struct script script;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return decline(verdict, -errno, "cannot read '%s'", path);
	r = elf_read(fd, &elf);
	if (r == 0) {
		r = check_elf(path, &elf, verdict);
		if (r == 0)
			r = check_privileges(fd, path, verdict);
	} else if (r == -ENOEXEC && script_read(fd, &script) == 0) {
		r = follow_script(path, &script, verdict);
		r = r == 0 ? 1 : r;
	} else if (r == -ENOEXEC) {
		r = decline(verdict, -ENOTSUP,
			"'%s' is neither a program nor a script that begins with '#!'", path);
	} else {
		r = decline(verdict, r, "cannot make sense of the program '%s'", path);
	}
	close(fd);
	return r;
}

int reach_program(const char *path, char *program, char *why, size_t why_len)
{
	const struct verdict verdict = { why, why_len };
	int r = 1;

	if ((size_t)snprintf(program, PATH_MAX, "%s", path) >= PATH_MAX)
		return decline(&verdict, -ENAMETOOLONG, "cannot read '%s'", path);
	for (unsigned depth = 0; r == 1; depth++) {
		if (depth > SCRIPT_DEPTH_MAX)
			return decline(&verdict, -ENOTSUP,
				"'%s' is a script run by scripts run by scripts", path);
		r = check_file(program, &verdict);
	}
	return r;
}

int reach_check(const char *path, char *why, size_t why_len)
{
	char program[PATH_MAX];

	return reach_program(path, program, why, why_len);
}
