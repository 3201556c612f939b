/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Of a file: whether the loader would load the library, and which libraries it asks for. Of a
 * process: what is in it, which is the truth.
 */
#include "doctor.h"
#include "elf_needed.h"
#include "reach.h"
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "/libseamtls.so"
#define CLOSURE_MAX 256 /* libraries */
#define NAME_LEN 128

/* Libraries that matter, by how their names begin. */
static const struct {
	const char *begins, *what, *meaning;
} libraries[] = {
	{ "libssl.so", "own TLS", "it can speak TLS itself, by OpenSSL" },
	{ "libgnutls.so", "own TLS", "it can speak TLS itself, by GnuTLS" },
	{ "libssl3.so", "own TLS", "it can speak TLS itself, by NSS" },
	{ "libmbedtls.so", "own TLS", "it can speak TLS itself, by Mbed TLS" },
	{ "libwolfssl.so", "own TLS", "it can speak TLS itself, by wolfSSL" },
	{ "libs2n.so", "own TLS", "it can speak TLS itself, by s2n" },
	{ "liburing.so", "io_uring", "it may use io_uring, past the library: see strict = yes" },
	{ "libseccomp.so", "seccomp", "it limits its system calls: test it under the library" },
};
#define LIBRARIES (sizeof libraries / sizeof libraries[0])

struct findings {
	doctor_tell *tell;
	void *arg;
	bool told[LIBRARIES];
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void take_library(const char *name, void *arg)
{
	struct findings *findings = arg;
	char detail[512];

	for (size_t i = 0; i < LIBRARIES; i++) {
		if (findings->told[i] || strncmp(base_name(name), libraries[i].begins,
						 strlen(libraries[i].begins)) != 0)
			continue;
		findings->told[i] = true;
		snprintf(detail, sizeof detail, "%s (%.200s)", libraries[i].meaning,
			base_name(name));
		findings->tell(
			strcmp(libraries[i].what, "io_uring") == 0 ? DOCTOR_WARNING : DOCTOR_NOTE,
			libraries[i].what, detail, findings->arg);
	}
}

/* --- all libraries of a program --- */

struct closure {
	struct findings *findings;
	char names[CLOSURE_MAX][NAME_LEN];
	size_t count;
};

static void take_needed(const char *name, void *arg)
{
	struct closure *closure = arg;

	take_library(name, closure->findings);
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
static int take_libraries(int program, struct findings *findings)
{
	struct closure *closure = calloc(1, sizeof *closure);

	if (closure == NULL)
		return -ENOMEM;
	closure->findings = findings;
	(void)elf_needed_each(program, take_needed, closure);
	for (size_t i = 0; i < closure->count; i++) {
		int fd = open_library(closure->names[i]);

		if (fd >= 0) {
			(void)elf_needed_each(fd, take_needed, closure);
			close(fd);
		}
	}
	free(closure);
	return 0;
}

int doctor_program(const char *path, doctor_tell *tell, void *arg)
{
	struct findings findings = { tell, arg, { false } };
	char why[PATH_MAX + 256] = "";
	int r = reach_check(path, why, sizeof why), fd;

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
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = take_libraries(fd, &findings); /* a script has none */
	close(fd);
	return r;
}

/* --- a process --- */

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

struct mapped {
	char library[PATH_MAX]; /* ours; "": it is not there */
	bool replaced;          /* its file is another one by now */
	unsigned libcs;         /* how often libc's code is there */
};

/* The path of a line of /proc/PID/maps; NULL: it has none. */
static char *mapped_path(char *line)
{
	char *path = strchr(line, '/');

	line[strcspn(line, "\n")] = '\0';
	return path;
}

static int read_maps(pid_t pid, struct findings *findings, struct mapped *out)
{
	FILE *file = open_proc(pid, "maps");
	char *line = NULL;
	size_t room = 0;

	memset(out, 0, sizeof *out);
	if (file == NULL)
		return -errno;
	while (getline(&line, &room, file) > 0) {
		bool code = strstr(line, " r-xp ") != NULL;
		char *path = mapped_path(line);

		if (path == NULL || !code)
			continue;
		if (strstr(path, LIBRARY) != NULL) {
			snprintf(out->library, sizeof out->library, "%s", path);
			out->replaced = strstr(path, " (deleted)") != NULL;
		}
		out->libcs += strncmp(base_name(path), "libc.so.6", 9) == 0 ||
			      strncmp(base_name(path), "libc-2.", 7) == 0;
		take_library(path, findings);
	}
	free(line);
	fclose(file);
	return 0;
}

/* The value of a variable that the process was started with; malloc'ed, NULL: not set. */
static char *started_with(pid_t pid, const char *name)
{
	FILE *file = open_proc(pid, "environ");
	size_t room = 0, len = strlen(name);
	char *entry = NULL, *value = NULL;

	while (file != NULL && value == NULL && getdelim(&entry, &room, '\0', file) > 0)
		if (strncmp(entry, name, len) == 0 && entry[len] == '=')
			value = strdup(entry + len + 1);
	free(entry);
	if (file != NULL)
		fclose(file);
	return value;
}

static void tell_variables(pid_t pid, doctor_tell *tell, void *arg)
{
	static const struct {
		const char *name, *unset;
	} variables[] = {
		{ "SEAMTLS_POLICY", "not set: /etc/seamtls/policy.conf, else the built-in policy" },
		{ "SEAMTLS_AUDIT", NULL },
		{ "SEAMTLS_LABEL", NULL },
		{ "SEAMTLS_DISABLE", NULL },
	};

	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
		char *value = started_with(pid, variables[i].name);

		if (value != NULL || variables[i].unset != NULL)
			tell(strcmp(variables[i].name, "SEAMTLS_DISABLE") == 0 ? DOCTOR_WARNING
									       : DOCTOR_NOTE,
				variables[i].name, value != NULL ? value : variables[i].unset, arg);
		free(value);
	}
}

static void tell_descriptors(pid_t pid, doctor_tell *tell, void *arg)
{
	char path[64], target[64], name[PATH_MAX];
	struct dirent *entry;
	bool uring = false;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		ssize_t n;

		snprintf(name, sizeof name, "%s/%.20s", path, entry->d_name);
		n = readlink(name, target, sizeof target - 1);
		target[n > 0 ? n : 0] = '\0';
		uring = uring || strcmp(target, "anon_inode:[io_uring]") == 0;
	}
	if (dir != NULL)
		closedir(dir);
	if (uring)
		tell(DOCTOR_WARNING, "io_uring",
			"it has an io_uring, whose operations go past the library: see strict = "
			"yes",
			arg);
}

