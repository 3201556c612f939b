/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages and vectors, and what is none. */
#include "harness.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static uint8_t room[100000];

/* --- What a message says besides its bytes */

static void say_message(const char *call, ssize_t n, const struct msghdr *msg)
{
	say_received(call, room, n);
	say("name %u, control %zu, flags %x", msg->msg_namelen, msg->msg_controllen,
		(unsigned)msg->msg_flags);
}

static struct msghdr *message(struct msghdr *msg, bool with_name, bool with_control)
{
	static struct iovec iov = { room, 100 };
	static struct sockaddr_storage name;
	static char control[256];

	*msg = (struct msghdr){ .msg_name = with_name ? &name : NULL,
		.msg_namelen = sizeof(name),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = with_control ? control : NULL,
		.msg_controllen = with_control ? sizeof(control) : 0,
		.msg_flags = -1 };
	return msg;
}

/* 129 */
static void message_fields(void)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	struct msghdr msg;
	int fd = connected();

	for (int i = 0; i < 4; i++) {
		tell_peer("send 100");
		ready_for(fd, POLLIN);
		say_message(
			"recvmsg", recvmsg(fd, message(&msg, (i & 1) != 0, (i & 2) != 0), 0), &msg);
	}
	tell_peer("send 200");
	queued(fd, 200);
	say_message("recvmsg", recvmsg(fd, message(&msg, true, true), MSG_CMSG_CLOEXEC), &msg);
	say_result("recvmsg", recvmsg(fd, message(&msg, true, true), MSG_TRUNC));
	say("name %u, control %zu, flags %x", msg.msg_namelen, msg.msg_controllen,
		(unsigned)msg.msg_flags);
	say_result("recvmsg", recvmsg(fd, message(&msg, true, true), MSG_DONTWAIT));
	say("name %u, control %zu, flags %x", msg.msg_namelen, msg.msg_controllen,
		(unsigned)msg.msg_flags);
	tell_peer("send 10");
	ready_for(fd, POLLIN);
	say_received("recvfrom", room, recvfrom(fd, room, 10, 0, (struct sockaddr *)&name, &len));
	say("name %u", len);
	say_result("recvmsg of errors", recvmsg(fd, message(&msg, true, true), MSG_ERRQUEUE));
	say_result("recv of errors", recv(fd, room, 10, MSG_ERRQUEUE));
	say_result("recv urgent", recv(fd, room, 10, MSG_OOB));
	tell_peer("close");
	ready_for(fd, POLLIN);
	say_message("recvmsg", recvmsg(fd, message(&msg, true, true), 0), &msg);
}

/* 126 */
static void several_messages(void)
{
	struct iovec iov[4];
	struct mmsghdr messages[4] = { 0 };
	struct timespec time = { .tv_sec = 20 };
	int fd = connected();

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ room + i * 10, 10 };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	tell_peer("send 40");
	queued(fd, 40);
	say_result("recvmmsg", recvmmsg(fd, messages, 4, 0, NULL));
	say_received("in all", room,
		messages[0].msg_len + messages[1].msg_len + messages[2].msg_len +
			messages[3].msg_len);
	tell_peer("send 15");
	queued(fd, 15);
	say_result("recvmmsg", recvmmsg(fd, messages, 4, MSG_WAITFORONE, &time));
	say_received("in all", room, messages[0].msg_len + messages[1].msg_len);
	say("time is left: %d", time.tv_sec > 0 || time.tv_nsec > 0);
	say_result("recvmmsg", recvmmsg(fd, messages, 4, MSG_DONTWAIT, NULL));
	say_result("recvmmsg of none", recvmmsg(fd, messages, 0, MSG_DONTWAIT, NULL));
	time = (struct timespec){ .tv_nsec = -1 };
	say_result("recvmmsg", recvmmsg(fd, messages, 4, MSG_DONTWAIT, &time));
	tell_peer("send 15");
	queued(fd, 15);
	time = (struct timespec){ 0 };
	say_result("recvmmsg in no time", recvmmsg(fd, messages, 4, 0, &time));
	say("time %ld.%ld", (long)time.tv_sec, time.tv_nsec);
	tell_peer("close");
	await(fd, POLLRDHUP);
	say_result("recvmmsg", recvmmsg(fd, messages, 4, 0, NULL));
	say("%u %u %u", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
	say_result("recvmmsg", recvmmsg(fd, messages, 4, 0, NULL));
}

