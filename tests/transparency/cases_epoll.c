/* SPDX-License-Identifier: GPL-3.0-or-later */
/* epoll: kinds of entries, when they are made, and what they report. */
#include "epoll_set.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char room[100000];

/* --- Level-triggered */

static void level(void)
{
	int fd = connected(), set = new_set();

	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP));
	say_now("idle", set, fd);
	tell_peer_later("send 20000");
	say_events("data", wait_one(set, fd, -1));
	hear_peer();
	receive_all(fd, 19999, 7000);
	say_now("a byte", set, fd);
	receive_all(fd, 1, 1);
	say_now("drained", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP));
	say_now("writable", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, 0));
	say_now("nothing", set, fd);
	tell_peer("send 5");
	say_now("nothing", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP));
	say_events("data", wait_one(set, fd, -1));
	tell_peer("half_close");
	say_now("data and end", set, fd);
	receive_to_end(fd);
	say_now("end", set, fd);
	NEED(shutdown(fd, SHUT_WR) == 0);
	tell_peer("until_end");
	say_now("over", set, fd);
	say_result("del", control(set, EPOLL_CTL_DEL, fd, 0));
	say_now("gone", set, fd);
}

/* Added at each point of the way; the program hears "writable" once it may write. */
static void added_early(void)
{
	int set = new_set(), fd = begun();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT) == 0);
	say_events("writable", wait_one(set, fd, -1));
	say_result("write", write(fd, outgoing(10), 10));
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
	tell_peer("recv 10");
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
	receive_all(fd, 10, 10);
	say_now("drained", set, fd);
	tell_peer("close");
	say_events("end", wait_one(set, fd, -1));
	receive_to_end(fd);
}

/* Before connect(), as some clients do. */
static void added_before_connect(void)
{
	int set = new_set(), fd = client_socket(), error = -1;
	struct sockaddr_in at = peer_listens();
	socklen_t len = sizeof(error);

	make_nonblocking(fd, true);
	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP));
	say_now("unconnected", set, fd);
	say_result("connect", connect(fd, (struct sockaddr *)&at, sizeof(at)));
	say_events("writable", wait_one(set, fd, -1));
	NEED(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	say("SO_ERROR: %d", error);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
}

/* What the kernel says of wrong calls, on the way and after. */
static void wrong_calls(int set, int fd)
{
	static volatile int none = 0, negative = -1; /* the compiler is not to know */
	struct epoll_event events[1];
	int other = new_set();

	say_result("mod unknown", control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
	say_result("del unknown", control(set, EPOLL_CTL_DEL, fd, 0));
	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLIN));
	say_result("add again", control(set, EPOLL_CTL_ADD, fd, EPOLLOUT));
	say_result("no set", control(0, EPOLL_CTL_ADD, fd, EPOLLIN));
	say_result("bad set", control(999, EPOLL_CTL_ADD, fd, EPOLLIN));
	say_result("not a set", control(fd, EPOLL_CTL_ADD, fd, EPOLLIN));
	say_result("bad op", control(set, 77, fd, EPOLLIN));
	say_result("no event", epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL));
	say_result("no event", epoll_ctl(set, EPOLL_CTL_MOD, fd, NULL));
	say_result("add to another", control(other, EPOLL_CTL_ADD, fd, EPOLLIN));
	say_result("del", epoll_ctl(other, EPOLL_CTL_DEL, fd, NULL));
	say_result("del again", epoll_ctl(other, EPOLL_CTL_DEL, fd, NULL));
	say_result("wait", epoll_wait(set, events, none, 0));
	say_result("wait", epoll_wait(set, events, negative, 0));
	close(other);
}

static void wrong_calls_early(void)
{
	int set = new_set(), fd = begun();

	wrong_calls(set, fd);
	ask_peer("ready");
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
	receive_all(fd, 10, 10);
	say_now("drained", set, fd);
}

static void wrong_calls_late(void)
{
	int fd = connected(), set = new_set();

	wrong_calls(set, fd);
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
	receive_all(fd, 10, 10);
	say_now("drained", set, fd);
}

