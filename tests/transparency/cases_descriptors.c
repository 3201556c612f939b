/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Descriptors and their numbers, flags and options. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char room[100000];

static void exchange(int fd)
{
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	ready_for(fd, POLLOUT);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
}

/* --- Copies */

static void copies(void)
{
	int fd = connected(), one = dup(fd), two;

	say("dup %d", one - fd);
	exchange(one);
	say_result("close", close(fd));
	exchange(one);
	two = dup2(one, 60);
	say_result("dup2", two);
	say_result("dup2 on itself", dup2(two, two));
	say_result("dup2 of none", dup2(999, two));
	exchange(two);
	say_result("dup3", dup3(one, 61, O_CLOEXEC));
	say("flags %d %d %d", fcntl(one, F_GETFD), fcntl(60, F_GETFD), fcntl(61, F_GETFD));
	say_result("dup3 on itself", dup3(61, 61, 0));
	say_result("dup3 with flags", dup3(61, 62, 77));
	say_result("F_DUPFD", fcntl(61, F_DUPFD, 70));
	say_result("F_DUPFD_CLOEXEC", fcntl(61, F_DUPFD_CLOEXEC, 70));
	say("flags %d %d", fcntl(70, F_GETFD), fcntl(71, F_GETFD));
	say_result("F_DUPFD", fcntl(61, F_DUPFD, -1));
	say_result("F_DUPFD", fcntl(61, F_DUPFD, 1 << 30));
	close(one);
	close(60);
	close(61);
	exchange(70);
	close(70);
	exchange(71);
	say_result("close", close(71));
	tell_peer("until_end");
}

static void number_taken_over(void)
{
	int fd = connected(), other = open("/dev/null", O_RDWR);

	exchange(fd);
	say("dup2 %d", dup2(other, fd) - fd);
	tell_peer("until_end");
	say_result("write", write(fd, "x", 1));
	say_result("read", read(fd, room, 1));
	say_result("getpeername", getpeername(fd, (struct sockaddr *)room, &(socklen_t){ 100 }));
	forget_peer_bytes();
	close(fd);
	fd = connected();
	exchange(fd);
}

/* A copy is put onto another connection's number. */
static void onto_another(void)
{
	int fd = connected(), other;

	use_peer(1);
	other = connected();
	tell_peer("send 10");
	receive_all(other, 10, 10);
	use_peer(0);
	say("dup2 %d", dup2(fd, other) - other);
	use_peer(1);
	tell_peer("until_end");
	use_peer(0);
	exchange(other);
	close(fd);
	exchange(other);
}

/* --- Numbers */

/* The lowest free ones, as ever; and none that the program has not opened below 64. */
static void lowest_numbers(void)
{
	int first = dup(0), fd, listener, set;

	close(first);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("socket: %d", fd - first);
	close(fd);
	fd = connected();
	exchange(fd);
	listener = listening_socket(NULL);
	set = dup(0);
	say("next: %d %d", listener - (fd < listener ? fd : listener) - 1, set - listener - 1);
	close(set);
	close(listener);
	close(fd);
	fd = dup(0);
	say("again: %d", fd - first);
	for (int i = 3; i < 64; i++)
		if (i != fd && fcntl(i, F_GETFD) >= 0)
			say("open: %d", i);
}

static int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int count = -2;

	NEED(dir != NULL);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void no_threads(void)
{
	int fd = connected();

	exchange(fd);
	say("threads: %d", threads());
}

/* --- Everything is closed */

static void closed_range(void)
{
	int fd = connected();

	exchange(fd);
	say_result("close_range", close_range((unsigned)fd, (unsigned)fd, 0));
	tell_peer("until_end");
	say_result("write", write(fd, "x", 1));
	say_result("close_range", close_range(7, 5, 0));
	say_result("close_range", close_range(7, 8, 1 << 20));
	forget_peer_bytes();
	fd = connected();
	say_result("close_range", close_range((unsigned)fd, 899, CLOSE_RANGE_CLOEXEC));
	say("flags: %d", fcntl(fd, F_GETFD));
	exchange(fd);
	closefrom(fd);
	say_result("write", write(fd, "x", 1));
}

