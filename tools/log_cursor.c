/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line for each file, behind one that says what it is: offset, inode, path. */
#include "log_cursor.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "seamtls log cursor 1\n"
#define MODE 0600

struct place {
	uint64_t offset, inode;
	char path[];
};

struct log_cursor {
	void *places; /* a tree, by path */
	bool changed;
	char path[PATH_MAX], new_path[PATH_MAX + 8];
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->path, ((const struct place *)b)->path);
}

static struct place *place_new(const char *path)
{
	struct place *place = calloc(1, sizeof *place + strlen(path) + 1);

	if (place != NULL)
		strcpy(place->path, path);
	return place;
}

/* NULL: there is none, or no memory. */
static struct place *find(const struct log_cursor *cursor, const char *path)
{
	struct place *key = place_new(path), **found = NULL;

	if (key != NULL)
		found = tfind(key, &cursor->places, compare);
	free(key);
	return found != NULL ? *found : NULL;
}

uint64_t log_cursor_find(const struct log_cursor *cursor, const char *path, ino_t inode)
{
	const struct place *place = find(cursor, path);

	return place != NULL && place->inode == inode ? place->offset : 0;
}

int log_cursor_set(struct log_cursor *cursor, const char *path, ino_t inode, uint64_t offset)
{
	struct place *place = find(cursor, path);

	/* A line could not hold it: it is read again each time. */
	if (strchr(path, '\n') != NULL)
		return 0;
	if (place == NULL) {
		place = place_new(path);
		if (place == NULL || tsearch(place, &cursor->places, compare) == NULL) {
			free(place);
			return -ENOMEM;
		}
	}
	cursor->changed = cursor->changed || place->offset != offset || place->inode != inode;
	place->offset = offset;
	place->inode = inode;
	return 0;
}

void log_cursor_forget(struct log_cursor *cursor, const char *path)
{
	struct place *place = find(cursor, path);

	if (place == NULL)
		return;
	tdelete(place, &cursor->places, compare);
	free(place);
	cursor->changed = true;
}

/* --- the file */

static int take_line(struct log_cursor *cursor, char *line)
{
	uint64_t offset, inode;
	struct stat st;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %n", &offset, &inode, &at) != 2 ||
		line[at] == '\0')
		return -EBADMSG;
	return stat(line + at, &st) == 0 ? log_cursor_set(cursor, line + at, inode, offset) : 0;
}

static int read_file(struct log_cursor *cursor, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (getline(&line, &room, file) < 0 || strcmp(line, HEAD) != 0)
		r = -EBADMSG;
	while (r == 0 && getline(&line, &room, file) >= 0)
		r = take_line(cursor, line);
	free(line);
	return r;
}

int log_cursor_read(const char *path, struct log_cursor **out)
{
	struct log_cursor *cursor = calloc(1, sizeof *cursor);
	FILE *file;
	int r = 0;

	if (cursor == NULL)
		return -ENOMEM;
	if ((size_t)snprintf(cursor->path, sizeof cursor->path, "%s", path) >=
		sizeof cursor->path) {
		free(cursor);
		return -ENAMETOOLONG;
	}
	snprintf(cursor->new_path, sizeof cursor->new_path, "%s.new", path);
	file = fopen(path, "re");
	if (file != NULL) {
		r = read_file(cursor, file);
		fclose(file);
	} else if (errno != ENOENT) {
		r = -errno;
	}
	cursor->changed = file == NULL;
	if (r < 0)
		log_cursor_free(cursor);
	else
		*out = cursor;
	return r;
}

void log_cursor_free(struct log_cursor *cursor)
{
	if (cursor == NULL)
		return;
	tdestroy(cursor->places, free);
	free(cursor);
}

static void write_place(const void *node, VISIT visit, void *file)
{
	const struct place *place = *(const struct place *const *)node;

	if (visit == postorder || visit == leaf)
		fprintf(file, "%" PRIu64 " %" PRIu64 " %s\n", place->offset, place->inode,
			place->path);
}

static int write_file(const struct log_cursor *cursor, FILE *file)
{
	int r = 0;

	fputs(HEAD, file);
	twalk_r(cursor->places, write_place, file);
	if (fflush(file) != 0 || ferror(file) || fsync(fileno(file)) < 0)
		r = errno != 0 ? -errno : -EIO;
	return fclose(file) != 0 && r == 0 ? -errno : r;
}

int log_cursor_write(struct log_cursor *cursor)
{
	int fd, r;
	FILE *file;

	if (!cursor->changed)
		return 0;
	fd = open(cursor->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (file == NULL) {
		close(fd);
		return -ENOMEM;
	}
	r = write_file(cursor, file);
	if (r == 0 && rename(cursor->new_path, cursor->path) < 0)
		r = -errno;
	if (r < 0)
		unlink(cursor->new_path);
	cursor->changed = r < 0;
	return r;
}
