/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A window moves over the file. At its beginning stands a record, or the first bytes of one, or
 * something else, which is skipped up to the next byte that can begin a record. The writer appends
 * in whole records, so bytes that could begin a record but do not complete it are the end of the
 * file in the making, unless a whole record follows: then they were torn.
 */
#include "audit/reader.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_LEN ((size_t)4 * AUDIT_RECORD_MAX)

struct audit_reader {
	char *path;
	int error;   /* of the file; sticks */
	int foreign; /* why this would be no audit file; 0 once a record or the magic was found */
	dev_t dev;
	ino_t ino;
	bool opened;    /* once: dev and ino are known */
	bool in_damage; /* the last bytes were skipped */
	bool past_magic;
	uint8_t *buf;     /* NULL when nothing is in it */
	size_t pos, fill; /* what is unread of it */
	uint64_t offset;  /* of buf[fill] in the file */
	struct audit_damage damage;
};

int audit_reader_new(const char *path, struct audit_reader **out)
{
	struct audit_reader *reader = calloc(1, sizeof *reader);

	*out = NULL;
	if (reader == NULL)
		return -ENOMEM;
	reader->foreign = -EBADMSG;
	reader->path = strdup(path);
	if (reader->path == NULL) {
		audit_reader_free(reader);
		return -ENOMEM;
	}
	*out = reader;
	return 0;
}

/* Gives back the buffer while there is nothing in it. */
static void reader_rest(struct audit_reader *reader)
{
	if (reader->pos < reader->fill)
		return;
	free(reader->buf);
	reader->buf = NULL;
	reader->pos = reader->fill = 0;
}

void audit_reader_free(struct audit_reader *reader)
{
	if (reader == NULL)
		return;
	free(reader->buf);
	free(reader->path);
	free(reader);
}

/* Whether it is the file that we have read from so far. 0; -errno. */
static int reader_check(struct audit_reader *reader, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (reader->opened && (st.st_dev != reader->dev || st.st_ino != reader->ino))
		return -ESTALE;
	if ((uint64_t)st.st_size < reader->offset)
		return -ESTALE;
	reader->opened = true;
	reader->dev = st.st_dev;
	reader->ino = st.st_ino;
	return 0;
}

