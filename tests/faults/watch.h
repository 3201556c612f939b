/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calls with which bytes leave a process, looked at before they are made, with what they are to
 * send; and after them, with how much of it the kernel took. Whether the descriptor is a TCP
 * connection, and which, the kernel says (pidfd_getfd), not the program.
 */
#ifndef FAULTS_WATCH_H
#define FAULTS_WATCH_H

#include "call.h"

#include <stdio.h>

/* Ports to be protected: `in:PORTS` (local) or `out:PORTS` (remote), PORTS as `443,8000-8010`. A
 * `+` before: the connection begins in the clear. False: this is no such thing. */
bool watch_ports(const char *text);
/* What must never be seen. */
void watch_marker(const char *marker);
void watch_report_to(FILE *report);

/* Whether watch_after() is wanted. */
bool watch_before(const struct call *call);
void watch_after(const struct call *call, long result);
void watch_forget(pid_t pid);
/* The last line of the report. */
void watch_sum(void);

#endif
