/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Both ends go at once, each in one of the ways in which programs go about it. Nothing is known of
 * a single call's result here; what is known is that every byte comes once and in order, that no
 * wait is for ever or for nothing, and how it ends.
 */
#include "random_flow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLOW_MOST 300000
#define FLOW_TINY 6000
#define READ_MOST 70000
#define CALLS_MOST 100          /* of the largest size */
#define EMPTY_MOST 300          /* wake-ups for nothing, beside those that the bytes explain */
#define EMPTY_MOST_SIMPLE 20000 /* ... or the bytes of records that come one by one */

const char *const style_names[STYLES] = { "poll", "select", "epoll", "epoll oneshot",
	"edge until EAGAIN", "edge until short", "edge with FIONREAD", "MSG_DONTWAIT",
	"blocking threads", "blocking processes", "timeouts" };

/* --- One step of each direction */

bool flow_out_done(const struct flow *flow)
{
	return flow->end->out.done == flow->out_to;
}

bool flow_in_done(const struct flow *flow)
{
	return flow->last ? flow->in_ended : flow->end->in.done == flow->in_to;
}

static void dawdle(struct flow *flow)
{
	if (rng_one_in(&flow->rng, 60))
		poll(NULL, 0, 1);
}

static bool is_edge(const struct flow *flow)
{
	return flow->style == BY_EDGE || flow->style == BY_EDGE_SHORT ||
	       flow->style == BY_EDGE_NGINX;
}

static void interrupted(struct flow *flow, const char *call)
{
	if (!atomic_load(&flow->end->may_be_interrupted) && flow->style != BY_TIMEOUT)
		fail(flow->end, "%s is interrupted although handlers restart it", call);
	if (flow->end->nonblock || flow->style == BY_DONTWAIT)
		fail(flow->end, "%s is interrupted although it does not wait", call);
}

static bool may_say_again(const struct flow *flow)
{
	return flow->end->nonblock || flow->style == BY_DONTWAIT || flow->style == BY_TIMEOUT;
}

static ssize_t write_once(struct flow *flow, size_t len)
{
	struct end *end = flow->end;
	ssize_t n;

	if (flow->style != BY_DONTWAIT)
		return call_send(end, flow->fd, &flow->rng, len);
	n = send(flow->fd, known_at(&end->out, 0), len, MSG_DONTWAIT | MSG_NOSIGNAL);
	note(end, "at %" PRIu64 " send(%zu) = %zd %s", end->out.done, len, n, outcome(n));
	return n;
}

/* False: there is no room now. */
bool flow_writes(struct flow *flow)
{
	uint64_t left = flow->out_to - flow->end->out.done;
	size_t len = rng_size(&flow->rng, left < flow->write_most ? left : flow->write_most);
	ssize_t n;

	dawdle(flow);
	n = write_once(flow, len);
	if (n > 0) {
		flow->end->out.done += (uint64_t)n;
		return true;
	}
	if (n == 0)
		fail(flow->end, "a send of %zu takes nothing", len);
	if (errno == EINTR) {
		if (!flow->end->by_sendfile)
			interrupted(flow, "a send");
		return true;
	}
	if (errno != EAGAIN || !may_say_again(flow))
		fail(flow->end, "a send fails");
	flow->can_write = false;
	return false;
}

static void came_to_end(struct flow *flow)
{
	if (!flow->last)
		fail(flow->end, "the stream ends too early");
	if (flow->end->in.done != flow->in_to)
		fail(flow->end, "the stream ends at %" PRIu64 " and not at %" PRIu64,
			flow->end->in.done, flow->in_to);
	flow->in_ended = true;
	flow->end->in_closed = true;
}

/* What nginx does (ngx_unix_recv): bytes beyond those that FIONREAD had told are news, and an edge
 * of their own. */
static void count_available(struct flow *flow, size_t len, size_t n)
{
	if (flow->available >= 0) {
		flow->available -= (int)n;
		if (flow->available < 0) {
			flow->available = 0;
			flow->can_read = false;
		}
	} else if (n == len) {
		if (ioctl(flow->fd, FIONREAD, &flow->available) != 0)
			fail(flow->end, "FIONREAD");
		note(flow->end, "FIONREAD: %d", flow->available);
	}
	if (n < len && !flow->hung_up) {
		flow->can_read = false;
		flow->available = 0;
	}
}

/* False: there is nothing now, or no more. */
bool flow_reads(struct flow *flow)
{
	struct end *end = flow->end;
	size_t len = rng_size(&flow->rng, flow->read_most);
	ssize_t n;

	dawdle(flow);
	n = call_take(
		end, flow->fd, &flow->rng, len, flow->style == BY_DONTWAIT ? MSG_DONTWAIT : 0);
	if (end->in.done > flow->in_to)
		fail(end, "more comes than was sent");
	if (n > 0) {
		if (flow->style == BY_EDGE_SHORT && (size_t)n < len && !flow->hung_up)
			flow->can_read = false;
		if (flow->style == BY_EDGE_NGINX)
			count_available(flow, len, (size_t)n);
		return true;
	}
	if (n == 0) {
		came_to_end(flow);
		return false;
	}
	if (errno == EINTR) {
		interrupted(flow, "a read");
		return true;
	}
	if (errno != EAGAIN || !may_say_again(flow))
		fail(end, "a read fails");
	flow->can_read = false;
	return false;
}

