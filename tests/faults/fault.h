/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is to go wrong: CALL[@N|@N+]=WHAT. CALL is a system call's name, several with commas, or
 * `any`; N counts those calls from 1, and N+ are all from there on. WHAT is the name of an errno,
 * `short` (half of what was asked for), `kill`, a signal's name, or `run:COMMAND`.
 */
#ifndef FAULTS_FAULT_H
#define FAULTS_FAULT_H

#include "call.h"

/* False: this is no fault. */
bool fault_set(const char *text);
bool fault_is_set(void);
/* Before each call. False: the process is gone. */
bool fault_meet(const struct call *call);
/* How often it was met, how often the call was made, and the last of them that was hit. */
void fault_count(unsigned *hit, unsigned *made);

#endif
