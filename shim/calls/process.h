/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the calls layer itself has to see to in a forked child. */
#ifndef SEAMTLS_CALLS_PROCESS_H
#define SEAMTLS_CALLS_PROCESS_H

void spawn_in_child(void);

/* A fork by other means than libc's, whose handlers know nothing of it: real(how) returns twice. */
long process_fork_by(long (*real)(const void *how), const void *how);

#endif
