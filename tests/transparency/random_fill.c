/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One end sends until there is no room, while the other does not read. What was counted has to
 * come, whatever the sender does then: go on when it may, or say that this was all, or close.
 */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#define FILL_MOST (1 << 23)
#define MORE_MOST 30000
#define MOST_TINY 1000
#define SIZE_LEAST 500
#define TIMEOUT_US 5000

static void set_nonblock(struct end *end, bool on)
{
	must(end, fcntl(end->fd, F_SETFL, O_RDWR | (on ? O_NONBLOCK : 0)) == 0, "F_SETFL");
	end->nonblock = on;
}

static void set_timeout(struct end *end, long us)
{
	struct timeval value = { 0, us };

	must(end, setsockopt(end->fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof(value)) == 0,
		"SO_SNDTIMEO");
}

/* Through tiny buffers TCP takes its time. */
static size_t most_of(const struct end *end, size_t most)
{
	return end->due_most > 0 ? most : MOST_TINY;
}

/* Until EAGAIN: at once, or after a time. */
static void send_until_full(struct end *end, struct rng *rng)
{
	uint64_t begin = end->out.done;

	while (end->out.done - begin < FILL_MOST) {
		size_t len = SIZE_LEAST + rng_size(rng, most_of(end, MOST - SIZE_LEAST));
		ssize_t n = call_send(end, end->fd, rng, len);

		if (n > 0)
			end->out.done += (uint64_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			fail(end, "a send gives %zd", n);
		else if (errno == EAGAIN)
			return;
	}
}

static void send_more(struct end *end, struct rng *rng, uint64_t to)
{
	set_nonblock(end, true);
	while (end->out.done < to) {
		uint64_t left = to - end->out.done;
		ssize_t n;

		if ((wait_look(end, end->fd, rng, POLLOUT, HANG_MS) & POLLOUT) == 0)
			fail(end, "there is no room, with %" PRIu64 " bytes to go", left);
		n = call_send(end, end->fd, rng, left < MOST ? left : MOST);
		if (n > 0)
			end->out.done += (uint64_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			fail(end, "a send gives %zd", n);
	}
}

/* Until `to`, or the end of the stream. */
static void read_until(struct end *end, struct rng *rng, uint64_t to, bool to_end)
{
	while (!end->in_closed && (to_end || end->in.done < to)) {
		ssize_t n;

		if ((wait_look(end, end->fd, rng, POLLIN, HANG_MS) & POLLIN) == 0)
			fail(end, "%" PRIu64 " of %" PRIu64 " bytes have come", end->in.done, to);
		n = call_take(end, end->fd, rng, SIZE_LEAST + rng_size(rng, MOST - SIZE_LEAST),
			MSG_DONTWAIT);
		if (n == 0)
			end->in_closed = true;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			fail(end, "a read fails");
	}
}

uint64_t fill_up(struct end *end, struct rng *rng)
{
	bool at_once = rng_one_in(rng, 2);

	set_nonblock(end, at_once);
	if (!at_once)
		set_timeout(end, TIMEOUT_US);
	send_until_full(end, rng);
	if (!at_once)
		set_timeout(end, 0);
	note(end, "it is full, with %" PRIu64 " bytes", end->out.done);
	return end->out.done;
}

void fill(struct end *end)
{
	struct rng common = rng_of(end->seed, end->step, 7),
		   rng = rng_of(end->seed, end->step, 10 + end->side);
	bool acting = rng_below(&common, 2) == (size_t)end->side;
	uint64_t to;

	acting = (acting || end->met_simple) && !end->simple;
	end->phase = acting ? "filling" : "filled";
	if (acting) {
		to = fill_up(end, &rng) + rng_below(&rng, most_of(end, MORE_MOST));
		tell(end, to);
		send_more(end, &rng, to);
		end->other_read = hear(end);
	} else {
		to = end->in_sent = hear(end);
		if (end->simple)
			peer_flow(end, 0, to - end->in.done - end->due, false);
		else
			read_until(end, &rng, to, false);
		end->due = 0;
		tell(end, end->in.done);
	}
	say(end, "full and empty again");
}

void fill_read_to_end(struct end *end, struct rng *rng)
{
	uint64_t counted = hear(end);

	read_until(end, rng, counted, true);
	end->due = 0;
	if (end->in.done != counted && (!options.covered || end->in.done != counted + 1))
		fail(end, "%" PRIu64 " bytes come, of %" PRIu64, end->in.done, counted);
}
