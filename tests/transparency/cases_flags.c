/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flags of the receiving calls, and what they say besides bytes. */
#include "harness.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static uint8_t room[100000];

static short poll_now(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	NEED(poll(&pfd, 1, 0) >= 0);
	return pfd.revents;
}

/* How many bytes are there to be read, once it is at least `least`. */
static int queued(int fd, int least)
{
	int have = -1;

	for (;;) {
		NEED(ioctl(fd, FIONREAD, &have) == 0);
		if (have >= least)
			return have;
		poll(NULL, 0, 1);
	}
}

/* What was seen of the stream from its place `from` on. */
static void say_seen(const char *call, const void *buf, ssize_t n, uint64_t from)
{
	size_t good = n > 0 ? pattern_match(buf, (size_t)n, from) : 0;

	if (n > 0 && good != (size_t)n)
		say("%s: %zd, of which byte %zu is wrong", call, n, good);
	else
		say_result(call, n);
}

/* --- MSG_PEEK */

static void peek_and_read(int fd, size_t total)
{
	static const size_t sizes[] = { 1, 100, 4999, 5000, 5001, 16384, 36864, 40000, 100000 };

	say("queued %d", queued(fd, (int)total));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char call[64];

		snprintf(call, sizeof(call), "peek at %zu", sizes[i]);
		memset(room, 0, sizeof(room));
		say_seen(call, room, recv(fd, room, sizes[i], MSG_PEEK), 0);
		snprintf(call, sizeof(call), "count %zu", sizes[i]);
		say_result(call, recv(fd, NULL, sizes[i], MSG_PEEK | MSG_TRUNC));
	}
	receive_all(fd, total / 2, 3000);
	say("queued %d", queued(fd, (int)(total - total / 2)));
	say_seen("peek at the rest", room, recv(fd, room, sizeof(room), MSG_PEEK), total / 2);
	receive_all(fd, total - total / 2, 70000);
	say("queued %d", queued(fd, 0));
	say_result("peek at nothing", recv(fd, room, 1, MSG_PEEK | MSG_DONTWAIT));
}

/* 50 */
static void peek_records(void)
{
	int fd = connected();

	for (int i = 0; i < 10; i++)
		tell_peer("send 5000");
	peek_and_read(fd, 50000);
}

/* 50: far more records than their plaintext would need */
static void peek_small_records(void)
{
	int fd = connected();

	for (int i = 0; i < 1500; i++)
		ask_peer("send 7");
	peek_and_read(fd, 10500);
}

/* 50 */
static void peek_over_updates(void)
{
	int fd = connected();

	for (int i = 0; i < 3; i++) {
		tell_peer("send 1000");
		ask_peer("key_update");
		if (is_client)
			ask_peer("ticket");
		tell_peer("send 1000");
	}
	peek_and_read(fd, 6000);
}

/* 50 */
static void peek_parts(void)
{
	struct iovec parts[] = { { room, 10 }, { room + 10, 0 }, { room + 10, 990 },
		{ room + 1000, 4000 }, { room + 5000, 4000 } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 5 };
	int fd = connected();

	tell_peer("send 3000");
	tell_peer("send 3000");
	queued(fd, 6000);
	say_seen("peek", room, recvmsg(fd, &msg, MSG_PEEK), 0);
	say_seen("peek again", room, recvmsg(fd, &msg, MSG_PEEK), 0);
	memset(room, 0, 6000);
	say_received("recvmsg", room, recvmsg(fd, &msg, 0));
}

/* 50 */
static void peek_all(void)
{
	int fd = connected();

	tell_peer("send 1000");
	queued(fd, 1000);
	tell_peer_later("send 2000");
	say_seen("peek at all", room, recv(fd, room, 3000, MSG_PEEK | MSG_WAITALL), 0);
	hear_peer();
	tell_peer_later("half_close");
	say_seen("peek at more", room, recv(fd, room, 4000, MSG_PEEK | MSG_WAITALL), 0);
	hear_peer();
	say_seen("peek at more", room, recv(fd, room, 4000, MSG_PEEK | MSG_WAITALL), 0);
	receive_all(fd, 4000, 4000);
	say_result("peek at the end", recv(fd, room, 10, MSG_PEEK | MSG_WAITALL));
	say_result("peek at the end", recv(fd, room, 10, MSG_PEEK));
}

