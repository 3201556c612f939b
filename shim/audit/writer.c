/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A record is built on the stack and written by one write(2) with O_APPEND, so threads, processes
 * that share the file and signal handlers need no lock. What they share is a pointer to the current
 * file, which is never changed in place: whoever finds it unusable makes another one and exchanges
 * the pointer; who comes second throws its own away.
 */
#include "audit/writer.h"
#include "audit/file.h"
#include "audit/format.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WRITE_TRIES 4

/*
 * A place is used again after FILE_COUNT renewals. A thread that looks at it meanwhile sees a
 * descriptor and an identity that do not belong together, or that are of a file of ours.
 */
#define FILE_COUNT 32
static struct audit_file files[FILE_COUNT];
static atomic_uint next_file;
static _Atomic(struct audit_file *) current;
/* The deleted file before the current one: closed only when the next takes its place, since another
 * thread may just have looked whose descriptor it is. */
static _Atomic(struct audit_file *) retired;

static _Atomic uint64_t lost;
static atomic_int open_error, last_error;

static struct audit_file *file_place(const struct audit_file *content)
{
	struct audit_file *place;

	do
		place = &files[atomic_fetch_add(&next_file, 1) % FILE_COUNT];
	while (place == atomic_load(&current) || place == atomic_load(&retired));
	*place = *content;
	return place;
}

static int write_magic(const struct audit_file *file)
{
	uint8_t buf[AUDIT_MAGIC_LEN + AUDIT_RECORD_MAX];
	struct audit_event event;
	struct timespec now;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	audit_event_init(&event, AUDIT_FILE);
	event.time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	event.pid = getpid();
	event.uid = getuid();
	event.program = file->program;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes, no string */
	memcpy(buf, AUDIT_MAGIC, AUDIT_MAGIC_LEN);
	len = AUDIT_MAGIC_LEN + audit_encode(&event, buf + AUDIT_MAGIC_LEN);
	return audit_file_append(file, 0, buf, len);
}

/* Puts `content` in the place of `old`. Whoever was faster wins: then ours is thrown away. */
static bool publish(struct audit_file *old, struct audit_file *content)
{
	struct audit_file *place = file_place(content);

	if (atomic_compare_exchange_strong(&current, &old, place))
		return true;
	audit_file_discard(content);
	return false;
}

static void retire(struct audit_file *file)
{
	struct audit_file *before = atomic_exchange(&retired, file);
	off_t size;

	if (before != NULL && audit_file_check(before, &size) == -ESTALE)
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
	/* A disk too full for the head of a file will tell so again at the record itself. */
	if (file.created)
		(void)write_magic(&file);
	if (publish(old, &file) && state == -ESTALE)
		retire(old);
	return 0;
}

static int append(const void *record, size_t len)
{
	int r = -EBADF;

	for (int i = 0; i < WRITE_TRIES; i++) {
		struct audit_file *file = atomic_load(&current);
		off_t size;

		if (file == NULL)
			return -EBADF;
		r = audit_file_check(file, &size);
		if (r == 0)
			return audit_file_append(file, size, record, len);
		r = renew(file, r);
		if (r < 0)
			return r;
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

/* A write is a point of cancellation: a thread that ends there would take the count with it. */
static int write_all(struct audit_event *event)
{
	int saved = errno, cancel, r;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (event != NULL)
		fill_in(event);
	r = write_lost(event != NULL ? event->time_us : 0);
	if (event != NULL) {
		if (r == 0)
			r = write_event(event);
		if (r < 0)
			count_lost(1, r);
	}
	pthread_setcancelstate(cancel, NULL);
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
		r = audit_file_create(&file, &what);
	if (r == 0)
		(void)write_magic(&file);
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
	atomic_store(&lost, 0);
}
