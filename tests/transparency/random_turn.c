/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One end sends, then the other finds out what it has got: nothing depends on timing, so every
 * result is known beforehand, and the same over TCP.
 */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SENDS_MOST 5
#define ALIAS_LEAST 300 /* of the numbers that are asked for */

/* --- Between the calls: what concerns the descriptor alone */

void aside_set_int(struct end *end, int level, int name, int value)
{
	int got = -1;
	socklen_t len = sizeof(got);
	int r = setsockopt(end->fd, level, name, &value, sizeof(value));

	say(end, "setsockopt %d %d: %d", level, name, r);
	r = getsockopt(end->fd, level, name, &got, &len);
	say(end, "getsockopt %d %d: %d, %d of %u", level, name, r, got, len);
}

static void toggle_nonblock(struct end *end, struct rng *rng)
{
	int on = !end->nonblock, r;

	if (rng_one_in(rng, 2))
		r = ioctl(end->fd, FIONBIO, &on);
	else
		r = fcntl(end->fd, F_SETFL, O_RDWR | (on ? O_NONBLOCK : 0));
	end->nonblock = on;
	say(end, "non-blocking %d: %d, flags %o", on, r, (unsigned)fcntl(end->fd, F_GETFL));
}

static void add_alias(struct end *end, struct rng *rng)
{
	int made = -1, number;

	switch (rng_below(rng, 5)) {
	case 0:
		made = dup(end->fd);
		break;
	case 1:
		made = fcntl(end->fd, F_DUPFD, ALIAS_LEAST);
		break;
	case 2:
		made = fcntl(end->fd, F_DUPFD_CLOEXEC, ALIAS_LEAST);
		break;
	default:
		/* A number that is free, or our own alias in use. */
		number = fcntl(end->fd, F_DUPFD, ALIAS_LEAST + 50);
		made = rng_one_in(rng, 2) ? dup2(end->fd, number)
					  : dup3(end->fd, number, O_CLOEXEC);
		say(end, "dup onto a copy: %d", made == number);
	}
	say(end, "dup: %s", outcome(made));
	must(end, made >= 0, "dup");
	end->alias[end->aliases++] = made;
}

static void close_alias(struct end *end, struct rng *rng)
{
	unsigned which = (unsigned)rng_below(rng, end->aliases);
	int gone = end->alias[which], r = close(gone);

	say(end, "close of a copy: %s", outcome(r));
	end->alias[which] = end->alias[--end->aliases];
	if (end->fd == gone)
		end->fd = end->alias[0];
	errno = 0;
	if (!options.threads) { /* else the number may be another's by now */
		r = (int)read(gone, &which, 1);
		say(end, "read after close: %s", outcome(r));
	}
}

static void change_alias(struct end *end, struct rng *rng)
{
	if (end->aliases < ALIASES && (end->aliases == 1 || rng_one_in(rng, 2)))
		add_alias(end, rng);
	else
		close_alias(end, rng);
	end->fd = end->alias[rng_below(rng, end->aliases)];
}

static void ask_names(struct end *end)
{
	struct sockaddr_in name = { 0 };
	socklen_t len = sizeof(name);
	int r = getpeername(end->fd, (struct sockaddr *)&name, &len), at_mark = -1;
	int asked = ioctl(end->fd, SIOCATMARK, &at_mark);

	say(end, "getpeername: %d %u %x %d", r, len, ntohl(name.sin_addr.s_addr),
		name.sin_port == end->addresses[end->room].sin_port);
	say(end, "SIOCATMARK: %d %d", asked, at_mark);
}

void aside(struct end *end, struct rng *rng, bool forked)
{
	static const struct {
		int level, name;
	} options_of[] = { { SOL_SOCKET, SO_KEEPALIVE }, { IPPROTO_TCP, TCP_QUICKACK },
		{ SOL_SOCKET, SO_OOBINLINE }, { SOL_SOCKET, SO_RCVLOWAT } };
	size_t which = rng_below(rng, 12);
	int error = -1;
	socklen_t len = sizeof(error);

	if (which < 3)
		aside_set_int(end, options_of[which].level, options_of[which].name,
			(int)rng_below(rng, 2));
	else if (which == 3)
		aside_set_int(end, SOL_SOCKET, SO_RCVLOWAT, 1);
	else if (which < 6)
		toggle_nonblock(end, rng);
	else if (which == 6) {
		int r = getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &len);

		say(end, "SO_ERROR: %d, %d", r, error);
	} else if (which == 7)
		ask_names(end);
	else if (which < 11 && !forked)
		change_alias(end, rng);
}

