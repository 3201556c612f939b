/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A set of keys never changes once it is there. When the file has, a new set goes before it, and
 * the old ones stay as long as the context, for whoever is reading them; files like this one change
 * a few times a day. A file that cannot be read or is wrong leaves the old set in use.
 */
#include "tls/ticket_file.h"
#include "policy/watch.h"
#include "tls/pem.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEYS_MOST 16

struct key_set {
	struct key_set *older;
	size_t count;
	struct ticket_key keys[KEYS_MOST];
};

struct ticket_file {
	char *path;
	struct key_set *_Atomic set;
	_Atomic int64_t looked_s;
	_Atomic pid_t looking; /* the process that does; guards what follows */
	struct watch watch;
};

static int set_read(const char *path, struct key_set **out, const struct why *why)
{
	struct pem file;
	struct key_set *set;
	int r = pem_read(path, &file);

	if (r < 0)
		return why_say(why, r, "cannot read the ticket keys '%s': %s", path, why_errno(r));
	set = calloc(1, sizeof *set);
	if (set == NULL) {
		r = -ENOMEM;
	} else if (file.len == 0 || file.len % sizeof *set->keys != 0 ||
		   file.len > sizeof set->keys) {
		r = why_say(why, -EINVAL,
			"the ticket keys '%s' are %zu bytes: 80 for each key are expected, newest "
			"first, at most %d keys (openssl rand 80)",
			path, file.len, KEYS_MOST);
		free(set);
	} else {
		memcpy(set->keys, file.text, file.len);
		set->count = file.len / sizeof *set->keys;
		*out = set;
	}
	pem_clear(&file);
	return r;
}

int ticket_file_open(const char *path, struct ticket_file **out, const struct why *why)
{
	struct ticket_file *file = calloc(1, sizeof *file);
	struct key_set *set = NULL;
	int r;

	if (file == NULL)
		return -ENOMEM;
	watch_add(&file->watch, path);
	file->path = strdup(path);
	r = file->path != NULL ? set_read(path, &set, why) : -ENOMEM;
	if (r < 0) {
		ticket_file_close(file);
		return r;
	}
	atomic_store(&file->set, set);
	atomic_store(&file->looked_s, (int64_t)time(NULL));
	*out = file;
	return 0;
}

void ticket_file_close(struct ticket_file *file)
{
	struct key_set *older;

	if (file == NULL)
		return;
	for (struct key_set *set = atomic_load(&file->set); set != NULL; set = older) {
		older = set->older;
		explicit_bzero(set, sizeof *set);
		free(set);
	}
	watch_clear(&file->watch);
	free(file->path);
	free(file);
}

static bool same_keys(const struct key_set *a, const struct key_set *b)
{
	/* set_read() has made both. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	return a->count == b->count && memcmp(a->keys, b->keys, a->count * sizeof a->keys[0]) == 0;
}

static void read_again(struct ticket_file *file)
{
	struct key_set *set = atomic_load(&file->set), *fresh = NULL;
	const struct why nobody = { NULL, 0, NULL };

	watch_clear(&file->watch);
	watch_add(&file->watch, file->path);
	if (set_read(file->path, &fresh, &nobody) < 0)
		return;
	if (same_keys(fresh, set)) {
		explicit_bzero(fresh, sizeof *fresh);
		free(fresh);
		return;
	}
	fresh->older = set;
	atomic_store(&file->set, fresh);
}

static void look_again(struct ticket_file *file)
{
	pid_t self = getpid(), holder = 0;

	if (!atomic_compare_exchange_strong(&file->looking, &holder, self)) {
		if (holder == self ||
			!atomic_compare_exchange_strong(&file->looking, &holder, self))
			return;
		/* A thread was in the middle of it when its process was forked to be this one. */
		memset(&file->watch, 0, sizeof file->watch);
		file->watch.lacking = true;
	}
	if (watch_changed(&file->watch))
		read_again(file);
	atomic_store(&file->looking, 0);
}

/* The file is looked at once a second at most, by whoever comes first. */
static const struct key_set *current(struct ticket_file *file)
{
	int64_t now = (int64_t)time(NULL), looked = atomic_load(&file->looked_s);

	if (looked != now && atomic_compare_exchange_strong(&file->looked_s, &looked, now))
		look_again(file);
	return atomic_load(&file->set);
}

int ticket_file_newest(struct ticket_file *file, struct ticket_key *out)
{
	*out = current(file)->keys[0];
	return 0;
}

int ticket_file_find(
	struct ticket_file *file, const uint8_t *name, struct ticket_key *out, bool *newest)
{
	const struct key_set *set = current(file);

	for (size_t i = 0; i < set->count; i++) {
		if (memcmp(set->keys[i].name, name, TICKET_KEY_NAME_LEN) != 0)
			continue;
		*out = set->keys[i];
		*newest = i == 0;
		return 0;
	}
	return -ENOENT;
}
