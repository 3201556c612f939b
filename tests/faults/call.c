/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "call.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#define NAMED(name)                                                                                \
	{                                                                                          \
#name, SYS_##name                                                                  \
	}

static const struct {
	const char *name;
	long number;
} names[] = {
	NAMED(accept),
	NAMED(accept4),
	NAMED(bind),
	NAMED(brk),
	NAMED(clock_nanosleep),
	NAMED(clone),
	NAMED(clone3),
	NAMED(close),
	NAMED(close_range),
	NAMED(connect),
	NAMED(dup),
	NAMED(dup2),
	NAMED(dup3),
	NAMED(epoll_create1),
	NAMED(epoll_ctl),
	NAMED(epoll_pwait),
	NAMED(epoll_wait),
	NAMED(execve),
	NAMED(exit_group),
	NAMED(fallocate),
	NAMED(fchmod),
	NAMED(fcntl),
	NAMED(flock),
	NAMED(fork),
	NAMED(fstat),
	NAMED(ftruncate),
	NAMED(futex),
	NAMED(getcwd),
	NAMED(getdents64),
	NAMED(getpeername),
	NAMED(getpid),
	NAMED(getrandom),
	NAMED(getsockname),
	NAMED(getsockopt),
	NAMED(gettid),
	NAMED(getuid),
	NAMED(io_submit),
	NAMED(io_uring_enter),
	NAMED(io_uring_setup),
	NAMED(ioctl),
	NAMED(kill),
	NAMED(listen),
	NAMED(lseek),
	NAMED(madvise),
	NAMED(memfd_create),
	NAMED(mkdir),
	NAMED(mmap),
	NAMED(mprotect),
	NAMED(mremap),
	NAMED(munmap),
	NAMED(newfstatat),
	NAMED(open),
	NAMED(openat),
	NAMED(pipe2),
	NAMED(poll),
	NAMED(ppoll),
	NAMED(prctl),
	NAMED(pread64),
	NAMED(preadv),
	NAMED(preadv2),
	NAMED(prlimit64),
	NAMED(pwrite64),
	NAMED(pwritev),
	NAMED(pwritev2),
	NAMED(read),
	NAMED(readlink),
	NAMED(readv),
	NAMED(recvfrom),
	NAMED(recvmmsg),
	NAMED(recvmsg),
	NAMED(rename),
	NAMED(rt_sigaction),
	NAMED(rt_sigprocmask),
	NAMED(rt_tgsigqueueinfo),
	NAMED(select),
	NAMED(pselect6),
	NAMED(sendfile),
	NAMED(sendmmsg),
	NAMED(sendmsg),
	NAMED(sendto),
	NAMED(setsockopt),
	NAMED(shutdown),
	NAMED(socket),
	NAMED(socketpair),
	NAMED(splice),
	NAMED(stat),
	NAMED(statx),
	NAMED(tee),
	NAMED(tgkill),
	NAMED(unlink),
	NAMED(unlinkat),
	NAMED(vfork),
	NAMED(vmsplice),
	NAMED(wait4),
	NAMED(write),
	NAMED(writev),
};

const long calls_that_send[] = { SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_pwritev2,
	SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice,
	SYS_io_submit, SYS_io_uring_enter, -1 };

long call_number(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i].name) == len && memcmp(names[i].name, name, len) == 0)
			return names[i].number;
	return -1;
}

const char *call_name(long number)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == number)
			return names[i].name;
	return "another";
}

bool call_read(pid_t tid, pid_t pid, struct call *out)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return false;
	*out = (struct call){ .tid = tid,
		.pid = pid,
		.number = (long)regs.orig_rax,
		.arg = { regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9 },
		.from = regs.rip };
	return true;
}

long call_result(pid_t tid)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0 ? -ESRCH : (long)regs.rax;
}

void call_refuse(const struct call *call, int error)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, call->tid, NULL, &regs) < 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-error;
	ptrace(PTRACE_SETREGS, call->tid, NULL, &regs);
}

void call_set_argument(const struct call *call, int number, uint64_t value)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, call->tid, NULL, &regs) < 0)
		return;
	*(number == 1 ? &regs.rsi : &regs.rdx) = value;
	ptrace(PTRACE_SETREGS, call->tid, NULL, &regs);
}

size_t call_memory(const struct call *call, uint64_t at, void *out, size_t len)
{
	struct iovec to = { out, len }, from = { (void *)(uintptr_t)at, len };
	ssize_t n = process_vm_readv(call->tid, &to, 1, &from, 1, 0);

	return n > 0 ? (size_t)n : 0;
}
