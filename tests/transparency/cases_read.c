/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Receiving: sizes, parts, flags, and what is there when. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char room[200000];
/* Counts that the compiler is not to know. */
static volatile int negative = -1, too_many = IOV_MAX + 1;

static void take(int fd, size_t len)
{
	ready_for(fd, POLLIN);
	say_received("read", room, read(fd, room, len));
}

static void sizes(void)
{
	static const size_t sizes[] = { 1, 2, 100, 4096, 16383, 16384, 16385, 100000, 1 << 20 };
	int fd = connected();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		tell_peer_later("send %zu", sizes[i]);
		receive_all(fd, sizes[i], sizes[i]);
		hear_peer();
	}
	tell_peer("close");
	receive_to_end(fd);
	say_result("close", close(fd));
}

static void odd_parts(void)
{
	static const size_t parts[] = { 1, 7, 1000, 5000, 16383, 16385, 40000 };
	int fd = connected();

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		tell_peer_later("send 50001");
		receive_all(fd, 50001, parts[i]);
		hear_peer();
	}
}

static void end_repeats(void)
{
	int fd = connected();

	tell_peer("send 10");
	tell_peer("half_close");
	receive_all(fd, 10, 10);
	for (int i = 0; i < 3; i++)
		take(fd, 1);
}

/* What is not all there is not there. */
static void partial_record(void)
{
	int fd = connected();

	for (int i = 0; i < 2; i++) {
		tell_peer("partial 100 %d", i == 0 ? 1 : 100);
		for (int j = 0; j < 2; j++)
			say_result("recv", recv(fd, room, 200, MSG_DONTWAIT));
		tell_peer("rest");
		take(fd, 200);
	}
	say_result("recv", recv(fd, room, 200, MSG_DONTWAIT));
}

static void partial_record_awaited(void)
{
	int fd = connected();

	tell_peer("partial 20000 10");
	tell_peer_later("rest");
	receive_all(fd, 20000, 30000);
	hear_peer();
}

/* No short count at the edges of records. */
static void whole_queue(void)
{
	int fd = connected();

	ask_peer("record 512");
	tell_peer("send 5000");
	take(fd, 6000);
	tell_peer("send 5000");
	take(fd, 4999);
	take(fd, 4999);
	tell_peer("send 5000");
	take(fd, 700);
	take(fd, 6000);
}

static void one_by_one(void)
{
	int fd = connected();

	tell_peer("send 16384");
	for (int i = 0; i < 16384; i++) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		NEED(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLIN);
		NEED(read(fd, room, 1) == 1 && (uint8_t)room[0] == pattern_at((uint64_t)i));
	}
	say_result("recv", recv(fd, room, 1, MSG_DONTWAIT));
}

static void peek(void)
{
	int fd = connected();

	say_result("peek", recv(fd, room, 10, MSG_PEEK | MSG_DONTWAIT));
	tell_peer("send 100");
	tell_peer("send 20000");
	for (int i = 0; i < 3; i++) {
		static const size_t lens[] = { 10, 150, 30000 };
		ssize_t n;

		ready_for(fd, POLLIN);
		n = recv(fd, room, lens[i], MSG_PEEK);
		say("peek %zu: %s", lens[i],
			n <= (ssize_t)lens[i] && n >= 10 &&
					pattern_match((uint8_t *)room, (size_t)n, 0) == (size_t)n
				? "right"
				: "wrong");
	}
	take(fd, 60);
	ready_for(fd, POLLIN);
	NEED(recv(fd, room, 40, MSG_PEEK) == 40);
	receive_all(fd, 20040, 30000);
	tell_peer("half_close");
	for (int i = 0; i < 2; i++) {
		ready_for(fd, POLLIN);
		say_result("peek", recv(fd, room, 10, MSG_PEEK));
	}
	take(fd, 10);
}