/* Taken out on the way, and put in again. */
static void taken_out(void)
{
	int set = new_set(), fd = begun();

	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT));
	say_result("del", control(set, EPOLL_CTL_DEL, fd, 0));
	say_now("gone", set, fd);
	say_result("add", control(set, EPOLL_CTL_ADD, fd, EPOLLOUT));
	say_events("writable", wait_one(set, fd, -1));
	say_result("del", control(set, EPOLL_CTL_DEL, fd, 0));
	ask_peer("ready");
	tell_peer("send 10");
	say_now("gone", set, fd);
	receive_all(fd, 10, 10);
}

/* --- Edge-triggered */

/* Reads until EAGAIN, or until a short count, as nginx and others do. The bytes. */
static size_t drain(int fd, size_t part, bool short_is_enough)
{
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, room, part);

		if (n <= 0) {
			NEED(n == 0 || errno == EAGAIN);
			return total;
		}
		total += (size_t)n;
		if (short_is_enough && (size_t)n < part)
			return total;
	}
}

static void edges(size_t part, bool short_is_enough)
{
	size_t total = 0, all = 200000;
	int fd = connected(), set = new_set();

	make_nonblocking(fd, true);
	ask_peer("record 5000");
	ask_peer("segment 3000");
	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP) == 0);
	tell_peer_later("send %zu", all);
	while (total < all) {
		unsigned got = wait_one(set, fd, -1);

		NEED(got != 0);
		if ((got & EPOLLIN) != 0)
			total += drain(fd, part, short_is_enough);
	}
	hear_peer();
	say("%zu", total);
	tell_peer("half_close");
	while ((wait_one(set, fd, -1) & EPOLLRDHUP) == 0)
		continue;
	say_result("read", read(fd, room, part));
}

static void edges_to_the_end(void)
{
	edges(1000, false);
}

static void edges_to_a_short_count(void)
{
	edges(1000, true);
}

static void edges_large(void)
{
	edges(60000, true);
}

/* One edge for what came; none for what is only still there. */
static void edge_once(void)
{
	int fd = connected(), set = new_set();

	make_nonblocking(fd, true);
	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET) == 0);
	tell_peer("send 1000");
	say_events("edge", wait_one(set, fd, -1));
	receive_all(fd, 10, 10);
	tell_peer("send 1000");
	say_events("next edge", wait_one(set, fd, -1));
	NEED(drain(fd, sizeof(room), false) == 1990);
	say_now("drained", set, fd);
	tell_peer("send 5");
	say_events("next edge", wait_one(set, fd, -1));
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET));
	say_events("again by mod", wait_one(set, fd, -1));
	NEED(drain(fd, 100, false) == 5);
}

/* A path that was full: the edge comes when there is room. */
static void edge_writable(void)
{
	int fd = connected(), set = new_set();
	size_t total = 0, goal;
	ssize_t n;

	make_nonblocking(fd, true);
	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET) == 0);
	say_events("writable", wait_one(set, fd, -1));
	while ((n = write(fd, outgoing(40000), 40000)) > 0) {
		not_sent(40000 - (size_t)n);
		total += (size_t)n;
	}
	not_sent(40000);
	say_now("full", set, fd);
	goal = total + 500000;
	tell_peer_now("recv %zu", goal);
	while (total < goal) {
		NEED(wait_one(set, fd, -1) == EPOLLOUT);
		for (;;) {
			size_t part = goal - total < 40000 ? goal - total : 40000;

			if (part == 0)
				break;
			n = write(fd, outgoing(part), part);
			not_sent(n < 0 ? part : part - (size_t)n);
			if (n < 0)
				break;
			total += (size_t)n;
		}
	}
	await_peer();
	say("all of it");
}

static void edge_added_early(void)
{
	int set = new_set(), fd = begun();

	make_nonblocking(fd, true);
	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0);
	while ((wait_one(set, fd, -1) & EPOLLOUT) == 0)
		continue;
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	tell_peer("send 10");
	while ((wait_one(set, fd, -1) & EPOLLIN) == 0)
		continue;
	NEED(drain(fd, 100, true) == 10);
	tell_peer("send 10");
	while ((wait_one(set, fd, -1) & EPOLLIN) == 0)
		continue;
	NEED(drain(fd, 100, true) == 10);
	tell_peer("half_close");
	while ((wait_one(set, fd, -1) & EPOLLRDHUP) == 0)
		continue;
	say_result("read", read(fd, room, 1));
}

/* --- One shot */

