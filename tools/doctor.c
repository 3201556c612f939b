/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Of a program's file: whether the loader would load the library, and what it and the libraries
 * that it asks for let fear. */
#include "doctor.h"
#include "doctor_find.h"
#include "elf_needed.h"
#include "reach.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOSURE_MAX 256 /* libraries */
#define NAME_LEN 128

struct closure {
	struct findings *findings;
	char names[CLOSURE_MAX][NAME_LEN];
	size_t count;
};

static void take_needed(const char *name, void *arg)
{
	struct closure *closure = arg;

	find_library(closure->findings, name);
	for (size_t i = 0; i < closure->count; i++)
		if (strcmp(closure->names[i], name) == 0)
			return;
	if (closure->count < CLOSURE_MAX && strlen(name) < NAME_LEN)
		strcpy(closure->names[closure->count++], name);
}

/* Where the distribution has its libraries: beside libc. */
static void libc_directory(char *out, size_t len)
{
	Dl_info info;
	char path[PATH_MAX];

	snprintf(out, len, "/usr/lib");
	if (dladdr((const void *)(uintptr_t)&strlen, &info) == 0 || info.dli_fname == NULL)
		return;
	if (realpath(info.dli_fname, path) == NULL)
		return;
	*strrchr(path, '/') = '\0';
	snprintf(out, len, "%s", path);
}

static int open_library(const char *name)
{
	static char beside_libc[PATH_MAX];
	const char *const directories[] = { beside_libc, "/usr/local/lib", "/usr/lib64",
		"/usr/lib" };
	char path[2 * PATH_MAX];
	int fd = -1;

	if (beside_libc[0] == '\0')
		libc_directory(beside_libc, sizeof beside_libc);
	if (strchr(name, '/') != NULL)
		return open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	for (size_t i = 0; fd < 0 && i < sizeof directories / sizeof directories[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", directories[i], name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	}
	return fd;
}

/* Those that the program asks for, those that they ask for, and so on, as far as they are found. */
static int take_libraries(int program, const char *name, struct findings *findings)
{
	struct closure *closure = calloc(1, sizeof *closure);

	if (closure == NULL)
		return -ENOMEM;
	closure->findings = findings;
	(void)elf_needed_each(program, take_needed, closure);
	find_contents(findings, program, name, true);
	for (size_t i = 0; i < closure->count; i++) {
		int fd = open_library(closure->names[i]);

		if (fd >= 0) {
			(void)elf_needed_each(fd, take_needed, closure);
			find_contents(findings, fd, closure->names[i], false);
			close(fd);
		}
	}
	free(closure);
	find_end(findings);
	return 0;
}

const char *doctor_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int doctor_program(const char *path, doctor_tell *tell, void *arg)
{
	struct findings findings = { tell, arg, { false }, false };
	char why[PATH_MAX + 256] = "", program[PATH_MAX];
	int r = reach_program(path, program, why, sizeof why), fd;

	if (r < 0 && r != -ENOTSUP)
		return r;
	if (r < 0) {
		tell(DOCTOR_NO, "coverage", why, arg);
		return 0;
	}
	tell(DOCTOR_OK, "coverage",
		"it is dynamically linked with glibc and gains no privileges: the library is "
		"loaded into it",
		arg);
	if (strcmp(program, path) != 0)
		tell(DOCTOR_NOTE, "interpreter", program, arg);
	fd = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = take_libraries(fd, doctor_base_name(program), &findings);
	close(fd);
	return r;
}
