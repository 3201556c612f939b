/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * poll(), select() and their kin. Each case runs in an otherwise idle process and, as NAME_beside,
 * while another connection is on its way whose peer says nothing, so that the library has to wait
 * for the program.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

static char room[100000];

/* A connection whose handshake does not go on; its number is far from the others. */
static void begin_beside(void)
{
	struct sockaddr_in at;
	int fd, r;

	use_peer(1);
	ask_peer("mute");
	at = peer_listens();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r = connect(fd, (struct sockaddr *)&at, sizeof(at));
	NEED(r < 0 && errno == EINPROGRESS);
	NEED(fcntl(fd, F_DUPFD, 500) == 500 && close(fd) == 0);
	use_peer(0);
}

/* --- One descriptor by every kind of wait: what is it, now or at last? */

static unsigned by_poll(int fd, unsigned events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = (short)events };
	int r = poll(&pfd, 1, ms);

	NEED(r >= 0 && (r == 1) == (pfd.revents != 0));
	return (unsigned)pfd.revents;
}

static unsigned by_ppoll(int fd, unsigned events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = (short)events };
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
	int r = ppoll(&pfd, 1, ms < 0 ? NULL : &time, NULL);

	NEED(r >= 0 && (r == 1) == (pfd.revents != 0));
	return (unsigned)pfd.revents;
}

static unsigned from_sets(int fd, int r, fd_set *in, fd_set *out, fd_set *err)
{
	unsigned got = (FD_ISSET(fd, in) ? POLLIN : 0U) | (FD_ISSET(fd, out) ? POLLOUT : 0U) |
		       (FD_ISSET(fd, err) ? POLLPRI : 0U);

	NEED(r == __builtin_popcount(got));
	return got;
}

static unsigned by_select(int fd, unsigned events, int ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000L };
	fd_set in, out, err;
	int r;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&err);
	if ((events & POLLIN) != 0)
		FD_SET(fd, &in);
	if ((events & POLLOUT) != 0)
		FD_SET(fd, &out);
	FD_SET(fd, &err);
	r = select(fd + 1, &in, &out, &err, ms < 0 ? NULL : &time);
	return from_sets(fd, r, &in, &out, &err);
}

static unsigned by_pselect(int fd, unsigned events, int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
	fd_set in, out, err;
	int r;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&err);
	if ((events & POLLIN) != 0)
		FD_SET(fd, &in);
	if ((events & POLLOUT) != 0)
		FD_SET(fd, &out);
	r = pselect(fd + 1, &in, &out, &err, ms < 0 ? NULL : &time, NULL);
	return from_sets(fd, r, &in, &out, &err);
}

static const struct wait {
	const char *name;
	unsigned (*wait)(int fd, unsigned events, int ms);
} waits[] = {
	{ "poll", by_poll },
	{ "ppoll", by_ppoll },
	{ "select", by_select },
	{ "pselect", by_pselect },
	{ NULL, NULL },
};

static void say_all(const char *when, int fd)
{
	say("%s", when);
	for (const struct wait *by = waits; by->name != NULL; by++) {
		say_events(by->name, by->wait(fd, POLLIN | POLLOUT, 0));
		say_events(by->name, by->wait(fd, POLLIN, 0));
	}
	say_events("poll for RDHUP", by_poll(fd, POLLRDHUP, 0));
	say_events("poll for nothing", by_poll(fd, 0, 0));
	say_events("poll for all",
		by_poll(fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM, 0));
}

static void life(void)
{
	int fd = connected();

	say_all("idle", fd);
	tell_peer("send 20000");
	await(fd, POLLIN);
	say_all("with data", fd);
	receive_all(fd, 19999, 6000);
	say_all("with a byte", fd);
	receive_all(fd, 1, 1);
	say_all("drained", fd);
	tell_peer("send 10");
	tell_peer("half_close");
	await(fd, POLLRDHUP);
	say_all("with data and the end", fd);
	receive_all(fd, 10, 10);
	say_all("with the end", fd);
	receive_to_end(fd);
	say_all("after the end", fd);
	NEED(shutdown(fd, SHUT_WR) == 0);
	say_all("shut", fd);
	tell_peer("until_end");
	say_all("over", fd);
}

static void life_beside(void)
{
	begin_beside();
	life();
}

