/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a connection comes about, and how it ends. */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DUE_USUAL 40000
#define DUE_WIDE 150000
#define WIDE (1 << 20)
#define REPLACEMENT_LEAST 400

static _Atomic int broken_pipes;

static void count_broken_pipe(int signal)
{
	(void)signal;
	broken_pipes++;
}

/* --- The beginning */

static void set_room(struct end *end, int fd)
{
	int least = 1, wide = WIDE;

	if (end->room == ROOM_WIDE)
		must(end,
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide)) == 0 &&
				setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wide, sizeof(wide)) == 0,
			"buffers");
	if (end->room == ROOM_TINY)
		must(end, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) == 0,
			"SO_RCVBUF");
	if (end->room == ROOM_TINY || end->room == ROOM_TINY_SEND)
		must(end, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0,
			"SO_SNDBUF");
}

static void wait_connected(struct end *end, struct rng *rng, const struct sockaddr *address)
{
	int error = -1, got;
	socklen_t len = sizeof(error);

	if (rng_one_in(rng, 4) && connect(end->fd, address, sizeof(struct sockaddr_in)) < 0 &&
		errno != EALREADY && errno != EISCONN)
		fail(end, "a second connect()");
	got = wait_look(end, end->fd, rng, POLLOUT, HANG_MS);
	if (got != POLLOUT)
		fail(end, "after connect() the socket is %x", (unsigned)got);
	must(end, getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0, "SO_ERROR");
	say(end, "SO_ERROR: %d", error);
}

/* As event loops do that know a socket before it is connected. */
static int register_early(struct end *end, struct rng *rng)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLIN |
					       (rng_one_in(rng, 2) ? EPOLLET : 0),
		.data.fd = end->fd };
	int set = epoll_create1(EPOLL_CLOEXEC);

	must(end, set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, end->fd, &event) == 0, "epoll_ctl");
	return set;
}

static void wait_registered(struct end *end, int set)
{
	struct epoll_event event = { 0 };
	int r;

	do
		r = epoll_wait(set, &event, 1, HANG_MS);
	while (r < 0 && errno == EINTR);
	note(end, "registered before connect(): %x", event.events);
	if (r != 1 || event.data.fd != end->fd || (event.events & ~(uint32_t)EPOLLIN) != EPOLLOUT)
		fail(end, "registered before connect(), a socket gives %d, %x", r, event.events);
}

/* The handshake, if there is one, is another process's affair. */
static void wait_in_child(struct end *end, struct rng *rng)
{
	pid_t child = fork(), got;
	int status = -1;

	must(end, child >= 0, "fork");
	if (child == 0)
		_exit((wait_look(end, end->fd, rng, POLLOUT, HANG_MS) & POLLOUT) == 0);
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != child || status != 0)
		fail(end, "the child ended with %x", (unsigned)status);
}

static void connect_to(struct end *end, struct rng *rng)
{
	const struct sockaddr *address = (const struct sockaddr *)&end->addresses[end->room];
	bool early = rng_one_in(rng, 3), by_child = rng_one_in(rng, 8);
	int r, set = -1;

	end->nonblock = rng_one_in(rng, 2);
	end->fd = socket(AF_INET, SOCK_STREAM | (end->nonblock ? SOCK_NONBLOCK : 0), 0);
	must(end, end->fd >= 0, "socket");
	set_room(end, end->fd);
	if (early)
		set = register_early(end, rng);
	r = connect(end->fd, address, sizeof(struct sockaddr_in));
	say(end, "connect: %d %s", r, outcome(r));
	if (r == 0 || !end->nonblock || errno != EINPROGRESS)
		must(end, r == 0, "connect");
	else if (by_child && !options.threads && !end->simple)
		wait_in_child(end, rng);
	if (early)
		wait_registered(end, set);
	if (early)
		close(set);
	if (r < 0)
		wait_connected(end, rng, address);
	/* Once it may say that it is done, if connect() itself has not. */
	if (connect(end->fd, address, sizeof(struct sockaddr_in)) < 0 && errno != EISCONN)
		fail(end, "connect() after connect()");
	r = connect(end->fd, address, sizeof(struct sockaddr_in));
	say(end, "connected: %d %s", r, outcome(r));
}

