/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a reader finds out, when all has arrived that was sent: every answer is known beforehand. */
#include "random.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define READS_MOST 8
#define LITTLE_US 2000

static void set_timeout(struct end *end, int name, long us)
{
	struct timeval value = { us / 1000000, us % 1000000 };

	must(end, setsockopt(end->fd, SOL_SOCKET, name, &value, sizeof(value)) == 0, "a timeout");
}

/* Readable if and only if there is something, the end included. */
static void look(struct end *end, struct rng *rng)
{
	bool ready = end->due > 0 || end->in_closed;
	struct rng once_more = rng_of(rng->state, 0, 0);
	int got = wait_look(end, end->fd, rng, POLLIN, 0);
	char byte;

	if ((got & POLLIN) != 0 && !ready) {
		/* DESIGN 5.2: a record that is no data, or not whole. Once, and not for who would
		 * block then, if the other end speaks as the library does. */
		if (!end->nonblock && !end->met_simple)
			fail(end, "readable, and a blocking read would hang");
		if (recv(end->fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
			fail(end, "something comes from nothing");
		got = wait_look(end, end->fd, &once_more, POLLIN, 0);
	}
	say(end, "readable: %d", (got & POLLIN) != 0);
	if (((got & POLLIN) != 0) != ready)
		fail(end, "readable: %d, with %" PRIu64 " bytes due", got & POLLIN, end->due);
}

static void look_all(struct end *end, struct rng *rng)
{
	int got;

	if (end->due == 0 && !end->in_closed)
		return;
	got = wait_look(end, end->fd, rng, POLLIN | POLLOUT, 0);
	/* A close_notify that meets a socket which is shut on both sides is answered by a reset. */
	if (end->out_closed && end->in_closed)
		got &= ~POLLERR;
	say(end, "all: %x", (unsigned)got);
}

static void ask_due(struct end *end)
{
	int n = -1, r = ioctl(end->fd, FIONREAD, &n);

	say(end, "FIONREAD: %d, %d", r, n);
	if (r != 0 || n != (int)end->due)
		fail(end, "FIONREAD gives %d, %" PRIu64 " are due", n, end->due);
}

static void read_nothing(struct end *end, struct rng *rng)
{
	struct iovec none[2] = { { "", 0 }, { "", 0 } };
	char byte;
	ssize_t n;

	switch (rng_below(rng, 4)) {
	case 0:
		n = read(end->fd, &byte, 0);
		break;
	case 1:
		n = readv(end->fd, none, (int)rng_below(rng, 3));
		break;
	case 2:
		n = preadv2(end->fd, none, 2, -1, 0);
		break;
	default:
		n = recv(end->fd, &byte, 0, MSG_DONTWAIT);
	}
	say(end, "nothing read: %zd %s", n, outcome(n));
}

/* SO_RCVTIMEO: what there is after the time, and EAGAIN if it is nothing. */
static void read_in_time(struct end *end, struct rng *rng)
{
	size_t len = end->due + 1 + rng_below(rng, 100);
	ssize_t n;

	if (len > MOST || end->nonblock || end->in_closed)
		return;
	set_timeout(end, SO_RCVTIMEO, LITTLE_US);
	do
		n = call_take(end, end->fd, rng, len, end->due > 0 ? MSG_WAITALL : 0);
	while (n < 0 && errno == EINTR);
	say(end, "in time, of %zu: %zd %s", len, n, outcome(n));
	set_timeout(end, SO_RCVTIMEO, 0);
	if (n != (end->due > 0 ? (ssize_t)end->due : -1) || (n < 0 && errno != EAGAIN))
		fail(end, "with SO_RCVTIMEO %zd of %" PRIu64 " bytes", n, end->due);
	if (n > 0)
		end->due -= (uint64_t)n;
}

/* SO_RCVLOWAT: a read that asks for more waits for so much, and takes all that there is then. */
static void read_at_least(struct end *end, struct rng *rng)
{
	int least = 1 + (int)rng_below(rng, end->due + 50);
	ssize_t n;

	if (end->due == 0 || end->due >= MOST || end->nonblock || end->in_closed)
		return;
	aside_set_int(end, SOL_SOCKET, SO_RCVLOWAT, least);
	if ((uint64_t)least > end->due)
		set_timeout(end, SO_RCVTIMEO, LITTLE_US);
	do
		n = call_take(end, end->fd, rng, end->due + 1 + rng_below(rng, MOST - end->due), 0);
	while (n < 0 && errno == EINTR);
	say(end, "at least %d: %zd %s", least, n, outcome(n));
	set_timeout(end, SO_RCVTIMEO, 0);
	aside_set_int(end, SOL_SOCKET, SO_RCVLOWAT, 1);
	if (n != (ssize_t)end->due)
		fail(end, "with SO_RCVLOWAT %d a read gives %zd of %" PRIu64 " bytes", least, n,
			end->due);
	end->due = 0;
}

static void read_away(struct end *end, struct rng *rng)
{
	size_t len = rng_size(rng, end->due);
	ssize_t n;

	if (len > MOST)
		len = MOST;
	n = recv(end->fd, NULL, len, MSG_TRUNC);
	say(end, "away with %zu: %zd %s", len, n, outcome(n));
	if (n != (ssize_t)len)
		fail(end, "MSG_TRUNC of %zu gives %zd", len, n);
	end->in.done += len;
	end->due -= len;
}

static int pick_flags(struct end *end, struct rng *rng, size_t len)
{
	int flags = 0;

	if (rng_one_in(rng, 4))
		flags |= MSG_PEEK;
	if (rng_one_in(rng, 4) && len <= end->due)
		flags |= MSG_WAITALL;
	if (rng_one_in(rng, 4) || (end->due == 0 && !end->in_closed && !end->nonblock))
		flags |= MSG_DONTWAIT;
	return flags;
}

/* One read whose result is known. */
static void read_once(struct end *end, struct rng *rng, size_t most)
{
	size_t len = rng_size(rng, most);
	int flags = pick_flags(end, rng, len);
	ssize_t want = (ssize_t)(len < end->due ? len : end->due), n;

	if (want == 0 && !end->in_closed)
		want = -1;
	do
		n = (flags & MSG_PEEK) != 0 ? call_receive(end, end->fd, rng, len, flags)
					    : call_take(end, end->fd, rng, len, flags);
	while (n < 0 && errno == EINTR);
	say(end, "read of %zu, %x: %zd %s in %d", len, (unsigned)flags, n, outcome(n),
		end->messages);
	if (n != want || (n < 0 && errno != EAGAIN))
		fail(end, "a read of %zu with flags %x gives %zd, and %" PRIu64 " bytes were due",
			len, (unsigned)flags, n, end->due);
	if (n > 0 && (flags & MSG_PEEK) == 0)
		end->due -= (uint64_t)n;
}

static void find_out(struct end *end, struct rng *rng)
{
	switch (rng_below(rng, 14)) {
	case 0:
	case 1:
		look(end, rng);
		break;
	case 2:
		ask_due(end);
		break;
	case 3:
		read_nothing(end, rng);
		break;
	case 4:
		look_all(end, rng);
		break;
	case 5:
		if (rng_one_in(rng, 3))
			read_in_time(end, rng);
		else if (rng_one_in(rng, 2))
			read_at_least(end, rng);
		break;
	case 6:
		if (end->due > 0)
			read_away(end, rng);
		break;
	default:
		read_once(end, rng, MOST);
	}
}

void read_some(struct end *end, struct rng *rng, bool all, bool forked)
{
	size_t reads = rng_below(rng, READS_MOST + 1);

	for (size_t i = 0; i < reads; i++) {
		if (rng_one_in(rng, 6))
			aside(end, rng, forked);
		find_out(end, rng);
	}
	while (all && end->due > 0)
		read_once(end, rng, MOST);
	if (all)
		look(end, rng);
}

/* Something has come that is nothing yet. */
void read_torn(struct end *end, struct rng *rng)
{
	arrival_wait(end, hear(end));
	note(end, "part of a record has arrived");
	look(end, rng);
	if (rng_one_in(rng, 2))
		ask_due(end);
	if (end->due == 0)
		read_once(end, rng, MOST);
	look(end, rng);
	tell(end, 0);
}

void read_drain(struct end *end, struct rng *rng)
{
	if (end->simple) {
		peer_receive(end, true);
		return;
	}
	while (end->due > 0)
		read_once(end, rng, MOST);
	if (end->in_closed) {
		read_look(end, rng);
		read_once(end, rng, MOST);
		read_once(end, rng, MOST);
	}
}

void read_look(struct end *end, struct rng *rng)
{
	if (end->simple)
		return;
	look(end, rng);
	look_all(end, rng);
}