static void own_shutdown(void)
{
	int fd = connected();

	NEED(shutdown(fd, SHUT_WR) == 0);
	tell_peer("until_end");
	say_all("shut", fd);
	tell_peer("send 10");
	await(fd, POLLIN);
	say_all("with data", fd);
	receive_all(fd, 10, 10);
	tell_peer("close");
	await(fd, POLLHUP);
	say_all("over", fd);
	receive_to_end(fd);
}

static void own_shutdown_beside(void)
{
	begin_beside();
	own_shutdown();
}

static void reset(void)
{
	int fd = connected();

	tell_peer("abort");
	await(fd, POLLERR);
	say_all("reset", fd);
	say_result("read", read(fd, room, 1));
	say_all("told", fd);
}

static void reset_beside(void)
{
	begin_beside();
	reset();
}

/* The path is full, and free again. */
static void writable_again(void)
{
	int fd = connected();
	size_t total = 0;
	ssize_t n;

	while ((n = send(fd, outgoing(60000), 60000, MSG_DONTWAIT)) > 0) {
		not_sent(60000 - (size_t)n);
		total += (size_t)n;
	}
	not_sent(60000);
	say_all("full", fd);
	tell_peer_later("recv %zu", total);
	say_events("poll", by_poll(fd, POLLIN | POLLOUT, -1));
	await_peer();
	NEED(send_all(fd, 10));
	tell_peer("recv 10");
	say_all("free", fd);
}

static void writable_again_beside(void)
{
	begin_beside();
	writable_again();
}

/* Each kind of wait ends when there is something, and the read after it gets it at once. */
static void wait_then_read(void)
{
	int fd = connected();

	for (const struct wait *by = waits; by->name != NULL; by++) {
		tell_peer_later("send 100");
		say_events(by->name, by->wait(fd, POLLIN, -1));
		hear_peer();
		say_received("read", room, read(fd, room, 200));
	}
}

/* What a blocking read would wait behind: control records, half a record. */
static void no_data(void)
{
	int fd = connected();

	tell_peer("send 5");
	receive_all(fd, 5, 5);
	for (const struct wait *by = waits; by->name != NULL; by++) {
		ask_peer("ticket");
		ask_peer("key_update");
		ask_peer("key_update request");
		say_events(by->name, by->wait(fd, POLLIN, 1));
		tell_peer("partial 500");
		say_events(by->name, by->wait(fd, POLLIN, 0));
		say_events(by->name, by->wait(fd, POLLIN | POLLOUT, 0));
		tell_peer_later("rest");
		say_events(by->name, by->wait(fd, POLLIN, -1));
		hear_peer();
		say_received("read", room, read(fd, room, 1000));
	}
}

static void no_data_beside(void)
{
	begin_beside();
	no_data();
}

static void wait_then_read_beside(void)
{
	begin_beside();
	wait_then_read();
}

/* Before any data: TLS 1.3 sends its tickets now. */
static void silent_at_first(void)
{
	int fd = connected(), bytes = -1;

	for (const struct wait *by = waits; by->name != NULL; by++) {
		say_events(by->name, by->wait(fd, POLLIN, 0));
		say_events(by->name, by->wait(fd, POLLIN, 5));
		ask_peer("ticket");
	}
	NEED(ioctl(fd, FIONREAD, &bytes) == 0);
	say("bytes: %d", bytes);
	tell_peer_later("send 5");
	say_events("poll", by_poll(fd, POLLIN, -1));
	hear_peer();
	say_received("read", room, read(fd, room, 10));
}

/* --- Time */

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Never before the time; control records do not count as something. */
static void timeouts(void)
{
	struct timeval time = { 0, 30000 };
	int fd = connected();
	fd_set in;

	for (const struct wait *by = waits; by->name != NULL; by++) {
		long long start = now_us();

		ask_peer("ticket");
		say_events(by->name, by->wait(fd, POLLIN, 20));
		say("%s: %s", by->name, now_us() - start >= 20000 ? "not early" : "early");
	}
	FD_ZERO(&in);
	FD_SET(fd, &in);
	say_result("select", select(fd + 1, &in, NULL, NULL, &time));
	say("left: %ld.%06ld", (long)time.tv_sec, (long)time.tv_usec);
	tell_peer("send 5");
	await(fd, POLLIN);
	time = (struct timeval){ 1000, 0 };
	FD_SET(fd, &in);
	say_result("select", select(fd + 1, &in, NULL, NULL, &time));
	say("left: %s", time.tv_sec == 999 || (time.tv_sec == 1000 && time.tv_usec == 0)
				? "the rest"
				: "something else");
}