/* As daemons do it; then the process goes on, and has its connections as before. */
static void closed_one_by_one(void)
{
	int fd = connected();

	exchange(fd);
	for (int i = 3; i < 900; i++)
		close(i);
	for (int i = 902; i < 2000; i++)
		if (close(i) == 0)
			say("closed %d", i);
	tell_peer("until_end");
	forget_peer_bytes();
	fd = connected();
	exchange(fd);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void closed_by_range(void)
{
	int fd = connected();

	exchange(fd);
	say_result("close_range", close_range(3, 899, 0));
	say_result("close_range", close_range(902, ~0U, 0));
	tell_peer("until_end");
	forget_peer_bytes();
	fd = connected();
	exchange(fd);
}

/* Behind the library's back. */
static void closed_by_the_kernel(void)
{
	int fd = connected(), other;

	exchange(fd);
	/* A child without the program's descriptors. */
	if (fork() == 0) {
		syscall(SYS_close_range, 3U, 899U, 0U);
		syscall(SYS_close_range, 902U, ~0U, 0U);
		_exit(0);
	}
	NEED(wait(NULL) > 0);
	exchange(fd);
	other = (int)syscall(SYS_dup, fd);
	say_result("close", syscall(SYS_close, fd));
	exchange(other);
}

/* --- Flags */

static void blocking_flags(void)
{
	int fd = connected(), on = 1, off = 0;

	say("nonblocking %d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	say("access %d", fcntl(fd, F_GETFL) & O_ACCMODE);
	say_result("FIONBIO", ioctl(fd, FIONBIO, &on));
	say("nonblocking %d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	say_result("read", read(fd, room, 1));
	say_result("FIONBIO", ioctl(fd, FIONBIO, &off));
	say("nonblocking %d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	tell_peer_later("send 5");
	say_received("read", room, read(fd, room, 10));
	hear_peer();
	say_result("F_SETFL", fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
	say("flags %x", (unsigned)fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND | O_ASYNC));
	say_result("read", read(fd, room, 1));
	say_result("FIONBIO", ioctl(fd, FIONBIO, NULL));
	say_result("FIONREAD", ioctl(fd, FIONREAD, NULL));
	say_result("an unknown one", ioctl(fd, 0x5eed, NULL));
	say_result("not a terminal", isatty(fd));
	errno = 0;
	say_result("SIOCATMARK", ioctl(fd, SIOCATMARK, &on));
	say("mark %d", on);
}

static void exec_flags(void)
{
	int fd = connected();

	say("flags %d", fcntl(fd, F_GETFD));
	say_result("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC));
	say("flags %d", fcntl(fd, F_GETFD));
	say("copy %d", fcntl(dup(fd), F_GETFD));
	say_result("F_SETFD", fcntl(fd, F_SETFD, 0));
	say("flags %d", fcntl(fd, F_GETFD));
	say_result("FIOCLEX", ioctl(fd, FIOCLEX));
	say("flags %d", fcntl(fd, F_GETFD));
	say_result("FIONCLEX", ioctl(fd, FIONCLEX));
	say("flags %d", fcntl(fd, F_GETFD));
	close(fd);
	say("closed %d", fcntl(fd, F_GETFD));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	say("flags %d", fcntl(fd, F_GETFD));
}

static void options(void)
{
	static const struct {
		const char *name;
		int level, option, value;
	} rows[] = {
		{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "TCP_CORK", IPPROTO_TCP, TCP_CORK, 0 },
		{ "TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK, 1 },
		{ "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77 },
		{ "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 7 },
		{ "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 20000 },
		{ "TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384 },
		{ "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1 },
		{ "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 50000 },
		{ "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 50000 },
		{ "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 2 },
		{ "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1 },
		{ "IP_TOS", IPPROTO_IP, IP_TOS, 0x10 },
		{ "IP_TTL", IPPROTO_IP, IP_TTL, 55 },
	};
	int fd = connected(), value;
	socklen_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		value = rows[i].value;
		say_result(rows[i].name,
			setsockopt(fd, rows[i].level, rows[i].option, &value, sizeof(value)));
		value = -1;
		len = sizeof(value);
		say_result(
			rows[i].name, getsockopt(fd, rows[i].level, rows[i].option, &value, &len));
		say("value %d of %u", value, len);
	}
	exchange(fd);
}

static void asked_only(void)
{
	static const struct {
		const char *name;
		int option;
	} rows[] = { { "SO_TYPE", SO_TYPE }, { "SO_DOMAIN", SO_DOMAIN },
		{ "SO_PROTOCOL", SO_PROTOCOL }, { "SO_ACCEPTCONN", SO_ACCEPTCONN },
		{ "SO_ERROR", SO_ERROR } };
	struct tcp_info info = { 0 };
	struct sockaddr_in name;
	socklen_t len = sizeof(info);
	int fd = connected(), value;
	char byte = 77;

	say_result("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	say("state %d", info.tcpi_state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		len = sizeof(value);
		say_result(rows[i].name, getsockopt(fd, SOL_SOCKET, rows[i].option, &value, &len));
		say("value %d", value);
	}
	len = 1;
	say_result("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &byte, &len));
	say("byte %d of %u", byte, len);
	len = (socklen_t)-1;
	say_result("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
	say_result("unknown", getsockopt(fd, SOL_SOCKET, 9999, &value, &len));
	say_result("unknown", setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)));
	say_result("short", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 1));
	len = sizeof(name);
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&name, &len));
	say("family %d, length %u", name.sin_family, len);
	len = 3;
	say_result("getpeername", getpeername(fd, (struct sockaddr *)&name, &len));
	say("length %u", len);
	say_result("getsockname", getsockname(fd, NULL, NULL));
}

static void is_a_socket(void)
{
	struct stat status;
	char path[64], target[64];
	int fd = connected();
	ssize_t n;

	NEED(fstat(fd, &status) == 0);
	say("socket %d", S_ISSOCK(status.st_mode));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	say("link %.7s", n > 7 ? target : "none");
	say_result("lseek", lseek(fd, 0, SEEK_CUR));
	say_result("ftruncate", ftruncate(fd, 0));
	say_result("fsync", fsync(fd));
	say_result("mkdirat", mkdirat(fd, "x", 0700));
	exchange(fd);
}

/* --- SIGIO */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals = 1;
}

static void signal_driven(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t blocked, none;
	int fd = connected();

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGIO);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGIO, &action, NULL);
	say_result("F_SETOWN", fcntl(fd, F_SETOWN, getpid()));
	say("owner %d", fcntl(fd, F_GETOWN) == getpid());
	say_result("F_SETFL", fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
	tell_peer_later("send 10");
	while (signals == 0)
		sigsuspend(&none);
	hear_peer();
	receive_all(fd, 10, 10);
}

const struct test_case cases[] = {
	CASE(2, lowest_numbers, EVERYWHERE),
	CASE(2, no_threads, EVERYWHERE),
	CASE(25, asked_only, EVERYWHERE),
	CASE(25, is_a_socket, EVERYWHERE),
	CASE(26, options, EVERYWHERE),
	CASE(26, blocking_flags, EVERYWHERE),
	CASE(34, copies, EVERYWHERE),
	CASE(35, number_taken_over, EVERYWHERE),
	CASE(35, onto_another, EVERYWHERE),
	CASE(67, exec_flags, EVERYWHERE),
	CASE(72, closed_range, EVERYWHERE),
	CASE(72, closed_by_range, EVERYWHERE),
	CASE(73, closed_one_by_one, EVERYWHERE),
	CASE(73, closed_by_the_kernel, EVERYWHERE),
	CASE(130, signal_driven, EVERYWHERE),
	END_OF_CASES,
};
