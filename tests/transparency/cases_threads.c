/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several threads and one connection, small stacks and borrowed ones, and the end of a process that
 * has threads. */
#include "asleep.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#define BLOCK 1000
#define BLOCKS 50 /* of all writers together no more than buffers take: TCP tears them else */
#define LONG (4 << 20)

/* 36 */

static void send_long(struct worker *worker)
{
	worker->result = send_all(worker->fd, LONG);
}

static void full_duplex(void)
{
	struct worker writer;
	int fd = connected();

	tell_peer_later("both %d %d", LONG, LONG);
	worker_start(&writer, send_long, fd);
	receive_all(fd, LONG, 50000);
	worker_join(&writer);
	say("sent: %ld", writer.result);
	hear_peer();
}

/* 37 */

static void send_blocks(int fd, char letter, int blocks)
{
	char block[BLOCK];

	memset(block, letter, sizeof(block));
	for (int i = 0; i < blocks; i++)
		NEED(write(fd, block, sizeof(block)) == sizeof(block));
}

static void send_letters(struct worker *worker)
{
	static _Atomic char next = 'A';

	send_blocks(worker->fd, atomic_fetch_add(&next, 1), BLOCKS);
}

static void many_writers(void)
{
	struct worker workers[6];
	int fd = connected();

	tell_peer_later("blocks %d", BLOCK);
	for (int i = 0; i < 6; i++)
		worker_start(&workers[i], send_letters, fd);
	for (int i = 0; i < 6; i++)
		worker_join(&workers[i]);
	NEED(shutdown(fd, SHUT_WR) == 0);
	hear_peer();
}

static void read_to_end(struct worker *worker)
{
	char buf[3000];
	ssize_t n;

	while ((n = read(worker->fd, buf, sizeof(buf))) > 0)
		worker->result += n;
	worker->error = n < 0 ? errno : 0;
}

static void many_readers(void)
{
	struct worker workers[4];
	int fd = connected();
	long total = 0;

	for (int i = 0; i < 4; i++)
		worker_start(&workers[i], read_to_end, fd);
	tell_peer("send 2000000");
	tell_peer("half_close");
	for (int i = 0; i < 4; i++) {
		worker_join(&workers[i]);
		NEED(workers[i].error == 0);
		total += workers[i].result;
	}
	say("in all %ld", total);
}

/* 58 */

static void keep_result(struct worker *worker, long result)
{
	worker->result = result;
	worker->error = result < 0 ? errno : 0;
}

static void say_worker(const char *what, const struct worker *worker)
{
	if (worker->result < 0)
		say("%s: %s", what, strerrorname_np(worker->error));
	else
		say("%s: %ld", what, worker->result);
}

static void block_in_read(struct worker *worker)
{
	char buf[100];

	keep_result(worker, read(worker->fd, buf, sizeof(buf)));
}

static void block_in_poll(struct worker *worker)
{
	struct pollfd pfd = { .fd = worker->fd, .events = POLLIN };

	keep_result(worker, poll(&pfd, 1, -1));
	worker->result = worker->result == 1 ? pfd.revents : worker->result;
}

static void block_in_epoll(struct worker *worker)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(0);

	NEED(epoll_ctl(set, EPOLL_CTL_ADD, worker->fd, &event) == 0);
	keep_result(worker, epoll_wait(set, &event, 1, -1));
	close(set);
}

static void block_in_write(struct worker *worker)
{
	static char much[1 << 20];
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	while ((n = write(worker->fd, much, sizeof(much))) == (ssize_t)sizeof(much))
		continue;
	if (n > 0)
		n = write(worker->fd, much, sizeof(much));
	keep_result(worker, n);
}

static void shutdown_wakes(void)
{
	static const struct {
		const char *name;
		void (*run)(struct worker *worker);
		int how;
	} rows[] = {
		{ "read", block_in_read, SHUT_RDWR },
		{ "read, SHUT_RD", block_in_read, SHUT_RD },
		{ "poll", block_in_poll, SHUT_RDWR },
		{ "epoll_wait", block_in_epoll, SHUT_RDWR },
		{ "write", block_in_write, SHUT_RDWR },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct worker worker;
		int fd = connected();

		worker_start(&worker, rows[i].run, fd);
		worker_until_asleep(&worker);
		say_result("shutdown", shutdown(fd, rows[i].how));
		worker_join(&worker);
		say_worker(rows[i].name, &worker);
		close(fd);
	}
}

static void block_in_accept(struct worker *worker)
{
	keep_result(worker, accept(worker->fd, NULL, NULL));
}

static void shutdown_wakes_accept(void)
{
	struct worker worker;
	int listener = listening_socket(NULL);

	connected();
	worker_start(&worker, block_in_accept, listener);
	worker_until_asleep(&worker);
	say_result("shutdown", shutdown(listener, SHUT_RDWR));
	worker_join(&worker);
	say_worker("accept", &worker);
}

/* 59: what the JVM does to threads that wait for a descriptor that it closes. */

static void nothing(int number)
{
	(void)number;
}

