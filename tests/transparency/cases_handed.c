/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection that is handed to another program, or another process. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK "a=$(head -c 5); printf \"got $a\""

extern char **environ;

static void say_child(pid_t pid)
{
	int status = 0;

	need(waitpid(pid, &status, 0) == pid, "waitpid");
	say("the child: %s %d", WIFEXITED(status) ? "exit" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void talk_and_end(void)
{
	tell_peer("text hello");
	tell_peer("read_text 9");
	tell_peer("text_until_end");
}

/* 33: the classic inetd: 0, 1 and 2, and the program. */
static void inetd(void)
{
	int fd = connected();
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		NEED(dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2 && close(fd) == 0);
		execl("/bin/sh", "sh", "-c", ASK, NULL);
		_exit(127);
	}
	say_result("close", close(fd));
	talk_and_end();
	say_child(child);
}

/* 33: the other way to write it. */
static void inetd_by_dup(void)
{
	int fd = connected();
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		close(0);
		NEED(dup(fd) == 0);
		close(1);
		NEED(fcntl(0, F_DUPFD, 0) == 1 && close(fd) == 0);
		execlp("sh", "sh", "-c", ASK, NULL);
		_exit(127);
	}
	say_result("close", close(fd));
	talk_and_end();
	say_child(child);
}

/* 33: accepted, not used, and the handshake is left to whom it is handed to. */
static void inetd_unused(void)
{
	int fd = connected_unused();
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		NEED(dup2(fd, 0) == 0 && dup2(0, 1) == 1 && close(fd) == 0);
		execl("/bin/sh", "sh", "-c", ASK, NULL);
		_exit(127);
	}
	say_result("close", close(fd));
	tell_peer("ready");
	talk_and_end();
	say_child(child);
}

/* 35, 65: libc's own streams on it, in the same process. */
static void streams(void)
{
	int fd = connected();
	pid_t child = fork();
	char line[6] = "";

	NEED(child >= 0);
	if (child == 0) {
		NEED(dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && close(fd) == 0);
		NEED(fread(line, 1, 5, stdin) == 5);
		NEED(printf("got %s", line) == 9 && fflush(stdout) == 0);
		NEED(fgetc(stdin) == EOF && feof(stdin));
		exit(0);
	}
	say_result("close", close(fd));
	tell_peer("text hello");
	tell_peer("read_text 9");
	tell_peer("half_close");
	tell_peer("text_until_end");
	say_child(child);
}

/* 35: and in the only process there is, which goes on with both numbers. */
static void streams_alone(void)
{
	int saved = dup(1), fd = connected(), r;
	char text[6] = "";

	r = dup2(fd, 1);
	NEED(r == 1 && printf("first ") == 6 && fflush(stdout) == 0);
	NEED(write(fd, "second ", 7) == 7);
	NEED(printf("third") == 5 && fflush(stdout) == 0);
	NEED(dup2(saved, 1) == 1);
	tell_peer("read_text 18");
	tell_peer("text hello");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, 5));
	say("%s", text);
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

/* 35: onto the number of a stream that is open already. */
static void stream_redirected(void)
{
	FILE *log = fopen("/dev/null", "w");
	int fd = connected();

	NEED(log != NULL && fputs("nowhere", log) >= 0 && fflush(log) == 0);
	say_result("dup2", dup2(fd, fileno(log)) == fileno(log));
	NEED(fputs("by the stream", log) >= 0 && fflush(log) == 0);
	tell_peer("read_text 13");
	say_result("write", write(fd, ", by us", 7));
	say_result("fclose", fclose(log));
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

/* 35: 0 was closed, so the connection is there by itself. */
static int connected_at_0(void)
{
	uint16_t port;
	int fd, listener;

	if (is_client) {
		close(0);
		fd = connected();
	} else {
		listener = listening_socket(&port);
		peer_connects(listener);
		close(0);
		fd = accept(listener, NULL, NULL);
	}
	NEED(fd == 0);
	return fd;
}

static void low_number(void)
{
	char text[6] = "";
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		int fd;

		fd = connected_at_0();
		tell_peer("text hello");
		ready_for(fd, POLLIN);
		NEED(read(fd, text, 5) == 5 && write(fd, "got it 00", 9) == 9);
		tell_peer("read_text 9");
		say_result("close", close(fd));
		tell_peer("text_until_end");
		fflush(stdout);
		_exit(0);
	}
	say_child(child);
}

static void low_number_stream(void)
{
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		connected_at_0();
		tell_peer("text h");
		say_result("fgetc", fgetc(stdin));
		fflush(stdout);
		_exit(0);
	}
	say_child(child);
}

/* 67: what is not handed on ends with exec(), in good order. */
static void exec_ends(void)
{
	int fd = connected();
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		NEED(write(fd, "last words", 10) == 10);
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	say_result("close", close(fd));
	say_child(child);
	tell_peer("text_until_end");
}

/* 67: exec() that fails changes nothing. */
static void exec_fails(void)
{
	int fd = connected();
	char text[6] = "";

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	say_result("execl", execl("/nonexistent", "no", NULL));
	say_result("execlp", execlp("no-such-program-anywhere", "no", NULL));
	tell_peer("text hello");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, 5));
	say_result("write", write(fd, text, 5));
	tell_peer("read_text 5");
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

/* 68: the parent goes on. */
static void vfork_child(void)
{
	int fd = connected();
	char text[6] = "";
	pid_t child = vfork();

	NEED(child >= 0);
	if (child == 0) {
		dup2(fd, 1);
		close(fd);
		execl("/usr/bin/printf", "printf", "from the child, ", NULL);
		_exit(127);
	}
	say_child(child);
	say_result("write", write(fd, "from the parent", 15));
	tell_peer("read_text 31");
	tell_peer("text hello");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, 5));
	say("%s", text);
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