/* 51 */
static void peek_at_the_end(void)
{
	int fd = connected();

	say_result("peek", recv(fd, room, 1, MSG_PEEK | MSG_DONTWAIT));
	tell_peer("send 10");
	tell_peer("half_close");
	await(fd, POLLRDHUP);
	say_seen("peek", room, recv(fd, room, 100, MSG_PEEK), 0);
	receive_all(fd, 10, 10);
	ready_for(fd, POLLIN);
	say_result("peek", recv(fd, room, 1, MSG_PEEK));
	say_result("read", recv(fd, room, 1, 0));
}

/* --- MSG_TRUNC, MSG_WAITALL */

/* 123 */
static void discard(void)
{
	int fd = connected();

	tell_peer("send 100");
	tell_peer("send 40000");
	queued(fd, 40100);
	memset(room, 'x', sizeof(room));
	say_result("discard", recv(fd, room, 10, MSG_TRUNC));
	say_result("discard nowhere", recv(fd, NULL, 1000, MSG_TRUNC));
	say_result("peek and discard", recv(fd, room, 2000, MSG_TRUNC | MSG_PEEK));
	say("untouched: %d", room[0] == 'x' && memcmp(room, room + 1, 2000) == 0);
	say_seen("read", room, recv(fd, room, 90, 0), 1010);
	say_result("discard", recv(fd, NULL, 100000, MSG_TRUNC));
	say_result("discard", recv(fd, NULL, 100000, MSG_TRUNC | MSG_DONTWAIT));
	tell_peer("close");
	ready_for(fd, POLLIN);
	say_result("discard", recv(fd, NULL, 100000, MSG_TRUNC));
}

/* 123 */
static void discard_all(void)
{
	int fd = connected();

	tell_peer("send 30000");
	queued(fd, 30000);
	tell_peer_later("send 30000");
	say_result("discard", recv(fd, NULL, 60000, MSG_TRUNC | MSG_WAITALL));
	hear_peer();
}

static void nothing(int number)
{
	(void)number;
}

static void handle(int number, int flags)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };

	NEED(sigaction(number, &action, NULL) == 0);
}

/* 53 */
static void all_or_signal(void)
{
	int fd = connected();

	for (int restart = 0; restart <= 1; restart++) {
		handle(SIGUSR1, restart ? SA_RESTART : 0);
		tell_peer("send 100");
		queued(fd, 100);
		tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		say_received("recv", room, recv(fd, room, 1000, MSG_WAITALL));
		ask_peer("nothing");
	}
	tell_peer_later("send 50000");
	say_received("recv", room, recv(fd, room, 50000, MSG_WAITALL));
	hear_peer();
	tell_peer("send 100");
	tell_peer_later("close");
	say_received("recv", room, recv(fd, room, 1000, MSG_WAITALL));
	hear_peer();
	say_result("recv", recv(fd, room, 1000, MSG_WAITALL));
}

/* 53 */
static void all_without_waiting(void)
{
	int fd = connected();

	say_result("recv", recv(fd, room, 1000, MSG_WAITALL | MSG_DONTWAIT));
	tell_peer("send 100");
	queued(fd, 100);
	say_received("recv", room, recv(fd, room, 1000, MSG_WAITALL | MSG_DONTWAIT));
}

