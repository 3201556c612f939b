/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/watch.h"

#include "policy/hash.h"
#include "policy/read_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES_MAX 4096 /* of a directory */
#define RECENT_S 2       /* longer than a tick of any file system's clock */

struct watched {
	char *path;
	bool there, regular;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
	bool recent;  /* when it was looked at, it had just been written */
	uint64_t sum; /* ... and this was in it */
};

/* A directory, or what cannot be read, has 0. */
static uint64_t sum_of(const char *path)
{
	uint64_t sum = HASH_START;
	uint8_t bytes[4096];
	int fd = read_file_open(path);
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read_file(fd, bytes, sizeof bytes)) > 0)
		sum = hash_add(sum, bytes, (size_t)n);
	close(fd);
	explicit_bzero(bytes, sizeof bytes);
	return n < 0 ? 0 : sum;
}

static bool is_recent(const struct watched *item)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - item->changed.tv_sec <= RECENT_S;
}

static void look(struct watched *item)
{
	struct stat st;

	item->there = stat(item->path, &st) == 0;
	if (!item->there)
		return;
	item->dev = st.st_dev;
	item->ino = st.st_ino;
	item->size = st.st_size;
	item->modified = st.st_mtim;
	item->changed = st.st_ctim;
	item->regular = S_ISREG(st.st_mode);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct watched *a, const struct watched *b)
{
	return a->there == b->there &&
	       (!a->there || (a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
				     same_time(&a->modified, &b->modified) &&
				     same_time(&a->changed, &b->changed)));
}

static bool make_room(struct watch *watch)
{
	size_t room = watch->room > 0 ? watch->room * 2 : 8;
	struct watched *items;

	if (watch->count < watch->room)
		return true;
	items = realloc(watch->items, room * sizeof *items);
	if (items == NULL)
		return false;
	watch->items = items;
	watch->room = room;
	return true;
}

void watch_add(struct watch *watch, const char *path)
{
	struct watched item = { .path = strdup(path) };

	if (item.path == NULL || !make_room(watch)) {
		watch->lacking = true;
		free(item.path);
		return;
	}
	look(&item);
	item.recent = item.there && item.regular && is_recent(&item);
	if (item.recent)
		item.sum = sum_of(path);
	watch->items[watch->count++] = item;
}

void watch_add_tree(struct watch *watch, const char *path)
{
	struct dirent *entry;
	char file[PATH_MAX];
	struct stat st;
	int files = 0;
	DIR *dir;

	watch_add(watch, path);
	dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	if (dir == NULL)
		return;
	while (files < ENTRIES_MAX && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && snprintf(file, sizeof file, "%s/%s", path,
						       entry->d_name) < (int)sizeof file) {
			watch_add(watch, file);
			files++;
		}
	closedir(dir);
}

static bool item_changed(struct watched *item)
{
	struct watched now = { .path = item->path };
	bool recent = item->recent;

	look(&now);
	if (!same(&now, item))
		return true;
	if (!recent)
		return false;
	/* Before the bytes are read: who writes it after that gives it another time. */
	item->recent = is_recent(item);
	return sum_of(item->path) != item->sum;
}

bool watch_changed(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		if (item_changed(&watch->items[i]))
			return true;
	return watch->lacking;
}

void watch_clear(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->items[i].path);
	free(watch->items);
	memset(watch, 0, sizeof *watch);
}
