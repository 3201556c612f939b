/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads files without stdio and without libc's glob(): the policy is read inside host programs,
 * whose streams and locale are not ours, and a file that is no policy must cost neither time nor
 * memory.
 */
#include "policy/source.h"

#include "policy/read_file.h"
#include "policy/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(char *why, size_t why_len, const char *text)
{
	snprintf(why, why_len, "%s", text);
	return -EINVAL;
}

static int refuse_errno(int error, char *why, size_t why_len, const char *text)
{
	char buf[128];

	snprintf(why, why_len, "%s: %s", text, strerror_r(error, buf, sizeof(buf)));
	return -error;
}

static int check_kind(const struct stat *st, char *why, size_t why_len)
{
	if (S_ISDIR(st->st_mode))
		return refuse(why, why_len, "is a directory, allowed: a file");
	if (!S_ISREG(st->st_mode))
		return refuse(why, why_len, "is not a regular file");
	if ((uint64_t)st->st_size > SOURCE_BYTES_MAX)
		return refuse(why, why_len, "is longer than 1 MiB");
	return 0;
}

/* A file may grow while it is read; more than the limit and one byte is never taken. */
static int read_all(int fd, struct source *source, char *why, size_t why_len)
{
	size_t size = SOURCE_BYTES_MAX + 1;
	ssize_t n;

	source->text = malloc(size + 1);
	if (source->text == NULL)
		return -ENOMEM;
	n = read_file(fd, source->text, size);
	if (n < 0)
		return refuse_errno((int)-n, why, why_len, "cannot be read");
	source->len = (size_t)n;
	source->text[source->len] = '\0';
	return source->len < size ? 0 : refuse(why, why_len, "is longer than 1 MiB");
}

static int check_text(const struct source *source, char *why, size_t why_len, unsigned *line)
{
	size_t in_line = 0;

	*line = 1;
	for (size_t i = 0; i < source->len; i++) {
		unsigned char c = (unsigned char)source->text[i];

		if (c == '\n') {
			(*line)++;
			in_line = 0;
			continue;
		}
		if (c == '\0')
			return refuse(why, why_len,
				"holds a NUL byte: not a text file (policies are ASCII or UTF-8)");
		if (c == 0x7f ||
			(c < ' ' && c != '\t' && !(c == '\r' && source->text[i + 1] == '\n')))
			return refuse(why, why_len, "holds a control character: not a text file");
		if (++in_line > SOURCE_LINE_MAX)
			return refuse(why, why_len, "a line is longer than 8000 bytes");
	}
	*line = 0;
	return 0;
}

static int read_open(int fd, struct source *source, char *why, size_t why_len, unsigned *line)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return refuse_errno(errno, why, why_len, "cannot be read");
	source->dev = st.st_dev;
	source->ino = st.st_ino;
	r = check_kind(&st, why, why_len);
	if (r == 0)
		r = read_all(fd, source, why, why_len);
	if (r == 0)
		r = check_text(source, why, why_len, line);
	return r;
}

int source_read(const char *path, struct source *out, char *why, size_t why_len, unsigned *line)
{
	struct source source = { .text = NULL };
	int fd, r;

	*line = 0;
	fd = read_file_open(path);
	if (fd < 0)
		return refuse_errno(-fd, why, why_len, "cannot be opened");
	r = read_open(fd, &source, why, why_len, line);
	close(fd);
	if (r < 0)
		source_clear(&source);
	else
		*out = source;
	return r;
}

void source_clear(struct source *source)
{
	free(source->text);
	source->text = NULL;
	source->len = 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int glob_directory(
	struct arena *arena, DIR *dir, const char *pattern, size_t dir_len, struct policy_list *out)
{
	const char *last = pattern + dir_len;
	struct dirent *entry;

	for (size_t seen = 0; (entry = readdir(dir)) != NULL; seen++) {
		size_t len = strlen(entry->d_name);
		char *path;

		if (seen > 64 * SOURCE_GLOB_MAX || out->count == SOURCE_GLOB_MAX)
			return -E2BIG;
		if ((entry->d_name[0] == '.' && last[0] != '.') ||
			!text_glob_match(last, entry->d_name))
			continue;
		path = arena_alloc(arena, dir_len + len + 1, 1);
		if (path == NULL)
			return -ENOMEM;
		memcpy(path, pattern, dir_len);
		memcpy(path + dir_len, entry->d_name, len);
		out->items[out->count++] = path;
	}
	return 0;
}

int source_glob(struct arena *arena, const char *pattern, struct policy_list *out, char *why,
	size_t why_len)
{
	size_t dir_len = (size_t)(strrchr(pattern, '/') + 1 - pattern);
	char *dir_name = arena_strndup(arena, pattern, dir_len);
	struct policy_list list = { .items = arena_alloc(arena, SOURCE_GLOB_MAX, sizeof(char *)) };
	DIR *dir;
	int r;

	if (dir_name == NULL || list.items == NULL)
		return -ENOMEM;
	if (text_is_glob(dir_name))
		return refuse(
			why, why_len, "a pattern is allowed in the last part of the path only");
	dir = opendir(dir_name);
	if (dir == NULL)
		return refuse_errno(errno, why, why_len, "the directory cannot be read");
	r = glob_directory(arena, dir, pattern, dir_len, &list);
	closedir(dir);
	if (r == -E2BIG)
		return refuse(why, why_len, "the pattern names too many files");
	if (r == 0 && list.count > 1)
		qsort(list.items, list.count, sizeof(char *), compare_names);
	*out = list;
	return r;
}
