/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program: one of many ways in which bytes can leave by a socket without send(), or a
 * socket change hands without a call that everybody thinks of. A forked client does it, the server
 * tells what it received and how the stream ended. Run plain it shows what the kernel does; run
 * under the library, that the bytes arrive the same, or that the call is refused.
 *
 *   calls CASE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_S 30
#define GREETING "greeting"

static struct sockaddr_in address;

static void die(const char *what)
{
	fprintf(stderr, "calls[%d]: %s: %s\n", (int)getpid(), what, strerror(errno));
	_exit(1);
}

static void check(int good, const char *what)
{
	if (!good)
		die(what);
}

/* What became of a call that may be refused. */
static void tell(const char *call, long result)
{
	printf("%s: %s\n", call, result >= 0 ? "done" : strerrorname_np(errno));
	fflush(stdout);
}

static int unconnected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0, "socket");
	return fd;
}

static void read_greeting(int fd)
{
	char text[sizeof(GREETING)];

	check(recv(fd, text, sizeof(GREETING) - 1, MSG_WAITALL) == sizeof(GREETING) - 1, "recv");
}

static int connected(void)
{
	int fd = unconnected();

	check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	read_greeting(fd);
	return fd;
}

static void pwritev2_flags(void)
{
	static const int flags[] = { 0, RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT, RWF_APPEND };
	struct iovec iov[] = { { "he", 2 }, { "llo ", 4 } };
	int fd = connected();

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		check(pwritev2(fd, iov, 2, -1, flags[i]) == 6, "pwritev2");
	errno = 0;
	check(pwritev2(fd, iov, 2, 0, 0) == -1 && errno == ESPIPE, "pwritev2 at an offset");
}

static void preadv2_flags(void)
{
	static const int flags[] = { 0, RWF_HIPRI, RWF_DSYNC, RWF_SYNC };
	char text[sizeof(GREETING)] = "";
	int fd = unconnected();

	check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct iovec iov = { text + 2 * i, 2 };

		check(preadv2(fd, &iov, 1, -1, flags[i]) == 2, "preadv2");
	}
	check(strcmp(text, GREETING) == 0, "what preadv2 gave");
	check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static void fast_open(void)
{
	struct iovec iov = { "one ", 4 };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	int fd = unconnected();

	msg.msg_hdr.msg_name = &address;
	msg.msg_hdr.msg_namelen = sizeof(address);
	check(sendmmsg(fd, &msg, 1, MSG_FASTOPEN) == 1 && msg.msg_len == 4, "sendmmsg");
	check(write(fd, "two", 3) == 3, "write");
	read_greeting(fd);
}

static void stream_first(void)
{
	int fd = unconnected();
	FILE *stream = fdopen(fd, "w");

	check(stream != NULL && fileno(stream) == fd, "fdopen");
	check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	read_greeting(fd);
	check(fprintf(stream, "%s in a stream", "text") > 0 && fclose(stream) == 0,
		"a stream made before connect()");
}

static void stream_reopened(void)
{
	int fd = connected();
	FILE *stream = fdopen(fd, "w");

	check(stream != NULL && fputs("last words", stream) >= 0, "fdopen");
	stream = freopen("/dev/null", "w", stream);
	check(stream != NULL && fileno(stream) == fd, "freopen");
	check(fputs("nothing", stream) >= 0 && fflush(stream) == 0, "the stream after freopen");
	check(write(fd, "nothing", 7) == 7, "the descriptor after freopen");
}

static struct msghdr *rights(int fd, struct iovec *iov)
{
	static union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	static struct msghdr msg;
	const int both[2] = { STDIN_FILENO, fd };

	*iov = (struct iovec){ "x", 1 };
	msg = (struct msghdr){ .msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(both)) };
	memcpy(CMSG_DATA(&control.head), both, sizeof(both));
	return &msg;
}

static void passed_on(void)
{
	int fd = connected(), pair[2];
	struct mmsghdr several = { 0 };
	struct iovec iov;

	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
	check(sendmsg(pair[0], rights(STDOUT_FILENO, &iov), 0) == 1,
		"sendmsg with other descriptors");
	tell("sendmsg", sendmsg(pair[0], rights(fd, &iov), 0));
	several.msg_hdr = *rights(fd, &iov);
	tell("sendmmsg", sendmmsg(pair[0], &several, 1, 0));
	check(write(fd, "kept", 4) == 4, "write");
}

static void kernel_jobs(void)
{
	struct iocb job = { .aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_buf = (uintptr_t) "by the kernel",
		.aio_nbytes = 13 },
		    *jobs = &job;
	aio_context_t context = 0;

	job.aio_fildes = (uint32_t)connected();
	check(syscall(SYS_io_setup, 1, &context) == 0, "io_setup");
	tell("io_submit", syscall(SYS_io_submit, context, 1L, &jobs));
}

static void raw_copy(void)
{
	int fd = connected();

	check(syscall(SYS_dup3, fd, 20, 0) == 20 && write(20, "copy", 4) == 4, "dup3");
#ifdef SYS_dup2
	check(syscall(SYS_dup2, fd, 21) == 21 && write(21, " copy", 5) == 5, "dup2");
#else
	check(write(20, " copy", 5) == 5, "write");
#endif
}

static void exit_quickly(void)
{
	check(write(connected(), "quick", 5) == 5, "write");
	quick_exit(0);
}

static void exit_raw(void)
{
	check(write(connected(), "raw", 3) == 3, "write");
	syscall(SYS_exit_group, 0);
}

