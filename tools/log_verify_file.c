/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file shows by itself what was changed, taken out or put in, and what is missing before a
 * record; what is missing at its end is shown by its seal not being there, and by a file that goes
 * on from it. */
#include "audit/reader.h"
#include "log_verify_private.h"
#include "proc.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* The first finding is told, and the worst state stays. */
__attribute__((format(printf, 3, 4))) static void find(
	struct file *file, enum verify_state state, const char *format, ...)
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

void verify_file(const struct verify *verify, struct file *file)
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
