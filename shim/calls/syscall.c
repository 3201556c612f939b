/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * syscall(): the numbers of functions that we stand in for go to those; every other one passes with
 * all its six arguments. A row a number. Numbers that an architecture has not got have no row
 * there.
 */
#include "calls/border.h"
#include "calls/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

struct arguments {
	long at[6];
};

#define INT(n) ((int)a->at[n])
#define SIZE(n) ((size_t)a->at[n])
#define PTR(n) ((void *)a->at[n])

/* On a connection that is left alone. */
static void tell_job(const struct iocb *job)
{
	int fd = (int)job->aio_fildes;
	const struct iovec one = { (void *)(uintptr_t)job->aio_buf, job->aio_nbytes },
			   *all = (const struct iovec *)(uintptr_t)job->aio_buf;

	if (job->aio_lio_opcode == IOCB_CMD_PWRITE)
		conn_sees_sent(fd, &one, 1, one.iov_len, CAUSE_AIO);
	else if (job->aio_lio_opcode == IOCB_CMD_PWRITEV)
		conn_sees_sent(
			fd, all, job->aio_nbytes, iov_bytes(all, job->aio_nbytes), CAUSE_AIO);
	else if (job->aio_lio_opcode != IOCB_CMD_POLL)
		conn_saw_not(fd, CAUSE_AIO);
}

/* The kernel's own asynchronous I/O: jobs up to the first that would read or write past us. Waiting
 * for readiness is none of those. */
static long submit_jobs(const struct arguments *a)
{
	struct iocb *const *jobs = PTR(2);
	long count = 0;

	for (long i = 0; jobs != NULL && i < a->at[1]; i++)
		tell_job(jobs[i]);
	while (jobs != NULL && count < a->at[1] &&
		(jobs[count]->aio_lio_opcode == IOCB_CMD_POLL ||
			!is_mapped((int)jobs[count]->aio_fildes)))
		count++;
	if (jobs != NULL && count == 0 && a->at[1] > 0)
		return errno_return(-EINVAL);
	return libc.syscall(
		SYS_io_submit, a->at[0], jobs != NULL ? count : a->at[1], a->at[2], 0, 0, 0);
}

static long pass(long number, const struct arguments *a)
{
	return libc.syscall(number, a->at[0], a->at[1], a->at[2], a->at[3], a->at[4], a->at[5]);
}

static long real_clone(const void *how)
{
	return pass(SYS_clone, how);
}

static long real_clone3(const void *how)
{
	return pass(SYS_clone3, how);
}

/* A child with memory of its own, that returns from here as its parent does, is a fork (vsftpd,
 * which wants namespaces of its own with it). */
static bool is_fork(unsigned long long flags, bool has_stack)
{
	return (flags & CLONE_VM) == 0 && !has_stack;
}

static long clone_by(const struct arguments *a, unsigned long flags, bool has_stack)
{
	return is_fork(flags, has_stack) ? process_fork_by(real_clone, a) : pass(SYS_clone, a);
}

static long clone3_by(const struct arguments *a)
{
	const struct clone_args *args = PTR(0);

	if (args == NULL || SIZE(1) < CLONE_ARGS_SIZE_VER0 ||
		!is_fork(args->flags, args->stack != 0))
		return pass(SYS_clone3, a);
	return process_fork_by(real_clone3, a);
}

#ifdef SYS_fork
static long fork_by(const struct arguments *a)
{
	(void)a;
	return _Fork();
}
#endif

static long __attribute__((noreturn)) exit_at_once(const struct arguments *a)
{
	_exit(INT(0));
}

#define ROW(name, call)                                                                            \
	static long on_##name(const struct arguments *a)                                           \
	{                                                                                          \
		return call;                                                                       \
	}

#include "calls/syscall_rows.h"
#undef ROW

struct row {
	long number;
	long (*call)(const struct arguments *a);
};

static const struct row rows[] = {
#define ROW(name, call) { SYS_##name, on_##name },
#include "calls/syscall_rows.h"
#undef ROW
};

SEAM_EXPORT long syscall(long number, ...)
{
	struct arguments a;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a.at[i] = va_arg(args, long);
	va_end(args);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].number == number)
			return rows[i].call(&a);
	return pass(number, &a);
}