static void close_under(void (*run)(struct worker *worker), const char *name, int flags)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = flags };
	struct worker worker;
	int pair[2], fd = connected();

	NEED(sigaction(SIGUSR1, &action, NULL) == 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	NEED(shutdown(pair[0], SHUT_RD) == 0 && close(pair[1]) == 0);
	worker_start(&worker, run, fd);
	worker_until_asleep(&worker);
	NEED(dup2(pair[0], fd) == fd);
	NEED(pthread_kill(worker.thread, SIGUSR1) == 0);
	worker_join(&worker);
	say_worker(name, &worker);
	close(pair[0]);
	say_result("close", close(fd));
}

static void replaced_under_read(void)
{
	close_under(block_in_read, "read, interrupted", 0);
	close_under(block_in_read, "read, restarted", SA_RESTART);
	close_under(block_in_poll, "poll", 0);
}

/* Somebody else's copy is closed: it is nothing to the one that waits. */
static void copy_closed(void)
{
	struct worker worker;
	int fd = connected(), copy = dup(fd);

	worker_start(&worker, block_in_read, fd);
	worker_until_asleep(&worker);
	say_result("close", close(copy));
	tell_peer("send 10");
	worker_join(&worker);
	say_worker("read", &worker);
}

/* 100, 101 */

static void talk(void)
{
	int fd = connected();

	say_result("write", write(fd, outgoing(3000), 3000));
	tell_peer("recv 3000");
	tell_peer("send 3000");
	receive_all(fd, 3000, 3000);
	say_result("close", close(fd));
	tell_peer("until_end");
}

static void *talk_in_thread(void *arg)
{
	(void)arg;
	talk();
	return NULL;
}

static void small_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	/* What a case itself needs of it is the cases' affair. */
	pthread_attr_init(&attributes);
	NEED(pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN + 8192) == 0);
	NEED(pthread_create(&thread, &attributes, talk_in_thread, NULL) == 0);
	NEED(pthread_join(thread, NULL) == 0);
}

static void coroutine(void)
{
	static ucontext_t here, there;
	size_t len = 24576;

	NEED(getcontext(&there) == 0);
	there.uc_stack.ss_sp = malloc(len);
	there.uc_stack.ss_size = len;
	there.uc_link = &here;
	makecontext(&there, talk, 0);
	NEED(swapcontext(&here, &there) == 0);
	say("back");
}

/* A coroutine that is left in the middle, between two calls, for another that uses the same
 * connection. */
static ucontext_t loop, first, second;
static int shared_fd;

static void write_in_turns(const char *text)
{
	for (int i = 0; i < 5; i++) {
		NEED(write(shared_fd, text, 2) == 2);
		NEED(swapcontext(text[0] == 'a' ? &first : &second, &loop) == 0);
	}
}

static void two_coroutines(void)
{
	ucontext_t *both[] = { &first, &second };
	const char *texts[] = { "aa", "bb" };

	shared_fd = connected();
	for (int i = 0; i < 2; i++) {
		NEED(getcontext(both[i]) == 0);
		both[i]->uc_stack.ss_sp = malloc(32768);
		both[i]->uc_stack.ss_size = 32768;
		both[i]->uc_link = &loop;
		makecontext(both[i], (void (*)(void))write_in_turns, 1, texts[i]);
	}
	for (int i = 0; i < 10; i++)
		NEED(swapcontext(&loop, both[i % 2]) == 0);
	tell_peer("read_text 20");
}

/* Threads by the thousand, each with a buffer of the library's for its calls. */

static void *one_byte(void *arg)
{
	char byte = 'x';

	NEED(write(*(int *)arg, &byte, 1) == 1);
	return NULL;
}

static long pages(void)
{
	long size = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	NEED(file != NULL && fscanf(file, "%ld", &size) == 1);
	fclose(file);
	return size;
}

static void thousands(void)
{
	enum { THREADS = 3000 };
	int fd = connected();
	long before = 0;

	tell_peer_later("blocks 1");
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;

		NEED(pthread_create(&thread, NULL, one_byte, &fd) == 0);
		NEED(pthread_join(thread, NULL) == 0);
		if (i == 100)
			before = pages();
	}
	/* A buffer of each would be 64 KiB times 2900. */
	say("grew little: %d", pages() - before < 2048);
	NEED(shutdown(fd, SHUT_WR) == 0);
	hear_peer();
}

/* 95 and the ways to end, with threads in every kind of call: the peer hears of the end. */

static void end_with_threads(void (*end)(void), const char *how)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	NEED(child >= 0);
	if (child == 0) {
		static struct worker workers[3];
		int fd = connected();

		worker_start(&workers[0], block_in_read, fd);
		worker_start(&workers[1], block_in_poll, fd);
		worker_start(&workers[2], block_in_epoll, fd);
		for (int i = 0; i < 3; i++)
			worker_until_asleep(&workers[i]);
		end();
	}
	NEED(waitpid(child, &status, 0) == child);
	say("%s: status %x", how, (unsigned)status);
	tell_peer("until_end");
}

static void by_exit(void)
{
	exit(7);
}

