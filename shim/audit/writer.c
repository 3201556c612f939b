/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A record is built on the stack, gets its place in the chain of the file (ledger.h) and is written
 * by one write(2) with O_APPEND. What threads share is a pointer to the current file, which is
 * never changed in place: whoever finds it unusable, or full, makes another one and exchanges the
 * pointer; who comes second throws its own away.
 */
#include "audit/writer.h"
#include "audit/file.h"
#include "audit/keep.h"
#include "audit/ledger.h"
#include "audit/order.h"
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITE_TRIES 4
#define ROTATE_AGAIN_S 60 /* after a new file could not be made */

/*
 * A place is used again after FILE_COUNT renewals. A thread that looks at it meanwhile sees a
 * descriptor and an identity that do not belong together, or that are of a file of ours.
 */
#define FILE_COUNT 32
static struct audit_file files[FILE_COUNT];
static atomic_uint next_file;
static _Atomic(struct audit_file *) current;
/* The deleted or full file before the current one: closed only when the next takes its place, since
 * another thread may just have looked whose descriptor it is. */
static _Atomic(struct audit_file *) retired;

static _Atomic uint64_t lost;
static atomic_int open_error, last_error;

static _Atomic uint64_t max_size, max_age_s, keep_s;
static char key_path[PATH_MAX]; /* "": none */
static struct audit_key key;
static _Atomic int64_t rotate_not_before;