static void accept_from(struct end *end, struct rng *rng)
{
	int listener = end->listeners[end->room], got, flags;

	end->nonblock = rng_one_in(rng, 2);
	got = wait_look(end, listener, rng, POLLIN, HANG_MS);
	must(end, got == POLLIN, "the listener");
	end->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | (end->nonblock ? SOCK_NONBLOCK : 0));
	must(end, end->fd >= 0, "accept4");
	if (rng_one_in(rng, 8) && !options.threads && !end->simple)
		wait_in_child(end, rng);
	flags = fcntl(end->fd, F_GETFD);
	say(end, "accepted: %o %o", (unsigned)flags, (unsigned)fcntl(end->fd, F_GETFL));
}

void establish(struct end *end)
{
	static const enum room rooms[] = { ROOM_USUAL, ROOM_USUAL, ROOM_USUAL, ROOM_WIDE, ROOM_WIDE,
		ROOM_TINY_SEND, ROOM_TINY, ROOM_USUAL };
	struct rng common = rng_of(end->seed, 0, 7), rng = rng_of(end->seed, 0, end->side);
	int on = 1;

	end->phase = "establish";
	end->room = rooms[rng_below(&common, sizeof(rooms) / sizeof(*rooms))];
	/* With tiny buffers no result is certain: there all is left to the flows. */
	end->due_most = end->room == ROOM_USUAL ? DUE_USUAL : end->room == ROOM_WIDE ? DUE_WIDE : 0;
	if (end->side == CLIENT)
		connect_to(end, &rng);
	else
		accept_from(end, &rng);
	if (end->simple)
		peer_begin(end);
	end->alias[0] = end->fd;
	end->aliases = 1;
	/* Without it a turn may wait for a delayed acknowledgement. */
	if (!rng_one_in(&rng, 20))
		say(end, "TCP_NODELAY: %d",
			setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	meet(end);
}

/* --- The end */

static void close_one(struct end *end, struct rng *rng, int fd)
{
	int null, r;

	switch (rng_below(rng, 4)) {
	case 0:
		r = close_range((unsigned)fd, (unsigned)fd, 0);
		break;
	case 1:
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		must(end, null >= 0 && dup2(null, fd) == fd && close(null) == 0, "dup2");
		r = close(fd);
		break;
	default:
		r = close(fd);
	}
	say(end, "close: %s", outcome(r));
}

static void close_all(struct end *end, struct rng *rng, bool reset)
{
	if (end->simple && end->fd >= 0)
		peer_close(end, reset);
	while (end->aliases > 0)
		close_one(end, rng, end->alias[--end->aliases]);
	end->fd = -1;
}

static void half_close(struct end *end, int how)
{
	int r;

	if (end->simple) {
		peer_shut(end);
		return;
	}
	r = shutdown(end->fd, how);
	say(end, "shutdown %d: %s", how, outcome(r));
	end->out_closed = true;
}

/* After the end of what is sent there is no more. */
static void send_after_end(struct end *end, struct rng *rng)
{
	int before = broken_pipes, flags = rng_one_in(rng, 2) ? MSG_NOSIGNAL : 0;
	ssize_t n;

	if (end->simple)
		return;
	n = send(end->fd, "x", 1, flags);
	say(end, "send after the end: %zd %s", n, outcome(n));
	if (!options.threads)
		say(end, "broken pipes: %d", broken_pipes - before);
}

static void told_of_end(struct end *end, struct rng *rng)
{
	if (end->simple) {
		peer_expect_end(end, false);
		return;
	}
	arrival_ended(end, false);
	end->in_closed = true;
	read_look(end, rng);
	read_drain(end, rng);
}

/* One end says that it is done, the other may go on, then is done too. */
static void end_by_halves(struct end *end, bool first, struct rng *common, struct rng *rng)
{
	bool more = rng_one_in(common, 2), both = rng_one_in(common, 4);

	if (first) {
		half_close(end, both ? SHUT_RDWR : SHUT_WR);
		end->in_closed = both;
		tell(end, 1);
		if (rng_one_in(rng, 2))
			send_after_end(end, rng);
	} else {
		hear(end);
		told_of_end(end, rng);
	}
	if (more && !both) {
		turn_to(end, !first, MOST, true);
	} else
		meet(end);
	if (first) {
		hear(end);
		if (!both)
			told_of_end(end, rng);
		read_look(end, rng);
	} else {
		if (rng_one_in(rng, 2))
			half_close(end, SHUT_WR);
		else
			close_all(end, rng, false);
		tell(end, 1);
	}
}

static void ask_error(struct end *end)
{
	int error = -1;
	socklen_t len = sizeof(error);
	int r = getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len);

	say(end, "SO_ERROR: %d, %d", r, error);
}

