/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Programs that are executed in a child of libc's making. posix_spawn() duplicates descriptors in a
 * child where nothing of ours runs. So an action that would put a protected connection on a number
 * is given another number to take it from, kept free, and an end of a relay is put there for as
 * long as the spawn takes.
 */
#include "calls/border.h"
#include "calls/environment.h"
#include "calls/process.h"
#include "calls/program.h"
#include "conn/kernel.h"
#include "conn/relay.h"
#include "conn/successor.h"
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the numbers lie; a process with a lower limit has fewer of them, or none. */
#define STANDIN_FIRST 960
#define STANDIN_MOST 48

struct action {
	struct action *next;
	const posix_spawn_file_actions_t *actions;
	int fd, number, standin;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct action *list;

static bool is_standin(int number)
{
	for (struct action *at = list; at != NULL; at = at->next)
		if (at->standin == number)
			return true;
	return false;
}

/* A number that nobody uses now. -EMFILE: there is none. */
static int take_standin(void)
{
	long most = sysconf(_SC_OPEN_MAX);
	int first = most > STANDIN_FIRST + STANDIN_MOST ? STANDIN_FIRST : (int)(most * 3 / 4);
	int saved = errno;

	for (int number = first; number < first + STANDIN_MOST; number++)
		if (!is_standin(number) && libc.fcntl(number, F_GETFD, 0) < 0) {
			errno = saved;
			return number;
		}
	return -EMFILE;
}

static int remember(const posix_spawn_file_actions_t *actions, int fd, int number, int *standin)
{
	struct action *action = malloc(sizeof(*action));

	if (action == NULL)
		return ENOMEM;
	guard_lock(&lock);
	*standin = take_standin();
	if (*standin >= 0) {
		*action = (struct action){ list, actions, fd, number, *standin };
		list = action;
	}
	guard_unlock(&lock);
	if (*standin < 0) {
		free(action);
		return EMFILE;
	}
	return 0;
}

SEAM_EXPORT int posix_spawn_file_actions_adddup2(
	posix_spawn_file_actions_t *actions, int fd, int fd2)
{
	int standin, r;

	if (!is_mapped(fd))
		return libc.posix_spawn_file_actions_adddup2(actions, fd, fd2);
	r = remember(actions, fd, fd2, &standin);
	return r != 0 ? r : libc.posix_spawn_file_actions_adddup2(actions, standin, fd2);
}

SEAM_EXPORT int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
	struct action **at = &list;

	guard_lock(&lock);
	while (*at != NULL) {
		struct action *gone = *at;

		if (gone->actions != actions) {
			at = &gone->next;
			continue;
		}
		*at = gone->next;
		free(gone);
	}
	guard_unlock(&lock);
	return libc.posix_spawn_file_actions_destroy(actions);
}

/* --- The spawn itself */

struct filled {
	int numbers[STANDIN_MOST];
	size_t count;
};

/* The end that another action of the same spawn has for the same connection. */
static int same_end(const struct filled *filled, const struct action *action)
{
	for (size_t i = 0; i < filled->count; i++)
		for (struct action *at = list; at != NULL; at = at->next)
			if (at->standin == filled->numbers[i] && at->fd == action->fd)
				return at->standin;
	return -1;
}

static bool wants_input(const struct action *action)
{
	for (struct action *at = list; at != NULL; at = at->next)
		if (at->actions == action->actions && at->fd == action->fd &&
			(at->number == STDIN_FILENO || at->number > STDERR_FILENO))
			return true;
	return false;
}

static int new_end(struct conn *conn, const struct action *action)
{
	struct relay_pair pair;
	int r = relay_pair_new(conn, action->fd, &pair);

	if (r == 0)
		r = relay_pair_start(conn, action->fd, &pair, wants_input(action));
	if (r == 0 && libc.dup3(pair.outside, action->standin, O_CLOEXEC) < 0)
		r = -errno;
	relay_pair_close(&pair);
	return r;
}

static int put_standin(int from, const struct action *action)
{
	return libc.dup3(from, action->standin, O_CLOEXEC) < 0 ? -errno : 0;
}

static int hand_on(struct conn *conn, const struct action *action, const struct conn_next *next)
{
	int r;

	if (kernel_leave(conn, action->fd, successor_departure(next)))
		return put_standin(action->fd, action);
	r = new_end(conn, action);
	if (r < 0 && kernel_leave(conn, action->fd, DEPARTS_ANYHOW))
		return put_standin(action->fd, action);
	if (r < 0)
		relay_complain(conn);
	return r;
}

static int fill(struct filled *filled, const struct action *action, const struct conn_next *next)
{
	struct conn *conn = mapped_get(action->fd);
	int same = same_end(filled, action), saved = errno, r;

	if (same >= 0)
		r = put_standin(same, action);
	else if (conn != NULL)
		r = hand_on(conn, action, next);
	else /* it was closed meanwhile, or is the program's own now */
		r = put_standin(action->fd, action);
	if (conn != NULL)
		conn_put(conn);
	errno = saved;
	if (r == 0)
		filled->numbers[filled->count++] = action->standin;
	return r;
}

static int fill_all(struct filled *filled, const posix_spawn_file_actions_t *actions,
	const struct conn_next *next)
{
	int r = 0;

	filled->count = 0;
	guard_lock(&lock);
	for (struct action *at = list; at != NULL && r == 0; at = at->next)
		if (at->actions == actions)
			r = fill(filled, at, next);
	guard_unlock(&lock);
	return r;
}

static void empty(const struct filled *filled)
{
	int saved = errno;

	for (size_t i = 0; i < filled->count; i++)
		libc.close(filled->numbers[i]);
	errno = saved;
}

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *,
	const posix_spawnattr_t *, char *const[], char *const[]);

static int spawn(spawn_function *real, int (*opens)(const void *), pid_t *pid, const char *path,
	const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
	char *const argv[], char *const envp[])
{
	const struct conn_next next = { opens, path, environment_loads(envp) };
	struct filled filled;
	int r;

	conn_before_spawn(&next);
	r = fill_all(&filled, actions, &next);
	if (r == 0)
		r = real(pid, path, actions, attributes, argv, ENVIRONMENT_FOR(envp));
	else
		r = -r;
	empty(&filled);
	return r;
}

SEAM_EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path,
	const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *restrict attributes,
	char *const argv[restrict], char *const envp[restrict])
{
	return spawn(
		libc.posix_spawn, program_open_path, pid, path, actions, attributes, argv, envp);
}

SEAM_EXPORT int posix_spawnp(pid_t *restrict pid, const char *restrict file,
	const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *restrict attributes,
	char *const argv[restrict], char *const envp[restrict])
{
	return spawn(libc.posix_spawnp, program_open, pid, file, actions, attributes, argv, envp);
}

static void before_shell(void)
{
	const struct conn_next shell = { program_open_path, "/bin/sh", environment_loads(environ) };

	conn_before_spawn(&shell);
}

SEAM_EXPORT int system(const char *command)
{
	before_shell();
	return libc.system(command);
}

SEAM_EXPORT FILE *popen(const char *command, const char *mode)
{
	before_shell();
	return libc.popen(command, mode);
}
SEAM_ALIAS(_IO_popen, popen);

void spawn_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
}
