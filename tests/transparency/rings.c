/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program that would use io_uring: what becomes of it when it asks by syscall(), by
 * an instruction of its own, in a thread, in a child, and in a program that the child executes.
 * Last, a connection to the port that it is given.
 *
 *   rings PORT
 *   rings --no-filters PORT    under a filter that forbids filters, with $RINGS_PRELOAD preloaded
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *how, long r)
{
	printf("%s: %s\n", how, r >= 0 ? "a ring" : strerrorname_np((int)-r));
	fflush(stdout);
	if (r >= 0)
		close((int)r);
}

static long by_function(void)
{
	struct io_uring_params params = { 0 };
	long r = syscall(SYS_io_uring_setup, 4, &params);

	return r < 0 ? -errno : r;
}

static long by_instruction(void)
{
	struct io_uring_params params = { 0 };
#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(SYS_io_uring_setup), "D"(4L), "S"(&params)
			 : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
	register long number __asm__("x8") = SYS_io_uring_setup, first __asm__("x0") = 4;
	register void *second __asm__("x1") = &params;

	__asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory");
	return first;
#else
	return syscall(SYS_io_uring_setup, 4, &params) < 0 ? -errno : 0;
#endif
}

static void *in_thread(void *arg)
{
	(void)arg;
	tell("thread", by_instruction());
	return NULL;
}

static void in_child(char *self)
{
	pid_t child = fork();

	if (child == 0) {
		tell("child", by_instruction());
		execl(self, self, "executed", (char *)NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

static void connect_to(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	printf("connect: %s\n", connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0
					? "done"
					: strerrorname_np(errno));
}

/* As containers and service managers have it. */
static int forbid_filters(char *self, char *port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 ||
		prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program) != 0 ||
		setenv("LD_PRELOAD", getenv("RINGS_PRELOAD"), 1) != 0)
		return 3;
	execl(self, self, port, (char *)NULL);
	return 4;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc == 3 && strcmp(argv[1], "--no-filters") == 0)
		return forbid_filters(argv[0], argv[2]);
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "executed") == 0) {
		tell("executed", by_instruction());
		return 0;
	}
	tell("function", by_function());
	tell("instruction", by_instruction());
	if (pthread_create(&thread, NULL, in_thread, NULL) == 0)
		pthread_join(thread, NULL);
	in_child(argv[0]);
	printf("no new privileges: %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L));
	connect_to(argv[1]);
	return 0;
}