/* The child goes on when its parent has closed. */
static void fork_by(long (*real)(void))
{
	int fd = connected(), closed[2], status;
	char byte;
	pid_t child;

	check(pipe(closed) == 0 && write(fd, "parent ", 7) == 7, "write");
	child = (pid_t)real();
	check(child >= 0, "fork");
	if (child == 0) {
		close(closed[1]);
		check(read(closed[0], &byte, 1) == 0, "read");
		check(write(fd, "child", 5) == 5, "write in the child");
		_exit(0);
	}
	close(fd);
	close(closed[1]);
	check(waitpid(child, &status, 0) == child && status == 0, "the child");
}

static long by_libc(void)
{
	return _Fork();
}

static long by_clone(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static long by_clone3(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	return syscall(SYS_clone3, &args, sizeof(args));
}

static long by_number(void)
{
#ifdef SYS_fork
	return syscall(SYS_fork);
#else
	return by_clone();
#endif
}

static void bare_fork(void)
{
	fork_by(by_libc);
}

static void clone_raw(void)
{
	fork_by(by_clone);
}

static void clone3_raw(void)
{
	fork_by(by_clone3);
}

static void fork_raw(void)
{
	fork_by(by_number);
}

static void no_mark(void)
{
	check(sockatmark(connected()) == 0, "sockatmark");
}

/* --- Waiting by number: writable is not to be said before a write will be taken. */

static int by_poll(int fd)
{
#ifdef SYS_poll
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	return (int)syscall(SYS_poll, &pfd, 1, HANG_S * 1000);
#else
	return poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, HANG_S * 1000);
#endif
}

static int by_select(int fd)
{
	struct timeval timeout = { HANG_S, 0 };
	fd_set out;

	FD_ZERO(&out);
	FD_SET(fd, &out);
#ifdef SYS_select
	return (int)syscall(SYS_select, fd + 1, NULL, &out, NULL, &timeout);
#else
	return select(fd + 1, NULL, &out, NULL, &timeout);
#endif
}

static int by_epoll(int fd, long number)
{
	struct epoll_event event = { .events = EPOLLOUT };
	struct timespec timeout = { HANG_S, 0 };
	int set = (int)syscall(SYS_epoll_create1, 0);

	check(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	if (number == SYS_epoll_pwait2)
		return (int)syscall(number, set, &event, 1, &timeout, NULL, 8);
	return (int)syscall(number, set, &event, 1, HANG_S * 1000, NULL, 8);
}

static int by_epoll_wait(int fd)
{
#ifdef SYS_epoll_wait
	return by_epoll(fd, SYS_epoll_wait);
#else
	return by_epoll(fd, SYS_epoll_pwait);
#endif
}

static int by_epoll_pwait(int fd)
{
	return by_epoll(fd, SYS_epoll_pwait);
}

static int by_epoll_pwait2(int fd)
{
	return by_epoll(fd, SYS_epoll_pwait2);
}

static void wait_raw(void)
{
	static int (*const waits[])(
		int) = { by_poll, by_select, by_epoll_wait, by_epoll_pwait, by_epoll_pwait2 };
	int fd = -1, error;
	socklen_t len = sizeof(error);

	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		if (fd >= 0)
			close(fd);
		fd = unconnected();
		check(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
		check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
				errno == EINPROGRESS,
			"connect");
		check(waits[i](fd) == 1, "a wait by number");
		check(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0,
			"SO_ERROR");
		check(getpeername(fd, (struct sockaddr *)&address,
			      &(socklen_t){ sizeof(address) }) == 0,
			"getpeername");
		check(write(fd, "ready ", 6) == 6 && fcntl(fd, F_SETFL, 0) == 0, "write");
		read_greeting(fd);
	}
}

/* --- */

static const struct {
	const char *name;
	void (*client)(void);
	int connections;
} cases[] = {
	{ "pwritev2_flags", pwritev2_flags, 1 },
	{ "preadv2_flags", preadv2_flags, 1 },
	{ "fast_open", fast_open, 1 },
	{ "stream_first", stream_first, 1 },
	{ "stream_reopened", stream_reopened, 1 },
	{ "passed_on", passed_on, 1 },
	{ "kernel_jobs", kernel_jobs, 1 },
	{ "raw_copy", raw_copy, 1 },
	{ "exit_quickly", exit_quickly, 1 },
	{ "exit_raw", exit_raw, 1 },
	{ "bare_fork", bare_fork, 1 },
	{ "clone_raw", clone_raw, 1 },
	{ "clone3_raw", clone3_raw, 1 },
	{ "fork_raw", fork_raw, 1 },
	{ "no_mark", no_mark, 1 },
	{ "wait_raw", wait_raw, 5 },
};

static void serve(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char text[256];
	size_t len = 0;
	ssize_t n;

	check(fd >= 0, "accept");
	check(send(fd, GREETING, sizeof(GREETING) - 1, MSG_NOSIGNAL) == sizeof(GREETING) - 1,
		"the greeting");
	while ((n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	printf("received '%.*s', then %s\n", (int)len, text,
		n == 0 ? "the end" : strerrorname_np(errno));
	fflush(stdout);
	close(fd);
}

int main(int argc, char **argv)
{
	socklen_t len = sizeof(address);
	int listener = unconnected(), status;
	size_t i = 0;
	pid_t child;

	while (i < sizeof(cases) / sizeof(*cases) &&
		(argc != 2 || strcmp(argv[1], cases[i].name) != 0))
		i++;
	if (i == sizeof(cases) / sizeof(*cases))
		return 2;
	alarm(HANG_S);
	address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	check(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 8) == 0,
		"listen");
	check(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
	child = fork();
	check(child >= 0, "fork");
	if (child == 0) {
		close(listener);
		alarm(HANG_S);
		cases[i].client();
		exit(0);
	}
	for (int n = 0; n < cases[i].connections; n++)
		serve(listener);
	check(waitpid(child, &status, 0) == child && status == 0, "the client");
	return 0;
}