/* More of the file into the buffer. As reader_fill(). */
static ssize_t reader_read(struct audit_reader *reader, int fd)
{
	size_t room = BUFFER_LEN - reader->fill;
	ssize_t n = reader_check(reader, fd);

	if (n < 0)
		return n;
	do
		n = pread(fd, reader->buf + reader->fill, room, (off_t)reader->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reader->fill += (size_t)n;
	reader->offset += (size_t)n;
	return n;
}

/*
 * More of the file behind what is unread. How many bytes; 0: the end; -errno. Of thousands of files
 * that are read side by side, none keeps a descriptor, or a buffer larger than what is in it.
 */
static ssize_t reader_fill(struct audit_reader *reader)
{
	uint8_t *buf;
	ssize_t n;
	int fd;

	if (reader->pos > 0)
		memmove(reader->buf, reader->buf + reader->pos, reader->fill - reader->pos);
	reader->fill -= reader->pos;
	reader->pos = 0;
	buf = realloc(reader->buf, BUFFER_LEN);
	if (buf == NULL)
		return -ENOMEM;
	reader->buf = buf;
	/* O_NONBLOCK: a pipe of that name must not keep us waiting for its writer. */
	fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	n = reader_read(reader, fd);
	close(fd);
	buf = realloc(reader->buf, reader->fill > 0 ? reader->fill : 1);
	if (buf != NULL)
		reader->buf = buf;
	return n;
}

static void reader_skip(struct audit_reader *reader, size_t count)
{
	if (!reader->in_damage) {
		if (reader->damage.places++ == 0)
			reader->damage.first = reader->offset - (reader->fill - reader->pos);
		reader->in_damage = true;
	}
	reader->damage.bytes += count;
	reader->pos += count;
}

/* Where after the first of `len` bytes a record can begin; `len`: nowhere. */
static size_t next_candidate(const uint8_t *buf, size_t len)
{
	const uint8_t *found = memchr(buf + 1, AUDIT_SYNC_BYTE, len - 1);

	return found != NULL ? (size_t)(found - buf) : len;
}

/* At the end of the file: where behind the first byte a whole record stands; `len`: nowhere. */
static size_t next_whole(const uint8_t *buf, size_t len)
{
	struct audit_frame frame;
	size_t at = 0;

	while (at < len) {
		at += next_candidate(buf + at, len - at);
		if (at < len && audit_frame_check(buf + at, len - at, &frame) == 0)
			break;
	}
	return at;
}

/* 1: the magic is behind us, or is not there; 0: not enough of the file yet; -errno. */
static int reader_pass_magic(struct audit_reader *reader)
{
	ssize_t n = 0;
	size_t have;

	while ((have = reader->fill - reader->pos) < AUDIT_MAGIC_LEN)
		if ((n = reader_fill(reader)) <= 0)
			break;
	if (n < 0)
		return (int)n;
	if (have < AUDIT_MAGIC_LEN) {
		if (have == 0 || memcmp(reader->buf, AUDIT_MAGIC, have) == 0)
			return 0;
		return -EBADMSG;
	}
	if (memcmp(reader->buf, AUDIT_MAGIC, AUDIT_MAGIC_LEN) == 0) {
		reader->foreign = 0;
		reader->pos += AUDIT_MAGIC_LEN;
	} else if (memcmp(reader->buf, AUDIT_MAGIC, AUDIT_MAGIC_LEN - 1) == 0) {
		reader->foreign = -EPROTONOSUPPORT;
	}
	reader->past_magic = true;
	return 1;
}

/*
 * One step where no whole record stands. 1: go on; 0: the end of the file; -errno. A file that is
 * not ours is given up after a buffer of it.
 */
static int reader_step(struct audit_reader *reader, int verdict)
{
	size_t have = reader->fill - reader->pos;
	size_t next;
	ssize_t n;

	if (verdict == -EBADMSG) {
		reader_skip(reader, next_candidate(reader->buf + reader->pos, have));
		return reader->foreign < 0 && reader->damage.bytes > BUFFER_LEN ? reader->foreign
										: 1;
	}
	n = reader_fill(reader);
	if (n != 0)
		return n < 0 ? (int)n : 1;
	have = reader->fill - reader->pos;
	next = have > 0 ? next_whole(reader->buf + reader->pos, have) : have;
	if (next == have)
		return reader->foreign;
	reader_skip(reader, next);
	return 1;
}

/* As audit_reader_next(), with all records. */
static int reader_record(struct audit_reader *reader, struct audit_record *out)
{
	int r = reader->past_magic ? 1 : reader_pass_magic(reader);

	while (r > 0) {
		int verdict = -EAGAIN;

		out->data = reader->buf + reader->pos;
		if (reader->pos < reader->fill)
			verdict = audit_frame_check(
				out->data, reader->fill - reader->pos, &out->frame);
		if (verdict == 0) {
			out->offset = reader->offset - (reader->fill - reader->pos);
			reader->pos += out->frame.len;
			reader->foreign = 0;
			reader->in_damage = false;
			return 1;
		}
		r = reader_step(reader, verdict);
	}
	return r;
}

int audit_reader_any(struct audit_reader *reader, struct audit_record *out)
{
	int r = reader->error;

	if (r < 0)
		return r;
	r = reader_record(reader, out);
	if (r <= 0)
		reader_rest(reader);
	if (r < 0)
		reader->error = r;
	return r;
}

int audit_reader_next(struct audit_reader *reader, struct audit_record *out)
{
	int r;

	do
		r = audit_reader_any(reader, out);
	while (r > 0 && (out->frame.type == AUDIT_FILE || out->frame.type == AUDIT_SEAL));
	return r;
}

int audit_reader_begin(struct audit_reader *reader, uint64_t *time_us)
{
	struct audit_record record;
	int r = reader_record(reader, &record);

	if (r > 0)
		*time_us = record.frame.time_us;
	if (r < 0)
		reader->error = r;
	memset(&reader->damage, 0, sizeof reader->damage);
	reader->in_damage = reader->past_magic = false;
	reader->offset = 0;
	reader->pos = reader->fill;
	reader_rest(reader);
	return r;
}

void audit_reader_seek(struct audit_reader *reader, uint64_t offset)
{
	reader->past_magic = true;
	reader->foreign = 0;
	reader->offset = offset;
}

uint64_t audit_reader_offset(const struct audit_reader *reader)
{
	return reader->offset - (reader->fill - reader->pos);
}

ino_t audit_reader_inode(const struct audit_reader *reader)
{
	return reader->opened ? reader->ino : 0;
}

const char *audit_reader_path(const struct audit_reader *reader)
{
	return reader->path;
}

const struct audit_damage *audit_reader_damage(const struct audit_reader *reader)
{
	return &reader->damage;
}

size_t audit_reader_tail(const struct audit_reader *reader)
{
	return reader->fill - reader->pos;
}