static void tell_why_not(pid_t pid, doctor_tell *tell, void *arg)
{
	char *preload = started_with(pid, "LD_PRELOAD");
	char link[64], path[PATH_MAX], why[PATH_MAX + 256] = "";
	ssize_t n;

	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	if (n > 0 && reach_check(path, why, sizeof why) == -ENOTSUP)
		tell(DOCTOR_NO, "reason", why, arg);
	else if (preload == NULL || strstr(preload, "libseamtls.so") == NULL)
		tell(DOCTOR_NO, "reason",
			"LD_PRELOAD did not name the library when it was started: start it with "
			"seamtls run",
			arg);
	else
		tell(DOCTOR_NO, "reason",
			"the loader ignored LD_PRELOAD: it gained privileges, or the library could "
			"not be read",
			arg);
	free(preload);
}

int doctor_process(pid_t pid, doctor_tell *tell, void *arg)
{
	struct findings findings = { tell, arg, { false } };
	struct mapped mapped;
	int r = read_maps(pid, &findings, &mapped);

	if (r < 0)
		return r;
	if (mapped.library[0] == '\0') {
		tell(DOCTOR_NO, "coverage", "the library is not in the process", arg);
		tell_why_not(pid, tell, arg);
		return 0;
	}
	tell(DOCTOR_OK, "coverage", mapped.library, arg);
	if (mapped.replaced)
		tell(DOCTOR_WARNING, "version",
			"the library's file was replaced since: the process has the old one until "
			"it is started again",
			arg);
	if (mapped.libcs > 1)
		tell(DOCTOR_WARNING, "namespaces",
			"it has more than one libc: calls of the second go past the library", arg);
	tell_variables(pid, tell, arg);
	tell_descriptors(pid, tell, arg);
	return 0;
}