/* 55 */
static void time_is_over(void)
{
	const struct timeval some = { .tv_usec = 50000 };
	int fd = connected();

	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some)) == 0);
	say_result("recv", recv(fd, room, 1, 0));
	say_result("peek", recv(fd, room, 1, MSG_PEEK));
	say_result("recv all", recv(fd, room, 10, MSG_WAITALL));
	tell_peer("send 5");
	queued(fd, 5);
	say_seen("peek at all", room, recv(fd, room, 10, MSG_PEEK | MSG_WAITALL), 0);
	say_received("recv all", room, recv(fd, room, 10, MSG_WAITALL));
	tell_peer("partial 100");
	say_result("recv", recv(fd, room, 1, 0));
	tell_peer("rest");
	say_received("recv", room, recv(fd, room, 100, MSG_WAITALL));
	handle(SIGUSR1, SA_RESTART);
	tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 20 },
		     sizeof(some)) == 0);
	say_result("recv", recv(fd, room, 1, 0));
}

/* 55: the handshake counts */
static void time_is_over_before(void)
{
	const struct timeval some = { .tv_usec = 50000 };
	int listener = listening_socket(NULL), fd;

	ask_peer("mute");
	peer_connects(listener);
	fd = accept(listener, NULL, NULL);
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some)) == 0);
	say_result("recv", recv(fd, room, 1, 0));
	say_result("recv", recv(fd, room, 1, MSG_WAITALL));
	ask_peer("mute off");
	tell_peer("send 1");
	say_received("recv", room, recv(fd, room, 1, MSG_WAITALL));
}

/* --- FIONREAD, SIOCOUTQ */

/* 54 */
static void counts(void)
{
	int fd = connected(), have = -1;

	say("queued %d", queued(fd, 0));
	tell_peer("send 1");
	say("queued %d", queued(fd, 1));
	ask_peer("padding 300");
	tell_peer("send 500");
	tell_peer("send 20000");
	say("queued %d", queued(fd, 20501));
	receive_all(fd, 10, 10);
	say("queued %d", queued(fd, 20491));
	tell_peer("partial 100");
	say("queued %d", queued(fd, 20491));
	receive_all(fd, 20491, 5000);
	say("queued %d", queued(fd, 0));
	tell_peer("rest");
	say("queued %d", queued(fd, 100));
	tell_peer("half_close");
	await(fd, POLLRDHUP);
	say("queued %d", queued(fd, 100));
	receive_all(fd, 100, 100);
	ready_for(fd, POLLIN);
	say("queued %d", queued(fd, 0));
	say_result("SIOCINQ", ioctl(fd, FIONREAD, &have));
}

/* 54: a program that reads as many as it was told, and then waits for an event, has to get all */
static void counts_of_many(void)
{
	int fd = connected(), have = 400000, got = 0;

	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &have, sizeof(have)) == 0);
	for (int i = 0; i < 6; i++)
		ask_peer("send 20000");
	have = queued(fd, 120000);
	while (got < 120000) {
		ssize_t n;

		need(have >= 120000 - got, "as many as are there");
		n = recv(fd, room, 50000, 0);
		NEED(n > 0);
		got += (int)n;
		NEED(ioctl(fd, FIONREAD, &have) == 0);
	}
	say("received %d, queued %d", got, have);
}

/* SIOCOUTQ */
static void unacknowledged(void)
{
	int fd = connected(), left = -1, most = 0;

	say_result("SIOCOUTQ", ioctl(fd, TIOCOUTQ, &left));
	say("left %d", left);
	for (int i = 0; i < 20; i++) {
		NEED(send_all(fd, 100));
		NEED(ioctl(fd, TIOCOUTQ, &left) == 0);
		most = left > most ? left : most;
		need(left <= (i + 1) * 100, "no more than was sent");
	}
	tell_peer("recv 2000");
	while (ioctl(fd, TIOCOUTQ, &left) == 0 && left > 0)
		poll(NULL, 0, 1);
	say("left %d", left);
}

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

/* --- Options */

