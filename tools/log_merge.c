/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_merge.h"
#include "audit/reader.h"
#include "command.h"
#include "heap.h"
#include "text.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WINDOW 512 /* records */
#define STEP 4096  /* records from one step to the next */
#define LATE_S 60  /* that a clock may be set back, and a file's time with it */
#define NAME_END ".audit"

struct stream {
	const char *path;
	struct audit_reader *reader;
	struct audit_record record; /* the next one, if `ready` */
	bool ready, queued, failed;
	uint64_t told; /* places of damage */
};

struct pending {
	size_t len;
	uint8_t data[];
};

struct log_merge {
	const struct log_filter *filter;
	struct log_cursor *cursor; /* NULL: from the beginning */
	void *streams;             /* a tree, by path */
	size_t count, passed_over;
	struct heap next;              /* streams, by the time of their next record */
	struct heap window;            /* struct pending */
	uint64_t records, done, total; /* read; bytes of them; bytes there are */
	void (*step)(void *arg);
	void *step_arg;
	bool failed;
	char text[AUDIT_RECORD_MAX];
};

struct log_merge *log_merge_new(const struct log_filter *filter)
{
	struct log_merge *merge = calloc(1, sizeof *merge);

	if (merge != NULL)
		merge->filter = filter;
	return merge;
}

static void stream_free(void *item)
{
	struct stream *stream = item;

	if (stream == NULL)
		return;
	audit_reader_free(stream->reader);
	free(stream);
}

void log_merge_free(struct log_merge *merge)
{
	void *item;

	if (merge == NULL)
		return;
	while ((item = heap_pop(&merge->window)) != NULL)
		free(item);
	heap_clear(&merge->window);
	heap_clear(&merge->next);
	tdestroy(merge->streams, stream_free);
	free(merge);
}

void log_merge_resume(struct log_merge *merge, struct log_cursor *cursor)
{
	merge->cursor = cursor;
}

static void save_stream(const void *node, VISIT visit, void *arg)
{
	const struct stream *stream = *(const struct stream *const *)node;
	struct log_merge *merge = arg;

	if ((visit != postorder && visit != leaf) || stream->failed)
		return;
	if (log_cursor_set(merge->cursor, stream->path, audit_reader_inode(stream->reader),
		    audit_reader_offset(stream->reader)) < 0)
		merge->failed = true;
}

int log_merge_save(struct log_merge *merge)
{
	if (merge->cursor == NULL)
		return 0;
	twalk_r(merge->streams, save_stream, merge);
	return log_cursor_write(merge->cursor);
}

bool log_merge_is_name(const char *name)
{
	size_t len = strlen(name), end = strlen(NAME_END);

	return name[0] != '.' && len > end && strcmp(name + len - end, NAME_END) == 0;
}

size_t log_merge_count(const struct log_merge *merge)
{
	return merge->count + merge->passed_over;
}

void log_merge_on_step(struct log_merge *merge, void (*step)(void *arg), void *arg)
{
	merge->step = step;
	merge->step_arg = arg;
}

void log_merge_progress(const struct log_merge *merge, uint64_t *done, uint64_t *total)
{
	*done = merge->done;
	*total = merge->total;
}

/* --- trouble --- */

static void tell_error(const char *path, int error)
{
	char name[512];

	text_safe(name, sizeof name, path);
	if (error == -EBADMSG)
		fail(0, "'%s' is not an audit file", name);
	else if (error == -EPROTONOSUPPORT)
		fail(0, "'%s' was written by another version of seamtls: read it with that one",
			name);
	else if (error == -ESTALE)
		fail(0, "'%s' was replaced or became shorter", name);
	else if (error == -EINVAL)
		fail(0, "'%s' is not a regular file", name);
	else
		fail(error, "cannot read '%s'", name);
}

static void tell_damage(struct log_merge *merge, struct stream *stream)
{
	const struct audit_damage *damage = audit_reader_damage(stream->reader);
	char name[512];

	if (damage->places == stream->told)
		return;
	merge->failed = true;
	stream->told = damage->places;
	fail(0,
		"'%s' is damaged in %" PRIu64 " %s: %" PRIu64
		" bytes skipped, the first at %" PRIu64,
		text_safe(name, sizeof name, stream->path), damage->places,
		damage->places == 1 ? "place" : "places", damage->bytes, damage->first);
}

/* No failure: the file is being written, or its process was killed. */
static void tell_tail(const void *node, VISIT visit, void *unused)
{
	const struct stream *stream = *(const struct stream *const *)node;
	char name[512];

	(void)unused;
	if (visit != postorder && visit != leaf)
		return;
	if (!stream->failed && audit_reader_tail(stream->reader) > 0)
		fail(0,
			"the last record of '%s' is incomplete: it is being written, or its "
			"program was killed",
			text_safe(name, sizeof name, stream->path));
}

bool log_merge_finish(struct log_merge *merge)
{
	twalk_r(merge->streams, tell_tail, NULL);
	return !merge->failed;
}

/* --- streams --- */

static int stream_queue(struct log_merge *merge, struct stream *stream, uint64_t time_us)
{
	int r = heap_push(&merge->next, time_us, stream);

	stream->queued = r == 0;
	return r;
}

/* What a reader's result means. Whether it gave a record. */
static bool stream_took(struct log_merge *merge, struct stream *stream, int r)
{
	if (r <= 0)
		tell_damage(merge, stream);
	if (r < 0 && !stream->failed) {
		tell_error(stream->path, r);
		stream->failed = merge->failed = true;
	}
	return r > 0;
}

static void count_record(struct log_merge *merge, const struct stream *stream)
{
	if (!stream->ready)
		return;
	merge->done += stream->record.frame.len;
	if (++merge->records % STEP == 0 && merge->step != NULL)
		merge->step(merge->step_arg);
}