/* 69 */
static void spawned(void)
{
	char *argv[] = { "sh", "-c", ASK, NULL };
	posix_spawn_file_actions_t actions;
	int fd = connected();
	pid_t child;

	NEED(posix_spawn_file_actions_init(&actions) == 0);
	say_result("adddup2", posix_spawn_file_actions_adddup2(&actions, fd, 0));
	say_result("adddup2", posix_spawn_file_actions_adddup2(&actions, fd, 1));
	say_result("addclose", posix_spawn_file_actions_addclose(&actions, fd));
	say_result("addclosefrom", posix_spawn_file_actions_addclosefrom_np(&actions, 3));
	say_result("posix_spawnp", posix_spawnp(&child, "sh", &actions, NULL, argv, environ));
	posix_spawn_file_actions_destroy(&actions);
	say_result("close", close(fd));
	talk_and_end();
	say_child(child);
}

/* 70: a number above 2, handed on by taking FD_CLOEXEC from it. */
static void handed_on_purpose(void)
{
	char command[80];
	int fd = connected();
	pid_t child = fork();

	NEED(child >= 0);
	if (child == 0) {
		NEED(fcntl(fd, F_SETFD, 0) == 0);
		snprintf(command, sizeof(command), "exec 0<&%d 1>&%d; " ASK, fd, fd);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	say_result("close", close(fd));
	talk_and_end();
	say_child(child);
}

/* 70 */
static void by_system(void)
{
	char command[80];
	int fd = connected();

	NEED(ioctl(fd, FIONCLEX) == 0);
	snprintf(command, sizeof(command), "printf 'by the shell, ' >&%d", fd);
	say_result("system", system(command));
	say_result("write", write(fd, "by us", 5));
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

/* --- 88 */

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

static void pass(int socket, int fd)
{
	struct iovec iov = { "x", 1 };
	union control control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	say_result("sendmsg", sendmsg(socket, &msg, 0));
}

static int take(int socket)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd = -1;

	NEED(recvmsg(socket, &msg, 0) == 1 && msg.msg_controllen >= CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

/* Both ends have the addresses that the passed connection has. */
static bool same_addresses(int fd, const struct sockaddr_in *peer, const struct sockaddr_in *self)
{
	struct sockaddr_in a = { 0 }, b = { 0 };
	socklen_t a_len = sizeof(a), b_len = sizeof(b);
	int domain = 0, nodelay = 1;
	socklen_t len = sizeof(domain);

	NEED(getpeername(fd, (struct sockaddr *)&a, &a_len) == 0 && a_len == sizeof(a));
	NEED(getsockname(fd, (struct sockaddr *)&b, &b_len) == 0 && b_len == sizeof(b));
	NEED(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET);
	NEED(setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &nodelay, sizeof(nodelay)) == 0);
	return memcmp(&a, peer, sizeof(a)) == 0 && memcmp(&b, self, sizeof(b)) == 0;
}

static void passed_on(void)
{
	int fd = connected(), pair[2];
	struct sockaddr_in peer = { 0 }, self = { 0 };
	socklen_t peer_len = sizeof(peer), self_len = sizeof(self);
	char text[6] = "";
	pid_t child;

	NEED(getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0);
	NEED(getsockname(fd, (struct sockaddr *)&self, &self_len) == 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	child = fork();
	NEED(child >= 0);
	if (child == 0) {
		close(fd);
		fd = take(pair[1]);
		NEED(same_addresses(fd, &peer, &self));
		ready_for(fd, POLLIN);
		NEED(read(fd, text, 5) == 5 && strcmp(text, "hello") == 0);
		NEED(write(fd, "got hello", 9) == 9 && close(fd) == 0);
		_exit(0);
	}
	pass(pair[0], fd);
	say_result("close", close(fd));
	tell_peer("text hello");
	tell_peer("read_text 9");
	say_child(child);
	tell_peer("text_until_end");
}

/* 88: what is passed on, and never received. */
static void passed_in_vain(void)
{
	int fd = connected(), pair[2];
	char text[6] = "";

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pass(pair[0], fd);
	close(pair[0]);
	close(pair[1]);
	say_result("write", write(fd, "still ours", 10));
	tell_peer("read_text 10");
	tell_peer("text hello");
	ready_for(fd, POLLIN);
	say_result("read", read(fd, text, 5));
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

const struct test_case cases[] = {
	CASE(33, inetd, ANY_ROLE | BLOCKING),
	CASE(33, inetd_by_dup, ANY_ROLE | BLOCKING),
	CASE(33, inetd_unused, SERVER | BLOCKING),
	CASE(35, streams, ANY_ROLE | BLOCKING),
	CASE(35, streams_alone, EVERYWHERE),
	CASE(35, low_number, ANY_ROLE | BLOCKING),
	CASE(35, stream_redirected, EVERYWHERE),
	DIFFERS(35, low_number_stream, ANY_ROLE | BLOCKING,
		"peer: text h: ok\nfgetc: EBADF\nthe child: exit 0\ndone\n",
		"libc's stream reads and writes inside libc, so it finds its descriptor closed"),
	CASE(67, exec_ends, EVERYWHERE),
	CASE(67, exec_fails, EVERYWHERE),
	CASE(68, vfork_child, EVERYWHERE),
	CASE(69, spawned, ANY_ROLE | BLOCKING),
	CASE(70, handed_on_purpose, ANY_ROLE | BLOCKING),
	CASE(70, by_system, EVERYWHERE),
	CASE(88, passed_on, EVERYWHERE),
	CASE(88, passed_in_vain, EVERYWHERE),
	END_OF_CASES,
};