/* 118 */
static void urgent(void)
{
	int fd = connected(), mark = -1, on = 1;

	say_result("SIOCATMARK", ioctl(fd, SIOCATMARK, &mark));
	say("mark %d", mark);
	say_result("sockatmark", sockatmark(fd));
	say_result("SO_OOBINLINE", setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	say_result("recv urgent", recv(fd, room, 1, MSG_OOB));
	say_result("send urgent", send(fd, "x", 1, MSG_OOB));
	send_all(fd, 10);
}

/* 119 */
static void zero_copies(void)
{
	int fd = connected(), on = 1;

	say_result("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	say_result("recv of errors", recv(fd, room, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
}

/* 119 */
static void zero_copies_unasked(void)
{
	int fd = connected();

	say_result("send", send(fd, outgoing(5000), 5000, MSG_ZEROCOPY));
	tell_peer("recv 5000");
	say_result("recv of errors", recv(fd, room, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
}

/* 122 */
static void queue_told(void)
{
	int fd = connected(), on = 1;

	say_result("TCP_INQ", setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)));
}

/* 123 */
static void peek_offset(void)
{
	int fd = connected(), at = 0;
	socklen_t len = sizeof(at);

	say_result("SO_PEEK_OFF", setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)));
	say_result("SO_PEEK_OFF", getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, &len));
	tell_peer("send 10");
	ready_for(fd, POLLIN);
	receive_all(fd, 10, 3);
}

/* 119 */
static void zero_copies_before(void)
{
	struct sockaddr_in at = peer_listens();
	int fd = client_socket(), on = 1;

	say_result("SO_ZEROCOPY", setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	if (say_result("send", send(fd, outgoing(10), 10, MSG_ZEROCOPY)) < 0) {
		not_sent(10);
		say_result("send", send(fd, outgoing(10), 10, 0));
	}
	tell_peer("recv 10");
}

/* 123 */
static void peek_offset_before(void)
{
	struct sockaddr_in at = peer_listens();
	int fd = client_socket(), offset = 5;

	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset));
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	tell_peer("send 1000");
	receive_all(fd, 1000, 30);
}

static void use_low_water(int fd)
{
	int mark = -1;
	socklen_t len = sizeof(mark);

	say_result("SO_RCVLOWAT", getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &len));
	say("mark %d", mark);
	tell_peer("send 50");
	queued(fd, 50);
	say_events("poll", (unsigned)poll_now(fd, POLLIN));
	tell_peer("send 60");
	say_events("poll", (unsigned)await(fd, POLLIN));
	say_received("recv", room, recv(fd, room, 1000, 0));
	tell_peer("send 30");
	queued(fd, 30);
	say_events("poll", (unsigned)poll_now(fd, POLLIN));
	say_received("recv", room, recv(fd, room, 1000, MSG_DONTWAIT));
	say_result("recv", recv(fd, room, 1000, MSG_DONTWAIT));
	tell_peer("partial 200");
	queued(fd, 0);
	tell_peer("rest");
	say_events("poll", (unsigned)await(fd, POLLIN));
	receive_all(fd, 200, 200);
	tell_peer("send 5");
	tell_peer("half_close");
	say_events("poll", (unsigned)await(fd, POLLIN));
	receive_to_end(fd);
}

/* 120 */
static void low_water(void)
{
	int fd = connected(), mark = 100;

	say_result("SO_RCVLOWAT", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)));
	use_low_water(fd);
}

/* 85 */
static void low_water_before(void)
{
	int fd, mark = 100, listener;
	struct sockaddr_in at;

	if (is_client) {
		at = peer_listens();
		fd = client_socket();
		NEED(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0);
		NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 ||
			finish_connect(fd) == 0);
	} else {
		listener = listening_socket(NULL);
		NEED(setsockopt(listener, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) == 0);
		peer_connects(listener);
		fd = accept4(listener, NULL, NULL, is_nonblocking ? SOCK_NONBLOCK : 0);
	}
	ask_peer("ready");
	use_low_water(fd);
}