/* 126 */
static void sends_several(void)
{
	struct iovec iov[3];
	struct mmsghdr messages[3] = { 0 };
	int fd = connected();

	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ outgoing(10), 10 };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
		iov[i].iov_base = memcpy(room + i * 10, iov[i].iov_base, 10);
	}
	say_result("sendmmsg", sendmmsg(fd, messages, 3, 0));
	say("%u %u %u", messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
	tell_peer("recv 30");
	say_result("sendmmsg of none", sendmmsg(fd, messages, 0, 0));
	messages[1].msg_hdr.msg_iovlen = 5000;
	iov[0] = (struct iovec){ outgoing(10), 10 };
	say_result("sendmmsg", sendmmsg(fd, messages, 3, 0));
	say_result("sendmmsg", sendmmsg(fd, messages + 1, 2, 0));
	tell_peer("recv 10");
}

/* --- What is no buffer, no length, no descriptor */

/* Values that a compiler would warn of. */
static void *volatile null, *volatile beyond = (void *)-1L;
static volatile size_t too_much = (size_t)-1, more_than_signed = (size_t)SSIZE_MAX + 1;
static volatile int minus_one = -1;

static uint8_t *no_memory(int protection)
{
	uint8_t *pages =
		mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(pages != MAP_FAILED);
	NEED(mprotect(pages + 4096, 4096, protection) == 0 && munmap(pages + 8192, 8192) == 0);
	return pages + 4096;
}

/* 126: nothing is lost by a call that fails */
static void no_buffer_to_fill(void)
{
	uint8_t *none = no_memory(PROT_NONE), *read_only = no_memory(PROT_READ);
	struct iovec parts[] = { { room, 10 }, { none, 10 } };
	struct msghdr msg = { .msg_iov = (struct iovec *)none, .msg_iovlen = 1 };
	int fd = connected();

	say_result("nothing there", recv(fd, none, 100, MSG_DONTWAIT));
	tell_peer("send 100");
	queued(fd, 100);
	say_result("read", read(fd, none, 100));
	say_result("read", read(fd, null, 100));
	say_result("read", read(fd, beyond, 100));
	say_result("recv", recv(fd, none, 100, 0));
	say_result("recv", recv(fd, read_only, 100, 0));
	say_result("recv unmapped", recv(fd, none + 4096, 100, 0));
	say_result("peek", recv(fd, none, 100, MSG_PEEK));
	say_result("readv of nowhere", readv(fd, (struct iovec *)none, 1));
	say_result("recvmsg of nowhere", recvmsg(fd, &msg, 0));
	say_result("recvmsg", recvmsg(fd, (struct msghdr *)none, 0));
	parts[0].iov_len = 0;
	say_result("readv", readv(fd, parts, 2));
	say_result("queue", ioctl(fd, FIONREAD, none));
	receive_all(fd, 100, 100);
	tell_peer("send 40000");
	queued(fd, 40000);
	say_result("recv of much", recv(fd, none, 40000, 0));
	receive_all(fd, 40000, 40000);
	tell_peer("close");
	ready_for(fd, POLLIN);
	say_result("recv at the end", recv(fd, none, 100, 0));
}

/* 126 */
static void no_buffer_to_send(void)
{
	uint8_t *none = no_memory(PROT_NONE);
	struct iovec parts[] = { { none, 10 } };
	struct msghdr msg = { .msg_iov = (struct iovec *)none, .msg_iovlen = 1 };
	struct mmsghdr *messages = (struct mmsghdr *)none;
	int fd = connected();

	say_result("write", write(fd, none, 100));
	say_result("write", write(fd, null, 100));
	say_result("write", write(fd, beyond, 100));
	say_result("send unmapped", send(fd, none + 4096, 100, 0));
	say_result("writev", writev(fd, parts, 1));
	say_result("writev of nowhere", writev(fd, (struct iovec *)none, 1));
	say_result("sendmsg of nowhere", sendmsg(fd, &msg, 0));
	say_result("sendmsg", sendmsg(fd, (struct msghdr *)none, 0));
	say_result("sendmmsg", sendmmsg(fd, messages, 1, 0));
	NEED(send_all(fd, 100));
	tell_peer("recv 100");
}

