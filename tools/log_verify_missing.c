/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files were there once, and are missed: those that others name as the one before them, or
 * that the library has noted as the last. */
#include "audit/file.h"
#include "audit/order.h"
#include "log_verify_private.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_there(const struct verify *verify, const char *name)
{
	for (size_t i = 0; i < verify->count; i++)
		if (strcmp(verify->files[i].name, name) == 0)
			return true;
	return false;
}

/* audit_keep deletes by age. What it has left was written to later than a file that it has deleted
 * was made: if something is there that ended before that, somebody else has deleted it. */
static bool is_missed(const struct verify *verify, const char *name)
{
	int64_t made_s;

	if (!audit_file_name_time(name, &made_s) || is_there(verify, name))
		return false;
	for (size_t i = 0; i < verify->count; i++) {
		const struct file *file = &verify->files[i];

		if (file->last_us > 0 && file->state < UNREADABLE &&
			file->last_us / 1000000 < (uint64_t)made_s)
			return true;
	}
	return false;
}

/* 1: a row was added; 0; -ENOMEM. */
static int add_missing(const struct verify *verify, struct rows *rows, const char *name,
	const char *witness, const char *what)
{
	char detail[2 * DETAIL_LEN];
	int r;

	if (!is_missed(verify, name))
		return 0;
	snprintf(detail, sizeof detail, "%s %s, and older ones are still here", witness, what);
	r = rows_add(rows, (const char *const[]){ name, verify_state_name(MISSING), "", detail });
	return r < 0 ? r : 1;
}

/* What the library has noted as the last one in a directory, for each user. As add_missing(). */
static int add_missing_last(const struct verify *verify, struct rows *rows, const char *dir)
{
	DIR *open_dir = opendir(dir);
	struct dirent *entry;
	int r = 0, found = 0;

	while (r >= 0 && open_dir != NULL && (entry = readdir(open_dir)) != NULL) {
		char path[PATH_MAX], name[AUDIT_NAME_MAX] = "";
		FILE *file;

		if (strncmp(entry->d_name, AUDIT_ORDER_BEGIN, strlen(AUDIT_ORDER_BEGIN)) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		name[fread(name, 1, sizeof name - 1, file)] = '\0';
		fclose(file);
		r = add_missing(verify, rows, name, entry->d_name, "has it as the last one");
		found |= r > 0;
	}
	if (open_dir != NULL)
		closedir(open_dir);
	return r < 0 ? r : found;
}

int verify_missing(const struct verify *verify, char **places, struct rows *rows)
{
	struct stat st;
	int r = 0, found = 0;

	for (size_t i = 0; r >= 0 && i < verify->count; i++) {
		const struct file *file = &verify->files[i];

		r = add_missing(verify, rows, file->before_name, file->name, "was made after it");
		found |= r > 0;
	}
	for (; r >= 0 && *places != NULL; places++) {
		if (stat(*places, &st) == 0 && S_ISDIR(st.st_mode))
			r = add_missing_last(verify, rows, *places);
		found |= r > 0;
	}
	return r < 0 ? r : found;
}