static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static struct audit_file *file_place(const struct audit_file *content)
{
	struct audit_file *place;

	do
		place = &files[atomic_fetch_add(&next_file, 1) % FILE_COUNT];
	while (place == atomic_load(&current) || place == atomic_load(&retired));
	*place = *content;
	return place;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The AUDIT_FILE of a file; `before`: that which it goes on from, or NULL. */
static int write_head(const struct audit_file *file, const struct audit_file *before)
{
	uint8_t record[AUDIT_RECORD_MAX];
	struct audit_chain_head head = { key.len > 0 ? AUDIT_CHAIN_HMAC : AUDIT_CHAIN_SHA256, NULL,
		{ { 0 } } };
	struct audit_event event;
	struct timespec now;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	audit_event_init(&event, AUDIT_FILE);
	event.time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	event.pid = getpid();
	event.uid = getuid();
	event.program = file->program;
	len = audit_encode(&event, record);
	if (before != NULL && before->ledger != NULL &&
		ledger_link(before->ledger, before, &head.previous) == 0)
		head.previous_name = base_name(before->path);
	return ledger_begin(file->ledger, file, &key, &head, record, len);
}

/* A disk too full for the head of a file will tell so again at the first record. */
static void begin_file(struct audit_file *file, const struct audit_file *before)
{
	file->ledger = ledger_new(file);
	atomic_store(&file->joined, false);
	if (file->ledger != NULL)
		(void)write_head(file, before);
}

/* Takes the new file's place in the order of the directory's files, and notes it there. */
static void take_order(struct audit_file *file)
{
	uint8_t record[AUDIT_RECORD_MAX];
	char before[AUDIT_NAME_MAX];
	struct audit_event event;
	size_t len;

	if (file->ledger == NULL || !audit_order_take(file->dir, base_name(file->path), before) ||
		before[0] == '\0')
		return;
	audit_event_init(&event, AUDIT_FILE);
	event.time_us = (uint64_t)now_s() * 1000000;
	event.pid = getpid();
	event.uid = getuid();
	len = audit_chain_add_before(record, audit_encode(&event, record), before);
	(void)ledger_append(file->ledger, file, &key, record, len, 0);
}

/* Puts `content` in the place of `old`. Whoever was faster wins: then ours is thrown away. */
static bool publish(struct audit_file *old, struct audit_file *content)
{
	struct audit_file *place = file_place(content);

	if (atomic_compare_exchange_strong(&current, &old, place)) {
		if (place->created)
			take_order(place);
		return true;
	}
	audit_file_discard(content);
	return false;
}

static void retire(struct audit_file *file)
{
	struct audit_file *before = atomic_exchange(&retired, file);
	off_t size;

	if (before != NULL && audit_file_check(before, &size) != -EBADF)
		close(before->fd);
}

/* The file of `old` is not to be had any more, as `state` of audit_file_check() says. 0; -errno. */
static int renew(struct audit_file *old, int state)
{
	struct audit_file file = *old;
	const char *why;
	int r = -ESTALE;

	file.created = false;
	if (state == -EBADF && old->path[0] != '\0')
		r = audit_file_reopen(&file);
	if (r < 0)
		r = audit_file_create(&file, &why);
	if (r < 0)
		return r;
	if (file.created)
		begin_file(&file, old);
	if (publish(old, &file) && state == -ESTALE)
		retire(old);
	return 0;
}

/* Counts this process among those that write to the file. */
static void join(struct audit_file *file)
{
	if (file->ledger != NULL && !atomic_exchange(&file->joined, true))
		ledger_join(file->ledger);
}

/* The last process to go ends the chain. */
static void leave(struct audit_file *file)
{
	uint8_t record[AUDIT_RECORD_MAX];
	struct audit_event event;
	struct timespec now;

	if (file->ledger == NULL || !atomic_exchange(&file->joined, false) ||
		!ledger_leave(file->ledger))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	audit_event_init(&event, AUDIT_SEAL);
	event.time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	event.pid = getpid();
	event.uid = getuid();
	(void)ledger_append(file->ledger, file, &key, record, audit_encode(&event, record), 0);
}

/* Goes on in a new file. A program that may make none any more goes on in the old one. */
static void rotate(struct audit_file *old)
{
	struct audit_file file = *old;
	const char *why;
	int64_t now = now_s();

	if (now < atomic_load(&rotate_not_before))
		return;
	file.created = false;
	if (audit_file_create(&file, &why) < 0) {
		atomic_store(&rotate_not_before, now + ROTATE_AGAIN_S);
		return;
	}
	leave(old);
	begin_file(&file, old);
	if (publish(old, &file)) {
		leave(old); /* if another thread was about to write to it, and came back */
		retire(old);
	}
	if (keep_s > 0)
		audit_keep(file.dir, now - (int64_t)keep_s);
}

static bool is_aged(const struct audit_file *file)
{
	return max_age_s > 0 && file->fd >= 0 && now_s() - file->made_s >= (int64_t)max_age_s;
}

/* One attempt, after which the current file may be another one. As audit_write(); -EFBIG: the file
 * is full. */
static int append_once(struct audit_file *file, const uint8_t *encoded, size_t len, uint64_t most)
{
	uint8_t record[AUDIT_RECORD_MAX];
	off_t size;
	/* Who has joined wrote to it before, and the ledger looks at it again each time. */
	int r = file->ledger != NULL && atomic_load(&file->joined) ? 0
								   : audit_file_check(file, &size);

	if (r == 0 && file->ledger == NULL)
		r = -ENOMEM;
	if (r == 0) {
		join(file);
		memcpy(record, encoded, len);
		r = ledger_append(file->ledger, file, &key, record, len, most);
	}
	if (r == -ENODATA)
		r = write_head(file, NULL);
	else
		return r;
	memcpy(record, encoded, len);
	return r < 0 ? r : ledger_append(file->ledger, file, &key, record, len, most);
}

static int append(const uint8_t *encoded, size_t len)
{
	uint64_t most = max_size;
	int r = -EBADF;

	for (int i = 0; i < WRITE_TRIES; i++) {
		struct audit_file *file = atomic_load(&current);

		if (file == NULL)
			return -EBADF;
		if (i == 0 && is_aged(file)) {
			rotate(file);
			continue;
		}
		r = append_once(file, encoded, len, most);
		if (r == -EFBIG && most > 0) {
			most = 0; /* if there is no other file, or the record is larger than one */
			rotate(file);
		} else if (r == -EBADF || r == -ESTALE) {
			r = renew(file, r);
			if (r < 0)
				return r;
		} else {
			return r;
		}
	}
	return -EBADF;
}

static int write_event(const struct audit_event *event)
{
	uint8_t record[AUDIT_RECORD_MAX];

	return append(record, audit_encode(event, record));
}

static void fill_in(struct audit_event *event)
{
	const struct audit_file *file = atomic_load(&current);
	struct timespec now;

	if (event->time_us == 0) {
		clock_gettime(CLOCK_REALTIME, &now);
		event->time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	}
	if (event->pid == 0)
		event->pid = getpid();
	if (event->uid == AUDIT_NO_UID)
		event->uid = getuid();
	if (file == NULL)
		return;
	if (event->program == NULL && file->program[0] != '\0')
		event->program = file->program;
	if (event->label == NULL && file->label[0] != '\0')
		event->label = file->label;
}

static int count_lost(uint64_t count, int error)
{
	atomic_store(&last_error, error);
	atomic_fetch_add(&lost, count);
	return error;
}

/* Tells of what was lost before `time_us`; 0: now. */
static int write_lost(uint64_t time_us)
{
	struct audit_event event;
	uint64_t count = atomic_load(&lost) > 0 ? atomic_exchange(&lost, 0) : 0;
	int r;

	if (count == 0)
		return 0;
	audit_event_init(&event, AUDIT_LOST);
	event.time_us = time_us;
	event.lost = count;
	/* Not strerror(): it may allocate. */
	event.reason = strerrordesc_np(-atomic_load(&last_error));
	fill_in(&event);
	r = write_event(&event);
	return r < 0 ? count_lost(count, r) : 0;
}

static int write_all(struct audit_event *event)
{
	int saved = errno, r;

	if (event != NULL)
		fill_in(event);
	r = write_lost(event != NULL ? event->time_us : 0);
	if (event != NULL) {
		if (r == 0)
			r = write_event(event);
		if (r < 0)
			count_lost(1, r);
	}
	errno = saved;
	return r;
}

int audit_write(struct audit_event *event)
{
	return write_all(event);
}

int audit_writer_flush(void)
{
	return write_all(NULL);
}

void audit_writer_finish(void)
{
	struct audit_file *file = atomic_load(&current);
	int saved = errno;

	audit_writer_flush();
	if (file != NULL)
		leave(file);
	errno = saved;
}

void audit_writer_configure(const struct audit_settings *chosen)
{
	atomic_store(&max_size, chosen->max_size);
	atomic_store(&max_age_s, chosen->max_age_s);
	atomic_store(&keep_s, chosen->keep_s);
	if (atomic_load(&current) == NULL)
		snprintf(key_path, sizeof key_path, "%s",
			chosen->key_file != NULL ? chosen->key_file : "");
}

/* Who we are, while /proc can be reached. */
static void learn_program(struct audit_file *file)
{
	const char *label = secure_getenv("SEAMTLS_LABEL");
	ssize_t n = readlink("/proc/self/exe", file->program, sizeof file->program - 1);

	if (n >= 0)
		file->program[n] = '\0';
	else
		snprintf(file->program, sizeof file->program, "%s", program_invocation_name);
	if (label != NULL)
		snprintf(file->label, sizeof file->label, "%s", label);
}

/* What every file needs. 0; -errno, and *what failed. */
static int prepare(const char **what)
{
	*what = "no memory for the chain of records";
	if (ledger_init() < 0)
		return -ENOMEM;
	*what = "the key (audit_key) cannot be read, or has less than 16 or more than 4096 bytes";
	return key_path[0] != '\0' ? audit_key_read(key_path, &key) : 0;
}

int audit_writer_open(const char *dir, char *why, size_t why_len)
{
	const struct audit_file *now = atomic_load(&current);
	int saved = errno, r;
	struct audit_file file;
	const char *what = "cannot tell where the directory is";

	if (why_len > 0)
		why[0] = '\0';
	if (now != NULL)
		return now->fd >= 0 ? 0 : atomic_load(&open_error);
	r = audit_file_init(&file, dir);
	learn_program(&file);
	if (r == 0)
		r = prepare(&what);
	if (r == 0)
		r = audit_file_create(&file, &what);
	if (r == 0)
		begin_file(&file, NULL);
	if (r == 0 && keep_s > 0)
		audit_keep(file.dir, now_s() - (int64_t)keep_s);
	if (r < 0) {
		atomic_store(&open_error, r);
		snprintf(why, why_len, "audit directory '%s': %s: %s", dir, what,
			strerrordesc_np(-r));
	}
	/* Published also without a file: audit_write() will try again. */
	publish(NULL, &file);
	errno = saved;
	return r;
}

int audit_default_dir(const char *state_home, const char *home, char *buf, size_t len)
{
	const char *base = "/var/log", *rest = "/seamtls";
	int n;

	if (geteuid() != 0) {
		base = state_home;
		/* The XDG specification has relative paths ignored. */
		if (base == NULL || base[0] != '/') {
			base = home;
			rest = "/.local/state/seamtls";
		}
		if (base == NULL || base[0] != '/')
			return -ENOENT;
	}
	n = snprintf(buf, len, "%s%s", base, rest);
	return n >= 0 && (size_t)n < len ? 0 : -ENAMETOOLONG;
}

bool audit_writer_owns(int fd)
{
	const struct audit_file *now = atomic_load(&current), *before = atomic_load(&retired);

	if (fd < 0)
		return false;
	return (now != NULL && now->fd == fd) || (before != NULL && before->fd == fd);
}

int audit_writer_descriptor(void)
{
	const struct audit_file *now = atomic_load(&current);

	return now != NULL ? now->fd : -1;
}

void audit_writer_after_fork(void)
{
	struct audit_file *file = atomic_load(&current);

	atomic_store(&lost, 0);
	ledger_after_fork();
	if (file != NULL)
		atomic_store(&file->joined, false);
}