/* Over the edge of records: as much as there is. */
static void peek_over_edges(void)
{
	int fd = connected();

	for (int i = 0; i < 4; i++)
		tell_peer("send 100");
	for (int i = 0; i < 2; i++) {
		ready_for(fd, POLLIN);
		say_result("peek", recv(fd, room, 1000, MSG_PEEK));
	}
	take(fd, 50);
	ready_for(fd, POLLIN);
	say_result("peek", recv(fd, room, 1000, MSG_PEEK));
	take(fd, 1000);
}

static void dont_wait(void)
{
	int fd = connected();

	say_result("recv", recv(fd, room, 10, MSG_DONTWAIT));
	tell_peer("send 5");
	ready_for(fd, POLLIN);
	say_received("recv", room, recv(fd, room, 10, MSG_DONTWAIT));
	say_result("recv", recv(fd, room, 10, MSG_DONTWAIT));
	say("blocking: %d", (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
}

static void wait_all(void)
{
	int fd = connected();

	ask_peer("record 1000");
	tell_peer("send 3000");
	tell_peer_later("send 7000");
	say_received("recv", room, recv(fd, room, 10000, MSG_WAITALL));
	hear_peer();
	tell_peer("send 500");
	tell_peer_later("half_close");
	say_received("recv", room, recv(fd, room, 10000, MSG_WAITALL));
	hear_peer();
	say_received("recv", room, recv(fd, room, 10000, MSG_WAITALL));
}

static void wait_all_nonblocking(void)
{
	int fd = connected();

	tell_peer("send 300");
	ready_for(fd, POLLIN);
	say_received("recv", room, recv(fd, room, 1000, MSG_WAITALL));
	say_received("recv", room, recv(fd, room, 1000, MSG_WAITALL));
}

static void say_queued(int fd)
{
	int bytes = -1;

	say_result("FIONREAD", ioctl(fd, FIONREAD, &bytes));
	say("bytes: %d", bytes);
}

static void queued_bytes(void)
{
	int fd = connected();

	say_queued(fd);
	tell_peer("send 1000");
	await(fd, POLLIN);
	say_queued(fd);
	say_queued(fd);
	take(fd, 400);
	say_queued(fd);
	tell_peer("send 500");
	say_queued(fd);
	take(fd, 5000);
	say_queued(fd);
	tell_peer("half_close");
	say_queued(fd);
	take(fd, 10);
	say_queued(fd);
}

/* nginx: what FIONREAD has said is read, no more, and then the next wait has to end. */
static void queued_bytes_followed(void)
{
	int fd = connected(), bytes;
	size_t left = 100000;

	ask_peer("record 3000");
	tell_peer_later("send 100000");
	while (left > 0) {
		ssize_t n;

		await(fd, POLLIN);
		NEED(ioctl(fd, FIONREAD, &bytes) == 0);
		NEED(bytes > 0);
		n = read(fd, room, (size_t)bytes);
		NEED(n == bytes);
		left -= (size_t)n;
	}
	hear_peer();
	say_queued(fd);
}

static void receive_timeout(void)
{
	const struct timeval timeout = { 0, 60000 };
	struct timeval back = { 0, 0 };
	socklen_t len = sizeof(back);
	int fd = connected();

	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
	NEED(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0);
	say("timeout: %ld.%06ld", (long)back.tv_sec, (long)back.tv_usec);
	say_result("read", read(fd, room, 10));
	tell_peer("partial 100");
	say_result("read", read(fd, room, 10));
	tell_peer("rest");
	say_received("recv", room, recv(fd, room, 200, MSG_WAITALL));
	tell_peer_later("send 7");
	say_received("read", room, read(fd, room, 10));
	hear_peer();
}

static void errno_untouched(void)
{
	struct iovec iov = { room, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd pfd;
	int fd = connected(), value;

	tell_peer("send 50");
	await(fd, POLLIN);
	errno = 77;
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	NEED(poll(&pfd, 1, -1) == 1);
	say("poll: %d", errno);
	NEED(read(fd, room, 10) == 10);
	say("read: %d", errno);
	NEED(recv(fd, room, 10, 0) == 10);
	say("recv: %d", errno);
	NEED(recv(fd, room, 10, MSG_PEEK) == 10);
	say("peek: %d", errno);
	NEED(recvmsg(fd, &msg, 0) == 10);
	say("recvmsg: %d", errno);
	NEED(readv(fd, &iov, 1) == 10);
	say("readv: %d", errno);
	NEED(ioctl(fd, FIONREAD, &value) == 0 && value == 10);
	say("FIONREAD: %d", errno);
	NEED(write(fd, outgoing(10), 10) == 10);
	say("write: %d", errno);
	NEED(shutdown(fd, SHUT_WR) == 0);
	say("shutdown: %d", errno);
	NEED(close(fd) == 0);
	say("close: %d", errno);
}

static void scattered(void)
{
	struct iovec iov[IOV_MAX];
	size_t at = 0;
	int fd = connected();

	for (int i = 0; i < IOV_MAX; i++) {
		iov[i] = (struct iovec){ room + at, (size_t)(i % 5) * 10 };
		at += iov[i].iov_len;
	}
	tell_peer("send %zu", at + 100);
	ready_for(fd, POLLIN);
	say_received("readv", room, readv(fd, iov, IOV_MAX));
	take(fd, 200);
	tell_peer("send 15");
	iov[0] = (struct iovec){ NULL, 0 };
	iov[1] = (struct iovec){ room, 10 };
	iov[2] = (struct iovec){ room, 0 };
	iov[3] = (struct iovec){ room + 10, 10 };
	ready_for(fd, POLLIN);
	say_received("readv", room, readv(fd, iov, 4));
	say_result("readv", readv(fd, iov, negative));
	say_result("readv", readv(fd, iov, too_many));
	say_result("preadv", preadv(fd, iov + 1, 1, 0));
	say_result("pread", pread(fd, room, 1, 0));
	say_result("lseek", lseek(fd, 0, SEEK_SET));
}

static void nothing_asked_for(void)
{
	struct iovec none = { room, 0 };
	int fd = connected();

	say_result("read", read(fd, room, 0));
	say_result("readv", readv(fd, &none, 1));
	say_result("readv", readv(fd, &none, 0));
	say_result("recv", recv(fd, room, 0, MSG_DONTWAIT));
	tell_peer("send 5");
	await(fd, POLLIN);
	say_result("read", read(fd, room, 0));
	say_result("recv", recv(fd, room, 0, 0));
	take(fd, 10);
	tell_peer("half_close");
	await(fd, POLLIN);
	say_result("recv", recv(fd, room, 0, 0));
	take(fd, 10);
}

/* What else recvmsg() and recvfrom() fill in. */
static void message_fields(void)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	char control[64];
	struct iovec iov = { room, 100 };
	struct msghdr msg = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_flags = MSG_EOR };
	int fd = connected();

	tell_peer("send 20");
	ready_for(fd, POLLIN);
	say_received("recvmsg", room, recvmsg(fd, &msg, 0));
	say("name %u, control %zu, flags %x, family %d", msg.msg_namelen, msg.msg_controllen,
		(unsigned)msg.msg_flags, from.ss_family);
	tell_peer("send 20");
	ready_for(fd, POLLIN);
	say_received("recvfrom", room, recvfrom(fd, room, 100, 0, (struct sockaddr *)&from, &len));
	say("name %u, family %d", len, from.ss_family);
	tell_peer("half_close");
	ready_for(fd, POLLIN);
	msg.msg_namelen = sizeof(from);
	say_result("recvmsg", recvmsg(fd, &msg, 0));
	say("name %u, flags %x", msg.msg_namelen, (unsigned)msg.msg_flags);
}

static void many_messages(void)
{
	struct mmsghdr msg[3];
	struct iovec iov[3];
	int fd = connected();

	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ room + 10 * i, 10 };
		msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	tell_peer("send 25");
	ready_for(fd, POLLIN);
	say_result("recvmmsg", recvmmsg(fd, msg, 3, MSG_DONTWAIT, NULL));
	say("lengths %u %u %u", msg[0].msg_len, msg[1].msg_len, msg[2].msg_len);
	say_received("received", room, 25);
	say_result("recvmmsg", recvmmsg(fd, msg, 3, MSG_DONTWAIT, NULL));
	tell_peer("send 20");
	ready_for(fd, POLLIN);
	say_result("recvmmsg", recvmmsg(fd, msg, 2, MSG_WAITFORONE, NULL));
	say_received("received", room, 20);
	tell_peer("send 4");
	iov[0].iov_len = 4;
	ready_for(fd, POLLIN);
	say_result("preadv2", preadv2(fd, iov, 1, -1, 0));
	say_result("preadv2", preadv2(fd, iov, 1, -1, RWF_NOWAIT));
}

