/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file shows by itself what was changed, taken out or put in, and what is missing before a
 * record; what is missing at its end is shown by its seal not being there, and by a file that goes
 * on from it. So the beginnings of all files are read first.
 */
#include "log_verify.h"
#include "audit/chain.h"
#include "audit/file.h"
#include "audit/order.h"
#include "audit/reader.h"
#include "command.h"
#include "log_merge.h"
#include "proc.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum state { WHOLE, UNSEALED, UNCHAINED, KEYED, CUT, CHANGED, UNREADABLE, MISSING };

static const char *const state_names[] = { "whole", "unsealed", "unchained", "key needed", "cut",
	"changed", "unreadable", "missing" };

#define DETAIL_LEN 256

struct file {
	char *path;
	const char *name; /* the last part of it */
	bool follows;
	char previous_name[AUDIT_NAME_MAX];
	struct audit_link previous;
	bool previous_seen;               /* that link is in the file of that name */
	char before_name[AUDIT_NAME_MAX]; /* the file that was made before it; "": not known */
	uint64_t last_us;                 /* its last record's time */
	/* what was found */
	enum state state;
	uint64_t records;
	char detail[DETAIL_LEN];
};

struct verify {
	struct file *files;
	size_t count;
	struct file **by_previous; /* those that follow another one, by its name */
	size_t following;
	struct audit_key key;
};

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

