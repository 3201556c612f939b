/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The life of the process: start, fork, exit. Nothing is loaded at the start: that is for the first
 * TCP socket.
 */
#include "calls/process.h"
#include "calls/border.h"
#include "calls/environment.h"
#include "calls/streams.h"
#include "handlers.h"
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pid_t (*real_fork)(void), (*real_bare_fork)(void);

static void in_child(void)
{
	handlers_own();
	conn_in_child();
	spawn_in_child();
}

/*
 * pthread_atfork() sees forks that libc makes by itself (daemon, forkpty), so the work is done
 * there. This is the first constructor of all: libc has not set its `environ` yet.
 */
static __attribute__((constructor)) void start(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	libc_init();
	environment_learn(envp);
	handlers_own();
	host_started();
	pthread_atfork(conn_before_fork, conn_after_fork, in_child);
	(void)at_quick_exit(conn_at_exit);
}

typedef int main_function(int argc, char **argv, char **envp);

SEAM_EXPORT int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*loader_fini)(void), void *stack_end);

/* The last moment before the program's own code: all of libc can be used. */
int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
	int (*real)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void),
		void *);

	libc_find(&real, "__libc_start_main");
	host_begin();
	conn_inherit();
	return real(program, argc, argv, init, fini, loader_fini, stack_end);
}

static void at_very_end(int status, void *arg)
{
	(void)status, (void)arg;
	streams_flush();
	streams_look();
	conn_at_exit();
}

/* Other libraries' destructors come after this one, and may still use their connections: what is
 * registered now comes after all of them. */
static __attribute__((destructor)) void end(void)
{
	if (on_exit(at_very_end, NULL) != 0)
		at_very_end(0, NULL);
}

SEAM_EXPORT pid_t fork(void)
{
	pid_t pid;

	if (real_fork == NULL)
		libc_find(&real_fork, "fork");
	pid = real_fork();
	if (pid < 0)
		conn_fork_failed();
	return pid;
}
SEAM_ALIAS(__fork, fork);

long process_fork_by(long (*real)(const void *how), const void *how)
{
	long pid;

	conn_before_fork();
	pid = real(how);
	if (pid == 0)
		in_child();
	else
		conn_after_fork();
	if (pid < 0)
		conn_fork_failed();
	return pid;
}

static long bare_fork(const void *how)
{
	(void)how;
	return real_bare_fork();
}

/* For signal handlers: without the handlers of pthread_atfork(). */
SEAM_EXPORT pid_t _Fork(void)
{
	if (real_bare_fork == NULL)
		libc_find(&real_bare_fork, "_Fork");
	return (pid_t)process_fork_by(bare_fork, NULL);
}

SEAM_EXPORT void _exit(int status)
{
	conn_at_exit();
	libc.exit_now(status);
}

SEAM_EXPORT void _Exit(int status)
{
	conn_at_exit();
	libc.exit_now(status);
}

/* As daemon(3): libc's own ends the parent from inside libc, and nobody would know that it has left
 * its connections to the child. */
SEAM_EXPORT int daemon(int nochdir, int noclose)
{
	int null;

	switch (fork()) {
	case -1:
		return -1;
	case 0:
		break;
	default:
		_exit(0);
	}
	if (setsid() < 0)
		return -1;
	if (!nochdir && chdir("/") < 0)
		errno = 0; /* libc's does not ask either */
	if (noclose)
		return 0;
	null = open("/dev/null", O_RDWR);
	if (null < 0)
		return -1;
	for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
		dup2(null, number);
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}
