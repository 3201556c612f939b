/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What files say of each other is needed to judge one of them, so the beginnings of all are read
 * first. */
#include "log_verify.h"
#include "audit/chain.h"
#include "audit/reader.h"
#include "command.h"
#include "log_merge.h"
#include "log_verify_private.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *verify_state_name(enum verify_state state)
{
	static const char *const names[] = { "whole", "unsealed", "unchained", "key needed", "cut",
		"changed", "unreadable", "missing" };

	return names[state];
}

/* --- which files --- */

static int add_file(struct verify *verify, const char *path)
{
	struct file *files = reallocarray(verify->files, verify->count + 1, sizeof *files);
	struct file *file;

	if (files == NULL)
		return -ENOMEM;
	verify->files = files;
	file = &files[verify->count];
	memset(file, 0, sizeof *file);
	file->path = strdup(path);
	if (file->path == NULL)
		return -ENOMEM;
	file->name = strrchr(file->path, '/') != NULL ? strrchr(file->path, '/') + 1 : file->path;
	verify->count++;
	return 0;
}

static int is_audit_file(const struct dirent *entry)
{
	return log_merge_is_name(entry->d_name);
}

static int add_dir(struct verify *verify, const char *dir)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, is_audit_file, alphasort), r = 0;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		char *path = NULL;

		if (r == 0)
			r = asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0
				    ? -ENOMEM
				    : add_file(verify, path);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static bool add_places(struct verify *verify, char **places)
{
	bool good = true;

	for (; *places != NULL; places++) {
		struct stat st;
		int r = stat(*places, &st) < 0 ? -errno : 0;

		if (r == 0)
			r = S_ISDIR(st.st_mode) ? add_dir(verify, *places)
						: add_file(verify, *places);
		if (r < 0) {
			fail(r, "cannot open '%s'", *places);
			good = false;
		}
	}
	return good;
}

/* --- which file goes on from which --- */

static void read_head(struct file *file)
{
	struct audit_reader *reader;
	struct audit_record record;
	struct audit_mark mark;

	if (audit_reader_new(file->path, &reader) < 0)
		return;
	if (audit_reader_any(reader, &record) > 0 && record.frame.type == AUDIT_FILE &&
		audit_chain_read(record.data, record.frame.len, &mark) == 0 && mark.follows) {
		file->follows = true;
		file->previous = mark.previous;
		strcpy(file->previous_name, mark.previous_name);
	}
	audit_reader_free(reader);
}

static int compare_previous(const void *a, const void *b)
{
	return strcmp((*(struct file *const *)a)->previous_name,
		(*(struct file *const *)b)->previous_name);
}

static int order(struct verify *verify)
{
	verify->by_previous = calloc(verify->count + 1, sizeof(struct file *));
	if (verify->by_previous == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < verify->count; i++) {
		read_head(&verify->files[i]);
		if (verify->files[i].follows)
			verify->by_previous[verify->following++] = &verify->files[i];
	}
	qsort(verify->by_previous, verify->following, sizeof(struct file *), compare_previous);
	return 0;
}

/* --- all of them --- */

static int print(struct verify *verify, char **places, enum rows_format format)
{
	static const char *const names[] = { "file", "state", "#records", "detail", NULL };
	struct rows rows;
	bool good = true;
	int r = 0;

	rows_init(&rows, format, names);
	for (size_t i = 0; r == 0 && i < verify->count; i++) {
		struct file *file = &verify->files[i];
		char records[24];

		verify_file(verify, file);
		snprintf(records, sizeof records, "%" PRIu64, file->records);
		good = good && file->state < KEYED;
		r = rows_add(
			&rows, (const char *const[]){ file->path, verify_state_name(file->state),
				       records, file->detail });
	}
	if (r == 0)
		r = verify_missing(verify, places, &rows);
	rows_finish(&rows);
	if (r < 0)
		return fail(r, "cannot go on verifying");
	good = good && r == 0;
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int log_verify(char **places, const char *key_file, enum rows_format format)
{
	struct verify verify = { .files = NULL };
	int r = key_file != NULL ? audit_key_read(key_file, &verify.key) : 0, status;
	bool good;

	if (r == -EINVAL)
		return fail(0, "'%s' is no key: %d to %d bytes are", key_file, AUDIT_KEY_LEAST,
			AUDIT_KEY_MOST);
	if (r < 0)
		return fail(r, "cannot read the key '%s'", key_file);
	good = add_places(&verify, places);
	if (good && verify.count == 0)
		fail(0, "there are no audit files in '%s'", places[0]);
	r = order(&verify);
	status = r < 0 ? fail(r, "cannot begin to verify") : print(&verify, places, format);
	for (size_t i = 0; i < verify.count; i++)
		free(verify.files[i].path);
	free(verify.files);
	free(verify.by_previous);
	explicit_bzero(&verify.key, sizeof verify.key);
	return good ? status : EXIT_FAILURE;
}
