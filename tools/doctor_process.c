/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Of a process: what is in it, which is the truth. */
#include "audit/reader.h"
#include "doctor.h"
#include "doctor_find.h"
#include "reach.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "/libseamtls.so"
#define AUDIT_SUFFIX ".audit"

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

static int read_maps(pid_t pid, struct mapped *out)
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
		out->libcs += strncmp(doctor_base_name(path), "libc.so.6", 9) == 0 ||
			      strncmp(doctor_base_name(path), "libc-2.", 7) == 0;
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

/* The policy is what the process itself has told of it. */
static void tell_audit(const char *opened, const char *path, doctor_tell *tell, void *arg)
{
	char policy[512] = "", text[AUDIT_RECORD_MAX];
	struct audit_reader *reader;
	struct audit_record record;
	struct audit_event event;

	if (audit_reader_new(opened, &reader) < 0)
		return;
	while (audit_reader_next(reader, &record) > 0)
		if (record.frame.type == AUDIT_POLICY &&
			audit_decode(record.data, record.frame.len, &event, text) == 0 &&
			event.rule == NULL && event.reason != NULL)
			snprintf(policy, sizeof policy, "%s", event.reason);
	audit_reader_free(reader);
	if (policy[0] != '\0')
		tell(DOCTOR_NOTE, "policy", policy, arg);
	tell(DOCTOR_NOTE, "audit", path, arg);
}

/* A filter may refuse what the library needs, and does itself. */
static void tell_seccomp(pid_t pid, doctor_tell *tell, void *arg)
{
	FILE *file = open_proc(pid, "status");
	char line[256];
	bool filtered = false;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		filtered = filtered || strcmp(line, "Seccomp:\t2\n") == 0;
	if (file != NULL)
		fclose(file);
	if (filtered)
		tell(DOCTOR_NOTE, "seccomp",
			"a filter limits its system calls: if connections fail under the library, "
			"try the program without it",
			arg);
}

/* Every file whose code is mapped, once; the path is that of the process's own root. */
static void examine_files(pid_t pid, struct findings *findings)
{
	FILE *file = open_proc(pid, "maps");
	char *line = NULL, last[PATH_MAX] = "", inside[PATH_MAX + 32];
	size_t room = 0;
	bool program = true; /* which is mapped first */

	while (file != NULL && getline(&line, &room, file) > 0) {
		bool code = strstr(line, " r-xp ") != NULL;
		char *path = mapped_path(line);
		int fd;

		if (path == NULL || !code || strcmp(path, last) == 0 || strlen(path) >= sizeof last)
			continue;
		strcpy(last, path);
		find_library(findings, path);
		snprintf(inside, sizeof inside, "/proc/%d/root%s", (int)pid, path);
		fd = open(inside, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd >= 0) {
			find_contents(findings, fd, doctor_base_name(path), program);
			close(fd);
		}
		program = false;
	}
	find_end(findings);
	free(line);
	if (file != NULL)
		fclose(file);
}

static void tell_descriptors(pid_t pid, doctor_tell *tell, void *arg)
{
	char path[64], target[PATH_MAX], name[PATH_MAX];
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
		if (strstr(target, AUDIT_SUFFIX) != NULL)
			tell_audit(name, target, tell, arg);
	}
	if (dir != NULL)
		closedir(dir);
	if (uring)
		tell(DOCTOR_WARNING, "io_uring",
			"it has an io_uring: what it sends there goes past the library, in the "
			"clear, whatever rules and require say: strict = yes in [global] keeps a "
			"program from that",
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
	struct findings findings = { tell, arg, { false }, false };
	struct mapped mapped;
	int r = read_maps(pid, &mapped);

	if (r < 0)
		return r;
	if (mapped.library[0] == '\0') {
		tell(DOCTOR_NO, "coverage", "the library is not in the process", arg);
		tell_why_not(pid, tell, arg);
		examine_files(pid, &findings);
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
	tell_seccomp(pid, tell, arg);
	examine_files(pid, &findings);
	return 0;
}
