/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A system call of a traced thread that is about to be made. x86-64. */
#ifndef FAULTS_CALL_H
#define FAULTS_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct call {
	pid_t tid, pid;
	long number;
	uint64_t arg[6];
	uint64_t from; /* the instruction's address */
};

bool call_read(pid_t tid, pid_t pid, struct call *out);
/* Of a call that has been made: its result, or -errno. */
long call_result(pid_t tid);
/* The call is not made, and gives this. */
void call_refuse(const struct call *call, int error);
void call_set_argument(const struct call *call, int number, uint64_t value);
/* The thread's memory; how much of it could be read. */
size_t call_memory(const struct call *call, uint64_t at, void *out, size_t len);

/* -1: there is no such name here. */
long call_number(const char *name, size_t len);
const char *call_name(long number);
/* Those with which bytes can leave a process, ended by -1. */
extern const long calls_that_send[];

#endif