static void timeouts_beside(void)
{
	begin_beside();
	timeouts();
}

/* --- Signals */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void say_signals(const char *call, int result)
{
	say_result(call, result);
	say("signals: %d", (int)signals);
	signals = 0;
}

/* The mask is in force for the wait, and for nothing else. */
static void masks(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct pollfd pfd;
	sigset_t blocked, none;
	int fd = connected();
	fd_set in;

	FD_ZERO(&in);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaction(SIGUSR1, &action, NULL);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	raise(SIGUSR1);
	say_signals("poll", poll(&pfd, 1, 5));
	say_signals("ppoll", ppoll(&pfd, 1, NULL, &none));
	raise(SIGUSR1);
	FD_SET(fd, &in);
	say_signals("pselect", pselect(fd + 1, &in, NULL, NULL, NULL, &none));
	tell_peer("send 5");
	await(fd, POLLIN);
	raise(SIGUSR1);
	say_signals("ppoll", ppoll(&pfd, 1, NULL, &none));
	say_events("ppoll", (unsigned)pfd.revents);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	say_signals("at last", 0);
}

static void masks_beside(void)
{
	begin_beside();
	masks();
}

/* No wait is restarted, whatever SA_RESTART says. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int fd = connected();

	for (int restart = 0; restart < 2; restart++) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		struct timeval time = { 100, 0 };
		fd_set in;

		action.sa_flags = restart ? SA_RESTART : 0;
		sigaction(SIGUSR1, &action, NULL);
		tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		say_signals("poll", poll(&pfd, 1, -1));
		await_peer();
		FD_ZERO(&in);
		FD_SET(fd, &in);
		tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		say_signals("select", select(fd + 1, &in, NULL, NULL, &time));
		await_peer();
		say("set as it was: %d, time went on: %d", FD_ISSET(fd, &in), time.tv_sec < 100);
	}
}

static void interrupted_beside(void)
{
	begin_beside();
	interrupted();
}

/* --- Arguments */

static void bad_arguments(void)
{
	struct timeval negative = { -1, 0 }, large = { 0, 1500000 };
	struct timespec wrong = { 0, 1000000000 };
	struct pollfd fds[4];
	int fd = connected(), closed;
	fd_set in;

	tell_peer("send 5");
	await(fd, POLLIN);
	closed = dup(0);
	close(closed);
	fds[0] = (struct pollfd){ .fd = closed, .events = POLLIN, .revents = 77 };
	fds[1] = (struct pollfd){ .fd = -1, .events = POLLIN, .revents = 77 };
	fds[2] = (struct pollfd){ .fd = fd, .events = POLLIN };
	fds[3] = (struct pollfd){ .fd = -fd, .events = POLLIN, .revents = 77 };
	say_result("poll", poll(fds, 4, -1));
	for (int i = 0; i < 4; i++)
		say_events("descriptor", (unsigned)fds[i].revents);
	say_result("poll of nothing", poll(NULL, 0, 3));
	say_result("poll of one that is not", poll(fds + 1, 1, 3));
	say_result("ppoll", ppoll(fds, 4, &wrong, NULL));
	FD_ZERO(&in);
	FD_SET(closed, &in);
	say_result("select", select(closed + 1, &in, NULL, NULL, NULL));
	FD_ZERO(&in);
	FD_SET(fd, &in);
	say_result("select", select(-1, &in, NULL, NULL, NULL));
	say_result("select", select(fd + 1, &in, NULL, NULL, &negative));
	say_result("select", select(fd + 1, &in, NULL, NULL, &large));
	FD_SET(fd, &in);
	say_result("pselect", pselect(fd + 1, &in, NULL, NULL, &wrong, NULL));
	FD_ZERO(&in);
	FD_SET(fd, &in);
	say_result("select below", select(fd, &in, NULL, NULL, &(struct timeval){ 0, 3000 }));
	say("set: %d", FD_ISSET(fd, &in));
	say_result("select of nothing", select(0, NULL, NULL, NULL, &(struct timeval){ 0, 3000 }));
	say_result(
		"select for errors", select(fd + 1, NULL, NULL, &in, &(struct timeval){ 0, 3000 }));
}

static void bad_arguments_beside(void)
{
	begin_beside();
	bad_arguments();
}