static void by_bare_exit(void)
{
	_exit(7);
}

static void by_quick_exit(void)
{
	quick_exit(7);
}

static void ends_with_threads(void)
{
	end_with_threads(by_exit, "exit");
	end_with_threads(by_bare_exit, "_exit");
	end_with_threads(by_quick_exit, "quick_exit");
}

/* Threads that write all the time when the process ends do not change how it ends. */
static _Atomic unsigned writes;

static void write_for_ever(struct worker *worker)
{
	char block[BLOCK] = "";

	for (;;) {
		NEED(write(worker->fd, block, sizeof(block)) > 0);
		writes++;
	}
}

static void exit_while_writing(void)
{
	pid_t child;
	int status;

	ask_peer("nothing");
	child = fork();
	NEED(child >= 0);
	if (child == 0) {
		static struct worker workers[3];
		int fd = connected();

		ask_peer("nothing");
		tell_peer_later("until_end");
		for (int i = 0; i < 3; i++)
			worker_start(&workers[i], write_for_ever, fd);
		while (writes < 100)
			sched_yield();
		exit(0);
	}
	NEED(waitpid(child, &status, 0) == child);
	say("status %x", (unsigned)status);
}

/* 64, 94: what is in a stream's buffer when the program ends arrives. */
static void stream_at_exit(void)
{
	pid_t child = fork();
	int status;

	NEED(child >= 0);
	if (child == 0) {
		FILE *file = fdopen(connected(), "w");

		NEED(file != NULL && fputs("last words", file) >= 0);
		exit(3);
	}
	NEED(waitpid(child, &status, 0) == child);
	say("status %x", (unsigned)status);
	tell_peer("text_until_end");
}

/* fork() in the middle of it */

static _Atomic bool stop;

static void write_until_told(struct worker *worker)
{
	while (!atomic_load(&stop)) {
		send_blocks(worker->fd, 'T', 1);
		worker->result++;
	}
}

static void fork_among_threads(void)
{
	enum { CHILDREN = 20 };
	struct worker writers[2], reader;
	int fd = connected(), status;

	tell_peer_later("blocks 1");
	worker_start(&writers[0], write_until_told, fd);
	worker_start(&writers[1], write_until_told, fd);
	worker_start(&reader, block_in_read, fd);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();

		NEED(child >= 0);
		if (child == 0) {
			send_blocks(fd, (char)('a' + i), 3);
			_exit(0);
		}
		NEED(waitpid(child, &status, 0) == child && status == 0);
	}
	atomic_store(&stop, true);
	worker_join(&writers[0]);
	worker_join(&writers[1]);
	NEED(shutdown(fd, SHUT_WR) == 0);
	{
		const char *answer = await_peer(), *after = strstr(answer, "T ");

		NEED(after != NULL &&
			atol(after + 2) == (writers[0].result + writers[1].result) * BLOCK);
		after = strstr(answer, "a 3000");
		say("the children's: %s", after != NULL ? after : answer);
	}
	tell_peer("send 5");
	worker_join(&reader);
	say_worker("the reader", &reader);
}

/* 132 */

static void unshare_files(struct worker *worker)
{
	keep_result(worker, unshare(CLONE_FILES));
	if (worker->result == 0)
		close(worker->fd);
}

static void descriptors_of_its_own(void)
{
	struct worker worker;
	int fd = connected();

	worker_start(&worker, unshare_files, fd);
	worker_join(&worker);
	say_worker("unshare", &worker);
	say_result("write", write(fd, outgoing(10), 10));
	tell_peer("recv 10");
	tell_peer("send 10");
	receive_all(fd, 10, 10);
}

const struct test_case cases[] = {
	CASE(36, full_duplex, EVERYWHERE),
	CASE(37, many_writers, ANY_ROLE | BLOCKING),
	CASE(37, many_readers, ANY_ROLE | BLOCKING),
	CASE(58, shutdown_wakes, ANY_ROLE | BLOCKING),
	CASE(58, shutdown_wakes_accept, ANY_ROLE | BLOCKING),
	CASE(59, replaced_under_read, ANY_ROLE | BLOCKING),
	CASE(59, copy_closed, ANY_ROLE | BLOCKING),
	CASE(94, stream_at_exit, ANY_ROLE | BLOCKING),
	CASE(95, ends_with_threads, ANY_ROLE | BLOCKING),
	CASE(95, exit_while_writing, ANY_ROLE | BLOCKING),
	CASE(95, fork_among_threads, ANY_ROLE | BLOCKING),
	CASE(98, thousands, ANY_ROLE | BLOCKING),
	CASE(100, small_stack, EVERYWHERE),
	CASE(101, coroutine, EVERYWHERE),
	CASE(101, two_coroutines, ANY_ROLE | BLOCKING),
	DIFFERS(132, descriptors_of_its_own, EVERYWHERE,
		"unshare: EPERM\nwrite: 10\npeer: recv 10: 10 bytes\npeer: send 10: ok\n"
		"received 10\ndone\n",
		"a number has to be the same connection to all threads"),
	END_OF_CASES,
};