/* 126 */
static void no_address(void)
{
	struct sockaddr *none = (struct sockaddr *)no_memory(PROT_NONE);
	struct sockaddr_in at = { 0 };
	int listener = listening_socket(NULL), fd = client_socket(), error = -1;
	socklen_t len = sizeof(at), long_one = 1000;

	say_result("connect nowhere", connect(fd, none, sizeof(at)));
	say_result("connect to much", connect(fd, (struct sockaddr *)room, long_one));
	close(fd);
	peer_connects(listener);
	say_result("accept into nothing", accept(listener, none, &len));
	peer_connects(listener);
	say_result("accept with no length",
		accept(listener, (struct sockaddr *)&at, (socklen_t *)none));
	fd = connected();
	say_result("SO_ERROR into nothing", getsockopt(fd, SOL_SOCKET, SO_ERROR, none, &len));
	len = sizeof(error);
	say_result("SO_ERROR of no length",
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, (socklen_t *)none));
	say_result("peer's name into nothing", getpeername(fd, none, &len));
	say_result("linger from nothing", setsockopt(fd, SOL_SOCKET, SO_LINGER, none, 8));
	say_result("low water from nothing", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, none, 4));
	NEED(send_all(fd, 10));
	tell_peer("recv 10");
}

/* 48 */
static void odd_lengths(void)
{
	static struct iovec parts[2000];
	int fd = connected();

	for (int i = 0; i < 2000; i++)
		parts[i] = (struct iovec){ room + i, 1 };
	say_result("write too much", write(fd, room, too_much));
	say_result("read too much", read(fd, room, too_much));
	say_result("recv too much", recv(fd, room, more_than_signed, MSG_DONTWAIT));
	say_result("writev of none", writev(fd, parts, 0));
	say_result("writev of -1", writev(fd, parts, minus_one));
	say_result("writev of 1025", writev(fd, parts, 1025));
	say_result("readv of none", readv(fd, parts, 0));
	say_result("readv of 1025", readv(fd, parts, 1025));
	say_result("preadv2 of none", preadv2(fd, parts, 0, -1, 0));
	say_result("pwritev2 of none", pwritev2(fd, parts, 0, -1, 0));
	say_result("pwritev2 with odd flags", pwritev2(fd, parts, 1, -1, 0x40000000));
	say_result("preadv2 with odd flags", preadv2(fd, parts, 1, -1, 0x40000000));
	/* Each kernel knows more of them. */
	for (int flag = 0x10; flag <= 0x800; flag *= 2)
		say_result("preadv2 with a flag", preadv2(fd, parts, 1, -1, flag | RWF_NOWAIT));
	for (int flag = 0x20; flag <= 0x800; flag *= 2)
		say_result("pwritev2 of no length", pwritev2(fd, parts, 0, -1, flag));
	parts[1].iov_len = too_much;
	say_result("writev of a negative part", writev(fd, parts, 2));
	say_result("readv of a negative part", readv(fd, parts, 2));
	parts[1].iov_len = 0;
	for (int i = 2; i < 1024; i++)
		parts[i].iov_base = room + i - 1;
	tell_peer("send 1023");
	queued(fd, 1023);
	say_received("readv of 1024", room, readv(fd, parts, 1024));
	memcpy(room, outgoing(1023), 1023);
	say_result("writev of 1024", writev(fd, parts, 1024));
	tell_peer("recv 1023");
	say_result("write of nothing", write(fd, room, 0));
	say_result("send of nothing", send(fd, room, 0, 0));
	say_result("read of nothing", read(fd, room, 0));
	say_result("read of -1", read(-1, room, 1));
	say_result("write of -1", write(-1, room, 1));
	say_result("recv of a large number", recv(1 << 24, room, 1, 0));
	say_result("send of a large number", send(INT_MAX, room, 1, 0));
}

const struct test_case cases[] = {
	CASE(129, message_fields, EVERYWHERE),
	CASE(126, several_messages, EVERYWHERE),
	CASE(126, sends_several, EVERYWHERE),
	CASE(126, no_buffer_to_fill, EVERYWHERE),
	CASE(126, no_buffer_to_send, EVERYWHERE),
	CASE(126, no_address, EVERYWHERE),
	CASE(48, odd_lengths, EVERYWHERE),
	END_OF_CASES,
};