/* The checked forms that fortified programs call, and by number. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room_len);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room_len, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room_len, int flags,
	struct sockaddr *addr, socklen_t *addr_len);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room_len);

static void checked_forms(void)
{
	struct pollfd pfd;
	int fd = connected(), status;
	pid_t child;

	tell_peer("send 40");
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	say_result("poll", __poll_chk(&pfd, 1, -1, sizeof(pfd)));
	say_received("read", room, __read_chk(fd, room, 10, 10));
	say_received("recv", room, __recv_chk(fd, room, 10, 10, 0));
	say_received("recvfrom", room, __recvfrom_chk(fd, room, 10, 10, 0, NULL, NULL));
	child = fork();
	if (child == 0) {
		close(STDERR_FILENO);
		__read_chk(fd, room, 10, 9);
		_exit(0);
	}
	NEED(waitpid(child, &status, 0) == child);
	say("overflow: signal %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	take(fd, 100);
}

static void by_number(void)
{
	struct iovec iov = { room, 10 };
	int fd = connected();

	tell_peer("send 30");
	ready_for(fd, POLLIN);
	say_received("read", room, syscall(SYS_read, fd, room, 10));
	say_received("recvfrom", room, syscall(SYS_recvfrom, fd, room, 10, 0, NULL, NULL));
	say_received("readv", room, syscall(SYS_readv, fd, &iov, 1));
	say_result("write", syscall(SYS_write, fd, outgoing(10), 10));
	say_result("sendto", syscall(SYS_sendto, fd, outgoing(10), 10, 0, NULL, 0));
	tell_peer("recv 20");
	say_result("shutdown", syscall(SYS_shutdown, fd, SHUT_WR));
	tell_peer("until_end");
	say_result("close", syscall(SYS_close, fd));
	say_result("close", syscall(SYS_close, fd));
	say_result("a number there is not", syscall(9999, 1, 2, 3, 4, 5, 6));
}

const struct test_case cases[] = {
	CASE(1, sizes, EVERYWHERE),
	CASE(1, odd_parts, EVERYWHERE),
	CASE(11, end_repeats, EVERYWHERE),
	CASE(15, partial_record, EVERYWHERE),
	CASE(15, partial_record_awaited, EVERYWHERE),
	CASE(17, whole_queue, EVERYWHERE),
	CASE(18, one_by_one, EVERYWHERE),
	CASE(27, errno_untouched, EVERYWHERE),
	CASE(48, scattered, EVERYWHERE),
	CASE(48, nothing_asked_for, EVERYWHERE),
	CASE(48, message_fields, EVERYWHERE),
	CASE(50, peek, EVERYWHERE),
	CASE(50, peek_over_edges, EVERYWHERE),
	CASE(52, dont_wait, EVERYWHERE),
	CASE(53, wait_all, ANY_ROLE | BLOCKING),
	CASE(53, wait_all_nonblocking, ANY_ROLE | NONBLOCKING),
	CASE(54, queued_bytes, EVERYWHERE),
	CASE(54, queued_bytes_followed, EVERYWHERE),
	CASE(55, receive_timeout, ANY_ROLE | BLOCKING),
	CASE(75, by_number, EVERYWHERE),
	CASE(77, checked_forms, EVERYWHERE),
	CASE(126, many_messages, EVERYWHERE),
	END_OF_CASES,
};