static bool may_be_wanted(const struct log_filter *filter, const struct audit_record *record)
{
	return log_filter_frame(filter, &record->frame) &&
	       (filter->may_hold == NULL ||
		       filter->may_hold(record->data, record->frame.len, filter->may_hold_arg));
}

/* Reads the next record that may be wanted, and queues the stream with it. 0; -ENOMEM. */
static int stream_advance(struct log_merge *merge, struct stream *stream)
{
	do {
		stream->ready = stream_took(
			merge, stream, audit_reader_next(stream->reader, &stream->record));
		count_record(merge, stream);
	} while (stream->ready && !may_be_wanted(merge->filter, &stream->record));
	return stream->ready ? stream_queue(merge, stream, stream->record.frame.time_us) : 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct stream *)a)->path, ((const struct stream *)b)->path);
}

static struct stream *find_stream(struct log_merge *merge, const char *path)
{
	const struct stream key = { .path = path };
	struct stream **found = tfind(&key, &merge->streams, compare_paths);

	return found != NULL ? *found : NULL;
}

static int new_stream(struct log_merge *merge, const char *path, struct stream **out)
{
	struct stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL || audit_reader_new(path, &stream->reader) < 0)
		goto failed;
	stream->path = audit_reader_path(stream->reader);
	if (tsearch(stream, &merge->streams, compare_paths) == NULL)
		goto failed;
	merge->count++;
	*out = stream;
	return 0;
failed:
	stream_free(stream);
	return -ENOMEM;
}

/* How much of the file has come out before. */
static uint64_t printed(const struct log_merge *merge, const char *path, ino_t inode)
{
	return merge->cursor != NULL ? log_cursor_find(merge->cursor, path, inode) : 0;
}

static int begin_stream(struct log_merge *merge, struct stream *stream)
{
	uint64_t time_us, offset;

	if (!stream_took(merge, stream, audit_reader_begin(stream->reader, &time_us)))
		return 0;
	offset = printed(merge, stream->path, audit_reader_inode(stream->reader));
	if (offset > 0)
		audit_reader_seek(stream->reader, offset);
	return stream_queue(merge, stream, time_us);
}

/* Whether nothing in the file is wanted: it was last written to before that, or has all come out
 * before. */
static bool is_done_with(struct log_merge *merge, const char *path)
{
	uint64_t before, since_s = merge->filter->since_us / 1000000;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtime < 0)
		return false;
	before = printed(merge, path, st.st_ino);
	if (before > (uint64_t)st.st_size) {
		log_cursor_forget(merge->cursor, path);
		before = 0;
	}
	if ((uint64_t)st.st_mtime + LATE_S < since_s || (uint64_t)st.st_size == before)
		return true;
	merge->total += (uint64_t)st.st_size - before;
	return false;
}

int log_merge_add(struct log_merge *merge, const char *path)
{
	struct stream *stream = find_stream(merge, path);
	int r;

	if (stream == NULL && is_done_with(merge, path)) {
		merge->passed_over++;
		return 0;
	}
	if (stream == NULL) {
		r = new_stream(merge, path, &stream);
		return r < 0 ? r : begin_stream(merge, stream);
	}
	return stream->queued ? 0 : stream_advance(merge, stream);
}

void log_merge_remove(struct log_merge *merge, const char *path)
{
	struct stream *stream = find_stream(merge, path);

	if (merge->cursor != NULL)
		log_cursor_forget(merge->cursor, path);
	if (stream == NULL || stream->queued)
		return;
	tdelete(stream, &merge->streams, compare_paths);
	merge->count--;
	stream_free(stream);
}

int log_merge_add_dir(struct log_merge *merge, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (d == NULL)
		return -errno;
	while (r == 0 && (errno = 0, entry = readdir(d)) != NULL) {
		char *path = NULL;

		if (!log_merge_is_name(entry->d_name))
			continue;
		r = asprintf(&path, "%s/%s", dir, entry->d_name) < 0 ? -ENOMEM : 0;
		if (r == 0)
			r = log_merge_add(merge, path);
		free(path);
	}
	if (r == 0)
		r = -errno;
	closedir(d);
	return r;
}

/* --- events --- */

/* Puts the earliest record into the window, if it is known yet, and looks at what follows it. */
static int pull(struct log_merge *merge)
{
	struct stream *stream = heap_pop(&merge->next);
	struct pending *pending;
	size_t len = stream->record.frame.len;
	int r;

	stream->queued = false;
	if (!stream->ready)
		return stream_advance(merge, stream);
	pending = malloc(sizeof *pending + len);
	if (pending == NULL)
		return -ENOMEM;
	pending->len = len;
	memcpy(pending->data, stream->record.data, len);
	r = heap_push(&merge->window, stream->record.frame.time_us, pending);
	if (r < 0) {
		free(pending);
		return r;
	}
	return stream_advance(merge, stream);
}

/* Whether it is an event that is wanted. */
static bool take(struct log_merge *merge, struct pending *pending, struct audit_event *event)
{
	int r = audit_decode(pending->data, pending->len, event, merge->text);

	free(pending);
	if (r < 0) {
		fail(0, "a record was skipped that cannot be understood: seamtls log --verify says "
			"which");
		merge->failed = true;
	}
	return r == 0 && log_filter_wants(merge->filter, event);
}

int log_merge_next(struct log_merge *merge, struct audit_event *event)
{
	struct pending *pending;

	for (;;) {
		while (merge->window.count < WINDOW && merge->next.count > 0) {
			int r = pull(merge);

			if (r < 0)
				return r;
		}
		pending = heap_pop(&merge->window);
		if (pending == NULL)
			return 0;
		if (take(merge, pending, event))
			return 1;
	}
}
