/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flags of the receiving calls, and how long these wait. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define ONLY_BLOCKING (ANY_ROLE | BLOCKING)

static uint8_t room[100000];

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
	END_OF_CASES,
};
