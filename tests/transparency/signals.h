/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the cases of signals and of handlers have in common. */
#ifndef TRANSPARENCY_SIGNALS_H
#define TRANSPARENCY_SIGNALS_H

#include "harness.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define RESTARTS SIGUSR1
#define INTERRUPTS SIGUSR2

static volatile sig_atomic_t handled;

static inline void note(int number)
{
	(void)number;
	handled++;
}

static inline void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	NEED(sigaction(number, &action, NULL) == 0);
}

/* With handlers of both kinds, as most programs have. */
static inline void handle_both(void (*handler)(int))
{
	handle(RESTARTS, handler, SA_RESTART);
	handle(INTERRUPTS, handler, 0);
}

static inline void signal_when_asleep(int number)
{
	tell_peer_later("signal %d %d", number, (int)getpid());
}

/* As many commands were given for later. */
static inline void peer_has_done(int commands)
{
	while (commands-- > 0)
		NEED(strcmp(await_peer(), "ok") == 0);
}

static inline const char *name_of(int number)
{
	return number == RESTARTS ? "restarts" : "interrupts";
}

static __attribute__((noinline, unused)) size_t fill_once(int fd)
{
	size_t done = 0;
	ssize_t n;

	while ((n = send(fd, outgoing(65536), 65536, MSG_DONTWAIT)) == 65536)
		done += 65536;
	not_sent(n > 0 ? 65536 - (size_t)n : 65536);
	return done + (n > 0 ? (size_t)n : 0);
}

/* Until there is no room any more, although the kernel makes some when it feels like it. */
static __attribute__((noinline, unused)) size_t fill(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	size_t done = 0;

	do
		done += fill_once(fd);
	while (poll(&pfd, 1, 300) == 1);
	return done;
}

#endif