static void read_reset(struct end *end, struct rng *rng)
{
	size_t len = rng_size(rng, MOST);
	ssize_t n = call_take(end, end->fd, rng, len, 0);

	say(end, "read: %zd %s", n, outcome(n));
	if (n > 0)
		end->due -= (uint64_t)n;
}

/* Close says it all. What the closing end has not read makes TCP reset the connection instead. */
static void end_by_close(struct end *end, bool first, bool unread, struct rng *rng)
{
	if (first) {
		if (!unread)
			read_drain(end, rng);
		close_all(end, rng, false);
		tell(end, 1);
	} else {
		hear(end);
		if (!unread) {
			told_of_end(end, rng);
			return;
		}
		if (end->simple) {
			peer_expect_end(end, true);
			return;
		}
		arrival_ended(end, false);
		for (int i = 0; i < 5; i++)
			read_reset(end, rng);
	}
}

static void told_of_reset(struct end *end, struct rng *rng)
{
	if (end->simple) {
		peer_expect_end(end, true);
		return;
	}
	arrival_ended(end, true);
	/* A reset that comes with the last of the handshake may be met by it: the error is told by
	 * the next call, but POLLERR is gone. */
	if (rng_one_in(rng, 2))
		say(end, "all: %x",
			(unsigned)(wait_look(end, end->fd, rng, POLLIN | POLLOUT | POLLRDHUP, 0) &
				   (end->met_simple ? ~POLLERR : ~0)));
	for (int i = 0; i < 6; i++)
		switch (rng_below(rng, 5)) {
		case 0:
			ask_error(end);
			break;
		case 1:
			send_after_end(end, rng);
			break;
		default:
			read_reset(end, rng);
		}
}

static void end_by_reset(struct end *end, bool first, struct rng *rng)
{
	struct linger now = { .l_onoff = 1 };

	if (first) {
		must(end, setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0,
			"SO_LINGER");
		close_all(end, rng, true);
		tell(end, 1);
	} else {
		hear(end);
		told_of_reset(end, rng);
	}
}

/* It says that this was all when there is no room for saying so. */
static void end_full(struct end *end, bool first, bool by_close, struct rng *rng)
{
	if (end->met_simple)
		first = true;
	else if (end->simple)
		first = false;
	if (first) {
		read_drain(end, rng);
		tell(end, fill_up(end, rng));
		if (by_close)
			close_all(end, rng, false);
		else
			half_close(end, SHUT_WR);
	} else if (end->simple) {
		end->in_sent = hear(end);
		peer_expect_end(end, false);
	} else {
		fill_read_to_end(end, rng);
		read_look(end, rng);
	}
}

/* Not reading is no matter of the other end's. */
static void end_deaf(struct end *end, bool first, struct rng *rng)
{
	if (first) {
		int r = end->simple ? 0 : shutdown(end->fd, SHUT_RD);

		say(end, "shutdown 0: %s", outcome(r));
		end->in_closed = true;
		read_look(end, rng);
		read_drain(end, rng);
		turn_to(end, true, MOST, true);
		close_all(end, rng, false);
		tell(end, 1);
	} else {
		turn_to(end, false, MOST, true);
		hear(end);
		told_of_end(end, rng);
	}
}

void finish(struct end *end)
{
	struct rng common = rng_of(end->seed, end->step, 7),
		   rng = rng_of(end->seed, end->step, end->side);
	bool first = rng_below(&common, 2) == (size_t)end->side;
	struct sigaction action = { .sa_handler = count_broken_pipe, .sa_flags = SA_RESTART };

	sigaction(SIGPIPE, &action, NULL);
	switch (rng_below(&common, 9)) {
	case 0:
		end->phase = "end by close";
		end_by_close(end, first, false, &rng);
		break;
	case 1:
		end->phase = "end by close, with bytes unread";
		end_by_close(end, first, !(first ? end->simple : end->met_simple), &rng);
		break;
	case 2:
		end->phase = "end by reset";
		end_by_reset(end, first, &rng);
		break;
	case 3:
		end->phase = "end deaf";
		end_deaf(end, first, &rng);
		break;
	case 4:
		end->phase = "end when full";
		end_full(end, first, rng_one_in(&common, 2), &rng);
		break;
	case 5:
	case 6:
		flow(end, true);
		read_look(end, &rng);
		read_drain(end, &rng);
		break;
	default:
		end->phase = "end by halves";
		end_by_halves(end, first, &common, &rng);
	}
	meet(end);
	close_all(end, &rng, false);
}
