/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_follow.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct watch {
	int id;
	bool is_dir;
	char *path;
};

struct log_follow {
	int fd;
	struct watch *watches;
	size_t count;
};

int log_follow_new(struct log_follow **out)
{
	struct log_follow *follow = calloc(1, sizeof *follow);

	*out = NULL;
	if (follow == NULL)
		return -ENOMEM;
	follow->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (follow->fd < 0) {
		int r = -errno;

		free(follow);
		return r;
	}
	*out = follow;
	return 0;
}

void log_follow_free(struct log_follow *follow)
{
	if (follow == NULL)
		return;
	for (size_t i = 0; i < follow->count; i++)
		free(follow->watches[i].path);
	free(follow->watches);
	close(follow->fd);
	free(follow);
}

int log_follow_add(struct log_follow *follow, const char *path, bool is_dir)
{
	uint32_t mask = IN_MODIFY;
	struct watch *watches =
		reallocarray(follow->watches, follow->count + 1, sizeof *follow->watches);
	struct watch *watch;

	if (watches == NULL)
		return -ENOMEM;
	follow->watches = watches;
	if (is_dir)
		mask |= IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
	watch = &watches[follow->count];
	watch->path = strdup(path);
	watch->is_dir = is_dir;
	if (watch->path == NULL)
		return -ENOMEM;
	watch->id = inotify_add_watch(follow->fd, path, mask);
	if (watch->id < 0) {
		free(watch->path);
		return -errno;
	}
	follow->count++;
	return 0;
}

/* What happened in a directory to the file `name`. */
static int changed_in_dir(
	struct log_merge *merge, const char *dir, const struct inotify_event *event)
{
	char *path = NULL;
	int r = 0;

	if (event->len == 0 || !log_merge_is_name(event->name))
		return 0;
	if (asprintf(&path, "%s/%s", dir, event->name) < 0)
		return -ENOMEM;
	if (event->mask & (IN_DELETE | IN_MOVED_FROM))
		log_merge_remove(merge, path);
	else
		r = log_merge_add(merge, path);
	free(path);
	return r;
}

static int changed(
	struct log_follow *follow, struct log_merge *merge, const struct inotify_event *event)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < follow->count; i++) {
		const struct watch *watch = &follow->watches[i];
		/* The kernel had to drop events: anything may have changed. */
		bool all = (event->mask & IN_Q_OVERFLOW) != 0;

		if (!all && watch->id != event->wd)
			continue;
		if (!watch->is_dir)
			r = log_merge_add(merge, watch->path);
		else if (all)
			r = log_merge_add_dir(merge, watch->path);
		else
			r = changed_in_dir(merge, watch->path, event);
	}
	return r;
}

static int read_changes(struct log_follow *follow, struct log_merge *merge)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n = read(follow->fd, buf, sizeof buf);
	int r = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (char *at = buf; r == 0 && at < buf + n;) {
		const struct inotify_event *event = (const struct inotify_event *)at;

		r = changed(follow, merge, event);
		at += sizeof *event + event->len;
	}
	return r;
}

int log_follow_wait(struct log_follow *follow, struct log_merge *merge)
{
	struct pollfd fds[] = {
		{ follow->fd, POLLIN, 0 },
		{ STDOUT_FILENO, 0, 0 }, /* POLLERR: the pipe's other end was closed */
	};
	int r;

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR ? 1 : -errno;
	if (fds[1].revents != 0)
		return 0;
	r = read_changes(follow, merge);
	return r < 0 ? r : 1;
}
