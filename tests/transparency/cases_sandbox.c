/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A program that gives up most system calls once it is set up, as sshd and browsers do. */
#include "harness.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a program that serves sockets has to be allowed anyway; anything else ends it. */
static const int allowed[] = { SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_recvfrom, SYS_sendto,
	SYS_recvmsg, SYS_sendmsg, SYS_accept, SYS_accept4, SYS_socket, SYS_connect, SYS_bind,
	SYS_listen, SYS_shutdown, SYS_close, SYS_getsockopt, SYS_setsockopt, SYS_getsockname,
	SYS_getpeername, SYS_fcntl, SYS_ioctl, SYS_dup, SYS_ppoll, SYS_pselect6, SYS_epoll_create1,
	SYS_epoll_ctl, SYS_epoll_pwait, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_brk,
	SYS_futex, SYS_getrandom, SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid,
	SYS_getegid, SYS_getgroups, SYS_clock_gettime, SYS_gettimeofday, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_prlimit64, SYS_fstat,
	SYS_newfstatat, SYS_openat, SYS_lseek, SYS_readlinkat, SYS_exit, SYS_exit_group,
#ifdef SYS_poll
	SYS_poll, SYS_select, SYS_epoll_wait, SYS_alarm, SYS_readlink, SYS_access, SYS_getrlimit,
#endif
	SYS_set_robust_list, SYS_rseq };

#define COUNT (sizeof(allowed) / sizeof(*allowed))

static void enter_sandbox(void)
{
	struct sock_filter code[COUNT + 3];
	struct sock_fprog program = { .len = COUNT + 3, .filter = code };

	code[0] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(unsigned)allowed[i], (unsigned char)(COUNT - i), 0);
	code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void talk(int fd)
{
	tell_peer("send 20000");
	receive_all(fd, 20000, 500);
	NEED(send_all(fd, 50000));
	tell_peer("recv 50000");
	say_result("close", close(fd));
	tell_peer("until_end");
}

/* 104: a connection that was open before, and one that is made inside. */
static void sandbox(void)
{
	int fd = connected();

	enter_sandbox();
	talk(fd);
	use_peer(1);
	talk(connected());
}

const struct test_case cases[] = {
	CASE(104, sandbox, EVERYWHERE),
	END_OF_CASES,
};