/* --- Sending */

static void send_nothing(struct end *end, struct rng *rng)
{
	struct iovec none[2] = { { "", 0 }, { "", 0 } };
	ssize_t n;

	switch (rng_below(rng, 4)) {
	case 0:
		n = write(end->fd, "", 0);
		break;
	case 1:
		n = writev(end->fd, none, (int)rng_below(rng, 3));
		break;
	case 2:
		n = send(end->fd, "", 0, MSG_NOSIGNAL);
		break;
	default:
		n = pwritev2(end->fd, none, 2, -1, 0);
	}
	say(end, "nothing sent: %zd %s", n, outcome(n));
}

/* All of it, in one call: there is room for it. */
static void send_all(struct end *end, struct rng *rng, size_t len)
{
	ssize_t n;

	do
		n = call_send(end, end->fd, rng, len);
	while (n < 0 && errno == EINTR);
	say(end, "send of %zu: %zd %s", len, n, outcome(n));
	if (n != (ssize_t)len)
		fail(end, "a send of %zu gives %zd although there is room", len, n);
	end->out.done += len;
}

static void send_some(struct end *end, struct rng *rng, size_t most, bool forked)
{
	size_t sends = 1 + rng_below(rng, SENDS_MOST);
	int on = rng_one_in(rng, 6);

	if (on)
		say(end, "cork: %d", setsockopt(end->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	for (size_t i = 0; i < sends && most > 0; i++) {
		size_t len = rng_size(rng, most < MOST ? most : MOST);

		if (rng_one_in(rng, 4))
			aside(end, rng, forked);
		if (rng_one_in(rng, 8))
			send_nothing(end, rng);
		send_all(end, rng, len);
		most -= len;
	}
	if (on) {
		on = 0;
		say(end, "uncork: %d", setsockopt(end->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	}
}

/* --- */

static void act(struct end *end, struct rng *rng, size_t most, bool acting, bool all, bool forked)
{
	if (acting)
		send_some(end, rng, most, forked);
	else
		read_some(end, rng, all, forked);
}

/* The same by a child, while the parent waits for it. */
static void act_in_child(struct end *end, struct rng *rng, size_t most, bool acting, bool all)
{
	int status = -1;
	pid_t child = fork(), got;

	must(end, child >= 0, "fork");
	if (child == 0) {
		act(end, rng, most, acting, all, true);
		_exit(0);
	}
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != child || status != 0)
		fail(end, "the child ended with %x", (unsigned)status);
}

static void peer_turn(struct end *end, bool acting, size_t most, bool all, bool torn)
{
	if (!acting) {
		peer_receive(end, all);
		return;
	}
	peer_send(end, most, torn);
	if (torn) {
		tell(end, arrival_of(end));
		hear(end);
		peer_send(end, 0, false);
	}
}

void turn_to(struct end *end, bool acting, size_t most, bool all)
{
	struct rng common = rng_of(end->seed, end->step, 9);
	bool torn = (acting ? end->simple : end->met_simple) && end->due_most > 0 &&
		    rng_one_in(&common, 4);
	struct rng rng = rng_of(end->seed, end->step, end->side);
	bool by_child = rng_one_in(&rng, 10) && !options.threads;

	if (acting) {
		uint64_t unread = end->out.done - end->other_read;

		if (most > end->due_most - unread)
			most = end->due_most - unread;
	} else {
		if (torn)
			read_torn(end, &rng);
		end->in_sent = hear(end);
		arrival_wait(end, hear(end));
		end->due = end->in_sent - end->in.done;
		note(end, "%" PRIu64 " bytes are due", end->due);
	}
	if (end->simple)
		peer_turn(end, acting, most, all, torn);
	else if (by_child)
		act_in_child(end, &rng, most, acting, all);
	else
		act(end, &rng, most, acting, all, false);
	if (acting) {
		tell(end, end->out.done);
		/* Tickets may not fit into tiny buffers. */
		tell(end, end->due_most > 0 ? arrival_of(end) : 0);
		end->other_read = hear(end);
	} else {
		tell(end, end->in.done);
	}
	if (!rng_one_in(&common, 40))
		return;
	if (acting)
		arrival_acknowledged(end);
	meet(end);
}

void turn(struct end *end)
{
	struct rng common = rng_of(end->seed, end->step, 7);
	bool acting = rng_below(&common, 2) == (size_t)end->side;

	end->phase = acting ? "sending" : "reading";
	turn_to(end, acting, MOST, rng_one_in(&common, 2));
}