/* The same descriptor more than once, and under two numbers. */
static void several_times(void)
{
	struct pollfd fds[4];
	int fd = connected(), copy = dup(fd);

	tell_peer("send 5");
	fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = fd, .events = POLLOUT };
	fds[2] = (struct pollfd){ .fd = copy, .events = POLLIN | POLLOUT };
	fds[3] = (struct pollfd){ .fd = copy, .events = POLLPRI };
	await(fd, POLLIN);
	say_result("poll", poll(fds, 4, -1));
	for (int i = 0; i < 4; i++)
		say_events("descriptor", (unsigned)fds[i].revents);
}

static void several_times_beside(void)
{
	begin_beside();
	several_times();
}

/* Numbers at and beyond FD_SETSIZE, in sets that are large enough. */
static void large_sets(void)
{
	static const int numbers[] = { 1023, 1024, 2500, 3999 };
	const struct rlimit limit = { 4096, 4096 };
	fd_set *in = calloc(1, 4096 / 8), *out = calloc(1, 4096 / 8);
	int fd = connected(), dups[4], pipe_fds[2];

	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0 && pipe(pipe_fds) == 0);
	for (int i = 0; i < 4; i++)
		dups[i] = dup2(fd, numbers[i]);
	tell_peer("send 5");
	await(fd, POLLIN);
	for (int i = 0; i < 4; i++) {
		NEED(dups[i] == numbers[i]);
		((unsigned long *)in)[dups[i] / 64] |= 1UL << (dups[i] % 64);
		((unsigned long *)out)[dups[i] / 64] |= 1UL << (dups[i] % 64);
	}
	((unsigned long *)in)[0] |= 1UL << pipe_fds[0];
	say_result("select", select(4000, in, out, NULL, NULL));
	for (int i = 0; i < 4; i++)
		say("in %d, out %d",
			(int)(((unsigned long *)in)[dups[i] / 64] >> (dups[i] % 64) & 1),
			(int)(((unsigned long *)out)[dups[i] / 64] >> (dups[i] % 64) & 1));
	say("pipe %d", (int)(((unsigned long *)in)[0] >> pipe_fds[0] & 1));
}

static void large_sets_beside(void)
{
	begin_beside();
	large_sets();
}

/* A call that succeeds leaves errno alone, whatever it does besides. */
static void errno_stays(void)
{
	struct pollfd pfd = { .fd = connected_unused(), .events = POLLOUT };

	errno = EDOM;
	NEED(poll(&pfd, 1, -1) == 1);
	say("poll: %s", strerrorname_np(errno));
	NEED(write(pfd.fd, outgoing(1000), 1000) == 1000);
	say("write: %s", strerrorname_np(errno));
	tell_peer("send 1000");
	pfd.events = POLLIN;
	errno = EDOM;
	NEED(poll(&pfd, 1, -1) == 1);
	receive_all(pfd.fd, 1000, 1000);
	NEED(close(pfd.fd) == 0);
	say("at last: %s", strerrorname_np(errno));
}

const struct test_case cases[] = {
	CASE(19, life, EVERYWHERE),
	CASE(19, life_beside, EVERYWHERE),
	CASE(20, wait_then_read, EVERYWHERE),
	CASE(20, wait_then_read_beside, EVERYWHERE),
	CASE(20, no_data, ANY_ROLE | BLOCKING),
	CASE(20, no_data_beside, ANY_ROLE | BLOCKING),
	CASE(20, silent_at_first, EVERYWHERE),
	CASE(21, own_shutdown, EVERYWHERE),
	CASE(21, own_shutdown_beside, EVERYWHERE),
	CASE(21, reset, EVERYWHERE),
	CASE(21, reset_beside, EVERYWHERE),
	CASE(21, writable_again, EVERYWHERE),
	CASE(21, writable_again_beside, EVERYWHERE),
	CASE(27, errno_stays, EVERYWHERE),
	CASE(28, interrupted, EVERYWHERE),
	CASE(28, interrupted_beside, EVERYWHERE),
	CASE(46, several_times, EVERYWHERE),
	CASE(46, several_times_beside, EVERYWHERE),
	CASE(78, large_sets, EVERYWHERE),
	CASE(78, large_sets_beside, EVERYWHERE),
	CASE(78, bad_arguments, EVERYWHERE),
	CASE(78, bad_arguments_beside, EVERYWHERE),
	CASE(79, masks, EVERYWHERE),
	CASE(79, masks_beside, EVERYWHERE),
	CASE(80, timeouts, EVERYWHERE),
	CASE(80, timeouts_beside, EVERYWHERE),
	END_OF_CASES,
};