/* A wait has said that it is worth it. */
void flow_told_readable(struct flow *flow)
{
	uint64_t before = flow->end->in.done;

	flow->wakes++;
	flow_reads(flow);
	if (flow->end->in.done == before && !flow->in_ended)
		flow->empty++;
}

void flow_told_writable(struct flow *flow)
{
	uint64_t before = flow->end->out.done;

	flow->wakes++;
	flow_writes(flow);
	if (flow->end->out.done == before)
		flow->empty++;
}

bool flow_done(const struct flow *flow)
{
	return flow_out_done(flow) && flow_in_done(flow);
}

static void hangs(struct flow *flow)
{
	fail(flow->end,
		"nothing happens (%s): out at %" PRIu64 " of %" PRIu64 ", in at %" PRIu64
		" of %" PRIu64,
		style_names[flow->style], flow->end->out.done, flow->out_to, flow->end->in.done,
		flow->in_to);
}

bool flow_woken(struct flow *flow, int r)
{
	if (r < 0 && errno == EINTR)
		return false;
	if (r <= 0)
		hangs(flow);
	return true;
}

void flow_shut_when_done(struct flow *flow)
{
	if (!flow->last || flow->end->out_closed || !flow_out_done(flow))
		return;
	must(flow->end, shutdown(flow->fd, SHUT_WR) == 0, "shutdown");
	note(flow->end, "shutdown");
	flow->end->out_closed = true;
}

/* --- Signals */

enum storm { NO_STORM, STORM_RESTARTS, STORM_INTERRUPTS };

static void thunder(int signal)
{
	(void)signal;
}

static void storm_begin(struct end *end, enum storm storm, struct rng *common)
{
	struct sigaction action = { .sa_handler = thunder,
		.sa_flags = storm == STORM_RESTARTS ? SA_RESTART : 0 };
	struct itimerval often = { .it_interval.tv_usec = 150 + (long)rng_below(common, 1000) };

	if (storm == NO_STORM)
		return;
	often.it_value = often.it_interval;
	atomic_store(&end->may_be_interrupted, storm == STORM_INTERRUPTS);
	must(end,
		sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0,
		"setitimer");
}

static void storm_end(struct end *end)
{
	static const struct itimerval never;

	must(end, setitimer(ITIMER_REAL, &never, NULL) == 0, "setitimer");
}

/* --- */

static size_t pick_total(struct end *end, struct rng *rng)
{
	size_t most = end->room == ROOM_USUAL || end->room == ROOM_WIDE ? FLOW_MOST : FLOW_TINY;

	return rng_one_in(rng, 5) ? rng_below(rng, 50) : rng_below(rng, most);
}

static void set_nonblock(struct flow *flow, bool on)
{
	must(flow->end, fcntl(flow->fd, F_SETFL, O_RDWR | (on ? O_NONBLOCK : 0)) == 0, "F_SETFL");
	flow->end->nonblock = on;
}

static void run(struct flow *flow)
{
	set_nonblock(flow, flow->style <= BY_EDGE_NGINX);
	flow->end->one_read = is_edge(flow);
	flow->end->waits = !may_say_again(flow);
	flow_shut_when_done(flow);
	flow_go(flow);
	flow->end->one_read = flow->end->waits = false;
}

static void check_wakes(const struct flow *flow, uint64_t bytes)
{
	note(flow->end, "woken %u times, %u of them for nothing", flow->wakes, flow->empty);
	if (flow->empty > (flow->end->met_simple ? EMPTY_MOST_SIMPLE : EMPTY_MOST) + bytes / 8)
		fail(flow->end, "%u of %u wake-ups were for nothing, with %" PRIu64 " bytes",
			flow->empty, flow->wakes, bytes);
}

void flow(struct end *end, bool last)
{
	struct rng common = rng_of(end->seed, end->step, 7);
	size_t total[2] = { pick_total(end, &common), pick_total(end, &common) };
	enum storm storm = rng_one_in(&common, 4) ? 1 + rng_below(&common, 2) : NO_STORM;
	size_t out = total[end->side], in = total[1 - end->side];
	struct flow mine = { .end = end, .fd = end->fd, .last = last, .available = -1 };

	/* What is still unread of the turns before is part of it. */
	mine.rng = rng_of(end->seed, end->step, 10 + end->side);
	mine.style = rng_below(&mine.rng, STYLES);
	mine.write_most = rng_size(&mine.rng, MOST);
	mine.read_most = rng_size(&mine.rng, READ_MOST);
	if (mine.write_most < out / CALLS_MOST)
		mine.write_most = out / CALLS_MOST;
	if (mine.read_most < in / CALLS_MOST)
		mine.read_most = in / CALLS_MOST;
	mine.out_to = end->out.done + out;
	mine.in_to = end->in.done + end->due + in;
	end->in_sent = mine.in_to;
	if (!end->simple)
		end->due = 0;
	end->phase = end->simple ? "a simple flow" : style_names[mine.style];
	note(end, "%s: %zu out, %zu in, storm %d", end->phase, out, in, storm);
	if (end->simple) {
		peer_flow(end, out, in, last);
	} else {
		storm_begin(end, storm, &common);
		run(&mine);
		storm_end(end);
		check_wakes(&mine, out + in);
	}
	tell(end, end->in.done);
	end->other_read = hear(end);
	if (end->other_read != end->out.done)
		fail(end, "the other end has read %" PRIu64 " of %" PRIu64, end->other_read,
			end->out.done);
	atomic_store(&end->may_be_interrupted, false);
	say(end, "flow of %zu and %zu", out, in);
}