/* The first of those that go on from `name`, and behind it the others. */
static size_t first_following(const struct verify *verify, const char *name)
{
	size_t low = 0, high = verify->following;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(verify->by_previous[middle]->previous_name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void see_link(
	const struct verify *verify, size_t first, const char *name, const struct audit_link *link)
{
	for (size_t i = first; i < verify->following; i++) {
		struct file *file = verify->by_previous[i];

		if (strcmp(file->previous_name, name) != 0)
			break;
		if (memcmp(&file->previous, link, sizeof *link) == 0)
			file->previous_seen = true;
	}
}

/* --- a file --- */

/* The first finding is told, and the worst state stays. */
__attribute__((format(printf, 3, 4))) static void find(
	struct file *file, enum state state, const char *format, ...)
{
	va_list args;

	if (state <= file->state && file->detail[0] != '\0')
		return;
	file->state = state;
	va_start(args, format);
	vsnprintf(file->detail, sizeof file->detail, format, args);
	va_end(args);
}

struct walk {
	const struct verify *verify;
	struct file *file;
	enum audit_chain_kind kind;
	size_t following;
	uint64_t number; /* of the next record */
	struct audit_link link;
	bool sealed;
	pid_t pid; /* of the last record */
};

/* Whether the chain can be checked at all. */
static bool begin(
	struct walk *walk, const struct audit_record *record, const struct audit_mark *mark)
{
	struct file *file = walk->file;
	bool keyed = walk->verify->key.len > 0;

	walk->kind = mark->kind;
	if (!mark->chained)
		find(file, keyed ? CHANGED : UNCHAINED, "its records are not chained%s",
			keyed ? ", and a key was given" : "");
	else if (record->frame.type != AUDIT_FILE || mark->number != 0)
		find(file, CUT, "its beginning is missing");
	else if (keyed && mark->kind != AUDIT_CHAIN_HMAC)
		find(file, CHANGED, "its chain has no key, and a key was given");
	else if (!keyed && mark->kind == AUDIT_CHAIN_HMAC)
		find(file, KEYED, "only who has its key can tell: --key=FILE");
	return mark->chained && (keyed || mark->kind != AUDIT_CHAIN_HMAC);
}

static void check_record(
	struct walk *walk, const struct audit_record *record, const struct audit_mark *mark)
{
	struct file *file = walk->file;
	uint64_t at = record->offset;

	if (!mark->chained)
		find(file, CHANGED, "a record was put in at byte %" PRIu64, at);
	else if (mark->number > walk->number)
		find(file, CHANGED, "%" PRIu64 " records are missing before byte %" PRIu64,
			mark->number - walk->number, at);
	else if (mark->number < walk->number)
		find(file, CHANGED, "record %" PRIu64 " stands a second time at byte %" PRIu64,
			mark->number, at);
	else if (!audit_chain_check(record->data, mark, &walk->verify->key, &walk->link))
		find(file, CHANGED,
			"record %" PRIu64 " at byte %" PRIu64
			" or the one before it is not as it was written",
			mark->number, at);
	if (!mark->chained)
		return;
	walk->number = mark->number + 1;
	walk->link = mark->link;
	see_link(walk->verify, walk->following, file->name, &mark->link);
}

static int read_records(struct walk *walk, struct audit_reader *reader)
{
	struct audit_record record;
	bool chained = false, first = true;
	int r;

	while ((r = audit_reader_any(reader, &record)) > 0) {
		struct audit_mark mark;
		struct audit_event event;
		char text[AUDIT_RECORD_MAX];

		if (audit_chain_read(record.data, record.frame.len, &mark) < 0 ||
			audit_decode(record.data, record.frame.len, &event, text) < 0) {
			find(walk->file, CHANGED,
				"a record at byte %" PRIu64 " cannot be understood", record.offset);
			continue;
		}
		if (first) {
			chained = begin(walk, &record, &mark);
			walk->number = mark.number;
		}
		if (!chained && !first && mark.chained && walk->file->state == UNCHAINED)
			find(walk->file, CHANGED, "its first record is not of its chain");
		if (chained && !(first && mark.number > 0))
			check_record(walk, &record, &mark);
		else
			walk->link = mark.link;
		if (chained && first)
			walk->number = mark.number + 1;
		first = false;
		if (mark.before_name[0] != '\0')
			strcpy(walk->file->before_name, mark.before_name);
		walk->file->last_us = record.frame.time_us;
		walk->sealed = record.frame.type == AUDIT_SEAL;
		walk->pid = event.pid;
		walk->file->records += record.frame.type != AUDIT_FILE && !walk->sealed;
	}
	return r;
}

/* What the end of the file tells. */
static void check_end(const struct walk *walk, const struct audit_reader *reader)
{
	const struct audit_damage *damage = audit_reader_damage(reader);
	struct file *file = walk->file;

	if (damage->places > 0)
		find(file, CHANGED, "%" PRIu64 " bytes are no record, the first at %" PRIu64,
			damage->bytes, damage->first);
	if (audit_reader_tail(reader) > 0)
		find(file, CUT, "its last record is not whole");
	for (size_t i = walk->following; i < walk->verify->following; i++) {
		const struct file *next = walk->verify->by_previous[i];

		if (strcmp(next->previous_name, file->name) != 0)
			break;
		if (!next->previous_seen && file->state < CUT && walk->kind != AUDIT_CHAIN_NONE)
			find(file, CUT, "its end is missing, from which %s goes on", next->name);
	}
	if (file->state == WHOLE && !walk->sealed)
		find(file, UNSEALED,
			proc_runs_since(walk->pid, file->last_us)
				? "process %d still writes to it: its end is not proven yet"
				: "process %d ended without sealing it: it was killed, or the end "
				  "is "
				  "cut off",
			(int)walk->pid);
}

/* No fault: that one may be older than what is kept. */
static void check_previous(const struct verify *verify, struct file *file)
{
	for (size_t i = 0; i < verify->count; i++)
		if (strcmp(verify->files[i].name, file->previous_name) == 0)
			return;
	find(file, file->state, "it goes on from %s, which is not here", file->previous_name);
}

/* --- files that are not there --- */

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
	r = rows_add(rows, (const char *const[]){ name, state_names[MISSING], "", detail });
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

static int add_all_missing(const struct verify *verify, struct rows *rows, char **places)
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

/* --- files that are --- */

static void check_file(const struct verify *verify, struct file *file)
{
	struct walk walk = { .verify = verify, .file = file };
	struct audit_reader *reader;
	int r = audit_reader_new(file->path, &reader);

	walk.following = first_following(verify, file->name);
	if (r == 0)
		r = read_records(&walk, reader);
	if (r == -EBADMSG)
		find(file, UNREADABLE, "it is not an audit file");
	else if (r < 0)
		find(file, UNREADABLE, "%s", strerror(-r));
	else
		check_end(&walk, reader);
	if (file->follows)
		check_previous(verify, file);
	audit_reader_free(reader);
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

		check_file(verify, file);
		snprintf(records, sizeof records, "%" PRIu64, file->records);
		good = good && file->state < KEYED;
		r = rows_add(&rows, (const char *const[]){ file->path, state_names[file->state],
					    records, file->detail });
	}
	if (r == 0)
		r = add_all_missing(verify, &rows, places);
	rows_finish(&rows);
	if (r < 0)
		return fail(r, "cannot go on");
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
	status = r < 0 ? fail(r, "cannot start") : print(&verify, places, format);
	for (size_t i = 0; i < verify.count; i++)
		free(verify.files[i].path);
	free(verify.files);
	free(verify.by_previous);
	explicit_bzero(&verify.key, sizeof verify.key);
	return good ? status : EXIT_FAILURE;
}