/* 121 */
static void tiny_buffers(void)
{
	int fd, size = 1;

	ask_peer("buffers 1 1");
	fd = connected();
	NEED(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	tell_peer_later("send 50000");
	receive_all(fd, 50000, 20000);
	hear_peer();
	tell_peer_later("recv 50000");
	NEED(send_all(fd, 50000));
	hear_peer();
	tell_peer("close");
	receive_to_end(fd);
}

/* 119 */
static void kernel_tls(void)
{
	int fd = connected(), any = 0;

	say_result("TCP_ULP", setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3));
	say_result("SOL_TLS", setsockopt(fd, 282, 1, &any, sizeof(any)));
}

#define ONLY_BLOCKING (ANY_ROLE | BLOCKING)

const struct test_case cases[] = {
	CASE(50, peek_records, EVERYWHERE),
	CASE(50, peek_small_records, EVERYWHERE),
	CASE(50, peek_over_updates, EVERYWHERE),
	CASE(50, peek_parts, EVERYWHERE),
	CASE(50, peek_all, ONLY_BLOCKING),
	CASE(51, peek_at_the_end, EVERYWHERE),
	CASE(123, discard, EVERYWHERE),
	CASE(123, discard_all, ONLY_BLOCKING),
	CASE(53, all_or_signal, ONLY_BLOCKING),
	CASE(53, all_without_waiting, EVERYWHERE),
	CASE(55, time_is_over, ONLY_BLOCKING),
	CASE(55, time_is_over_before, SERVER | BLOCKING),
	CASE(54, counts, EVERYWHERE),
	CASE(54, counts_of_many, EVERYWHERE),
	CASE(54, unacknowledged, EVERYWHERE),
	CASE(129, message_fields, EVERYWHERE),
	CASE(126, several_messages, EVERYWHERE),
	CASE(126, sends_several, EVERYWHERE),
	CASE(126, no_buffer_to_fill, EVERYWHERE),
	CASE(126, no_buffer_to_send, EVERYWHERE),
	CASE(48, odd_lengths, EVERYWHERE),
	DIFFERS(118, urgent, EVERYWHERE,
		"SIOCATMARK: 0\nmark 0\nsockatmark: 0\nSO_OOBINLINE: 0\n"
		"recv urgent: EINVAL\nsend urgent: EOPNOTSUPP\ndone\n",
		"TLS has no urgent data"),
	DIFFERS(119, zero_copies, EVERYWHERE,
		"SO_ZEROCOPY: EOPNOTSUPP\nrecv of errors: EAGAIN\ndone\n",
		"what is sent is sealed first: programs fall back"),
	CASE(119, zero_copies_unasked, EVERYWHERE),
	DIFFERS(119, zero_copies_before, CLIENT | BLOCKING,
		"SO_ZEROCOPY: 0\nsend: ENOBUFS\nsend: 10\npeer: recv 10: 10 bytes\ndone\n",
		"no completion would come: programs send without"),
	DIFFERS(122, queue_told, EVERYWHERE, "TCP_INQ: ENOPROTOOPT\ndone\n",
		"the kernel counts sealed bytes: programs do without"),
	DIFFERS(123, peek_offset, EVERYWHERE,
		"SO_PEEK_OFF: EOPNOTSUPP\nSO_PEEK_OFF: EOPNOTSUPP\n"
		"peer: send 10: ok\nreceived 10\ndone\n",
		"as before Linux 6.9"),
	CASE(123, peek_offset_before, CLIENT | BLOCKING),
	CASE(120, low_water, EVERYWHERE),
	CASE(120, low_water_before, EVERYWHERE),
	CASE(121, tiny_buffers, EVERYWHERE),
	DIFFERS(119, kernel_tls, EVERYWHERE, "TCP_ULP: ENOPROTOOPT\nSOL_TLS: ENOPROTOOPT\ndone\n",
		"TLS in TLS: programs do their own in the process"),
	END_OF_CASES,
};
