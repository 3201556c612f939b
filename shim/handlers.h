/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program's signal handlers. They are installed behind one of ours, which holds a signal back
 * while the thread is in the guard (guard.h), and knows how the handlers that ran want interrupted
 * calls to end. To the program nothing of that is to be seen.
 */
#ifndef SEAMTLS_HANDLERS_H
#define SEAMTLS_HANDLERS_H

#include <signal.h>

/* As sigaction(2), which it is to the program. */
int handlers_set(int number, const struct sigaction *action, struct sigaction *old);

/* Handlers that have run in this thread: those with SA_RESTART, and those without. */
struct handlers_run {
	unsigned restarting, interrupting;
};
struct handlers_run handlers_run(void);

/* The process that the table belongs to: not a vfork child. */
void handlers_own(void);

#endif
