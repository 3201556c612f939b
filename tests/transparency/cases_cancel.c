/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads that are cancelled in a call: whoever comes after finds the connection as usable as
 * before. */
#include "asleep.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

static _Atomic int cleaned;

static void clean(void *arg)
{
	(void)arg;
	atomic_fetch_add(&cleaned, 1);
}

/* Each blocks until it is cancelled. */

static void in_read(struct worker *worker)
{
	char buf[100];

	worker->result = read(worker->fd, buf, sizeof(buf));
}

static void in_poll(struct worker *worker)
{
	struct pollfd pfd = { .fd = worker->fd, .events = POLLIN };

	worker->result = poll(&pfd, 1, -1);
}

static void in_select(struct worker *worker)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(worker->fd, &in);
	worker->result = select(worker->fd + 1, &in, NULL, NULL, NULL);
}

static void in_epoll(struct worker *worker)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(0);

	NEED(epoll_ctl(set, EPOLL_CTL_ADD, worker->fd, &event) == 0);
	worker->result = epoll_wait(set, &event, 1, -1);
}

static void in_accept(struct worker *worker)
{
	worker->result = accept(worker->fd, NULL, NULL);
}

static void with_cleanup(struct worker *worker, void (*call)(struct worker *worker))
{
	pthread_cleanup_push(clean, NULL);
	call(worker);
	pthread_cleanup_pop(0);
}

static void asynchronously(struct worker *worker, void (*call)(struct worker *worker))
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	with_cleanup(worker, call);
}

static void (*call_of_worker)(struct worker *worker);

static void deferred_main(struct worker *worker)
{
	with_cleanup(worker, call_of_worker);
}

static void asynchronous_main(struct worker *worker)
{
	asynchronously(worker, call_of_worker);
}

static void cancel_in(const char *name, void (*call)(struct worker *worker), int fd)
{
	for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
		struct worker worker;
		int before = atomic_load(&cleaned);
		void *result;

		call_of_worker = call;
		worker_start(&worker, asynchronous ? asynchronous_main : deferred_main, fd);
		worker_until_asleep(&worker);
		NEED(pthread_cancel(worker.thread) == 0);
		NEED(pthread_join(worker.thread, &result) == 0);
		say("%s: %s, cleaned up: %d", name,
			result == PTHREAD_CANCELED ? "cancelled" : "not cancelled",
			atomic_load(&cleaned) - before);
	}
}

static void use(int fd)
{
	tell_peer("send 10");
	receive_all(fd, 10, 10);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
}

static void in_calls(void)
{
	int fd = connected();

	cancel_in("read", in_read, fd);
	use(fd);
	cancel_in("poll", in_poll, fd);
	cancel_in("select", in_select, fd);
	cancel_in("epoll_wait", in_epoll, fd);
	use(fd);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void in_handshake(void)
{
	int fd;

	ask_peer("mute on");
	fd = connected_unused();
	cancel_in("read", in_read, fd);
	cancel_in("poll", in_poll, fd);
	ask_peer("mute off");
	tell_peer_later("send 10");
	receive_all(fd, 10, 10);
	NEED(strcmp(await_peer(), "ok") == 0);
	use(fd);
}

static void in_waiting_for_one(void)
{
	uint16_t port;
	int listener = listening_socket(&port), fd;

	cancel_in("accept", in_accept, listener);
	peer_connects(listener);
	fd = accept(listener, NULL, NULL);
	NEED(fd >= 0);
	ask_peer("ready");
	use(fd);
}

static void write_much(struct worker *worker)
{
	static char much[1 << 20];

	for (;;)
		worker->result = write(worker->fd, much, sizeof(much));
}

/* Nobody knows how much went; but the other direction, and the end, are as ever. */
static void in_write(void)
{
	int fd = connected();
	char buf[10];

	cancel_in("write", write_much, fd);
	tell_peer("send 10");
	say_received("read", buf, recv(fd, buf, sizeof(buf), MSG_WAITALL));
	say_result("shutdown", shutdown(fd, SHUT_RD));
}

/* Cancelled at any point of reads and writes that do not wait, a thousand times. */
static void read_and_write(struct worker *worker)
{
	static char buf[1000];

	for (;;) {
		(void)!recv(worker->fd, buf, sizeof(buf), MSG_DONTWAIT);
		(void)!send(worker->fd, "x", 1, MSG_DONTWAIT);
		pthread_testcancel();
	}
}

static void storm(void)
{
	enum { THREADS = 300 };
	int fd = connected();

	tell_peer_later("blocks 1");
	call_of_worker = read_and_write;
	for (int i = 0; i < THREADS; i++) {
		struct worker worker;
		void *result;

		worker_start(&worker, i % 2 == 0 ? deferred_main : asynchronous_main, fd);
		for (volatile int spin = 0; spin < i * 500; spin++)
			continue;
		NEED(pthread_cancel(worker.thread) == 0);
		NEED(pthread_join(worker.thread, &result) == 0 && result == PTHREAD_CANCELED);
	}
	say_result("write", write(fd, "y", 1));
	say_result("shutdown", shutdown(fd, SHUT_WR));
	say("ended: %d", strstr(await_peer(), "y 1, then the end") != NULL);
}

const struct test_case cases[] = {
	CASE(98, in_calls, ANY_ROLE | BLOCKING),
	CASE(98, in_handshake, SERVER | BLOCKING),
	CASE(98, in_waiting_for_one, SERVER | BLOCKING),
	CASE(98, in_write, ANY_ROLE | BLOCKING),
	CASE(98, storm, ANY_ROLE | BLOCKING),
	END_OF_CASES,
};