static void one_shot(void)
{
	int fd = connected(), set = new_set();
	const uint32_t events = EPOLLIN | EPOLLONESHOT;

	NEED(control(set, EPOLL_CTL_ADD, fd, events) == 0);
	tell_peer("send 20000");
	say_events("data", wait_one(set, fd, -1));
	say_now("not again", set, fd);
	receive_all(fd, 10, 10);
	say_now("not again", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, events));
	say_events("armed", wait_one(set, fd, -1));
	receive_all(fd, 19990, 20000);
	say_now("not again", set, fd);
	tell_peer("send 10");
	say_now("not again", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, events));
	say_events("armed", wait_one(set, fd, -1));
	receive_all(fd, 10, 10);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, events));
	say_now("nothing yet", set, fd);
	ask_peer("half_close");
	say_events("end", wait_one(set, fd, -1));
	say_now("not again", set, fd);
}

static void one_shot_early(void)
{
	int set = new_set(), fd = begun();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT) == 0);
	say_events("writable", wait_one(set, fd, -1));
	say_now("not again", set, fd);
	ask_peer("ready");
	say_now("not again", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT));
	tell_peer("send 10");
	say_events("data", wait_one(set, fd, -1));
	say_now("not again", set, fd);
	receive_all(fd, 10, 10);
	tell_peer("send 10");
	say_now("not again", set, fd);
	say_result("mod", control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT));
	say_events("armed", wait_one(set, fd, -1));
}

/* --- Readable means data, before any has come: TLS 1.3 has its tickets now. */
static void silent_at_first(void)
{
	int fd = connected(), set = new_set(), bytes = -1;

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	say_now("silent", set, fd);
	ask_peer("ticket");
	say_events("silent", wait_one(set, fd, 5));
	NEED(ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 0);
	tell_peer_later("send 5");
	say_events("data", wait_one(set, fd, -1));
	hear_peer();
	say_received("read", room, read(fd, room, 10));
	say_now("drained", set, fd);
	tell_peer_later("send 5");
	say_events("data", wait_one(set, fd, -1));
	hear_peer();
	say_received("read", room, read(fd, room, 10));
}

static void silent_one_shot(void)
{
	int fd = connected(), set = new_set();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT) == 0);
	say_now("silent", set, fd);
	ask_peer("ticket");
	say_events("silent", wait_one(set, fd, 5));
	tell_peer_later("send 5");
	say_events("data", wait_one(set, fd, -1));
	hear_peer();
	say_now("not again", set, fd);
	receive_all(fd, 5, 5);
	tell_peer("send 5");
	say_now("not again", set, fd);
}

/* A blocking descriptor: half a record is nothing. */
static void half_a_record(void)
{
	int fd = connected(), set = new_set();

	NEED(control(set, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
	for (int i = 0; i < 3; i++) {
		tell_peer("partial 500");
		say_now("half", set, fd);
		ask_peer("nothing");
		tell_peer_later("rest");
		say_events("whole", wait_one(set, fd, -1));
		hear_peer();
		say_received("read", room, read(fd, room, 1000));
		ask_peer("ticket");
		ask_peer("key_update request");
		say_events("silent", wait_one(set, fd, 2));
	}
}

const struct test_case cases[] = {
	CASE(41, level, EVERYWHERE),
	CASE(41, added_early, EVERYWHERE),
	CASE(41, added_before_connect, CLIENT | ANY_MODE),
	CASE(41, wrong_calls_early, EVERYWHERE),
	CASE(41, wrong_calls_late, EVERYWHERE),
	CASE(41, taken_out, EVERYWHERE),
	CASE(41, silent_at_first, EVERYWHERE),
	CASE(41, half_a_record, ANY_ROLE | BLOCKING),
	CASE(42, edges_to_the_end, EVERYWHERE),
	CASE(42, edges_to_a_short_count, EVERYWHERE),
	CASE(42, edges_large, EVERYWHERE),
	CASE(42, edge_writable, EVERYWHERE),
	CASE(43, edge_once, EVERYWHERE),
	CASE(43, edge_added_early, EVERYWHERE),
	CASE(44, one_shot, EVERYWHERE),
	CASE(44, one_shot_early, EVERYWHERE),
	CASE(44, silent_one_shot, EVERYWHERE),
	END_OF_CASES,
};
