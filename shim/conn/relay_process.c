/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two buffers, one a way, and one poll(). Here the library is a program like any other that uses
 * the connection: short counts, the end and errors are what they are for those. The program's end
 * of the pair being closed is the program's close(); its end of writing is a shutdown(); and a
 * connection that failed is an end without one, since Unix sockets know no reset.
 */
#include "conn/relay_process.h"

#include "conn/internal.h"
#include "guard.h"
#include "libc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PUMP_LEN 65536
#define LOOK_US 50000
/* A relay whose turn has not come goes on after this: those before it live, and have nothing. */
#define TURN_US 100000
/* After the program has closed: how long a peer that takes nothing is waited for. */
#define LAST_US 120000000

/* Bytes on their way. */
struct pump {
	uint8_t *buf;
	size_t at, len;
	bool ended; /* nothing will come after these */
	bool told;  /* ... and the other side knows */
};

struct relay {
	struct conn *conn;
	int fd, inside;
	bool reads, closed, broken;
	uint32_t turn;
	uint64_t turn_until_us;
	struct pump up, down; /* to the peer, to the program */
};

/* --- Becoming one */

static void keep_only(int a, int b, int c)
{
	int keep[] = { a, b, c };
	unsigned from = 0;

	/* In ascending order. */
	for (int i = 0; i < 3; i++)
		for (int j = i + 1; j < 3; j++)
			if (keep[j] < keep[i]) {
				int other = keep[i];

				keep[i] = keep[j];
				keep[j] = other;
			}
	for (int i = 0; i < 3; i++) {
		if (keep[i] < 0)
			continue;
		if ((unsigned)keep[i] > from)
			libc.close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	libc.close_range(from, ~0U, 0);
}

/* What is left of the host program: the policy, the audit, and this connection. */
static void settle_in(const struct relay_job *job)
{
	struct conn *conn = job->conn;

	conn_in_relay(conn, job->fd);
	keep_only(job->fd, job->inside, conn_own_descriptor());
	prctl(PR_SET_NAME, "seamtls-relay");
	setsid();
	if (chdir("/") < 0)
		errno = 0; /* it stays where it is, which keeps a file system busy at worst */
}

static bool make_buffers(struct relay *relay)
{
	uint8_t *made = mmap(
		NULL, 2 * PUMP_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (made == MAP_FAILED)
		return false;
	madvise(made, 2 * PUMP_LEN, MADV_DONTDUMP);
	relay->up.buf = made;
	relay->down.buf = made + PUMP_LEN;
	return true;
}

/* --- Pumping */

static bool is_open(const struct relay *relay)
{
	enum conn_state state = conn_state(relay->conn);

	return state == CONN_OPEN || state == CONN_PASSED || state == CONN_GATED;
}

static bool may_read(const struct relay *relay)
{
	struct share *share = relay->conn->share;

	return relay->reads || atomic_load(&share->relay_reads) || !share_has_others(share);
}

/* What other relays of the connection still have from before goes first. */
static bool may_write(const struct relay *relay)
{
	return atomic_load(&relay->conn->share->relays_done) >= relay->turn ||
	       sys_monotonic_us() >= relay->turn_until_us;
}

/* Closed, not only shut down in one way. */
static bool has_closed(const struct relay *relay)
{
	struct pollfd end = { .fd = relay->inside };
	const struct timespec now = { 0 };

	return sys_poll(&end, 1, &now, NULL) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0;
}

static ssize_t from_program(struct relay *relay)
{
	ssize_t n = sys_recv(relay->inside, relay->up.buf, PUMP_LEN, MSG_DONTWAIT);

	if (n == 0)
		relay->closed |= has_closed(relay);
	return n;
}

static ssize_t to_program(struct relay *relay)
{
	struct pump *down = &relay->down;

	return sys_send(relay->inside, down->buf + down->at, down->len, MSG_DONTWAIT);
}

static ssize_t from_peer(struct relay *relay)
{
	const struct iovec iov = { .iov_base = relay->down.buf, .iov_len = PUMP_LEN };

	if (conn_is_clear(relay->conn))
		return sys_recv(relay->fd, relay->down.buf, PUMP_LEN, MSG_DONTWAIT);
	guard_enter(); /* which the call takes over, with the reference */
	return conn_receive(conn_ref(relay->conn), relay->fd, &iov, 1, MSG_DONTWAIT);
}

static ssize_t to_peer(struct relay *relay)
{
	struct pump *up = &relay->up;
	const struct iovec iov = { .iov_base = up->buf + up->at, .iov_len = up->len };

	if (conn_is_clear(relay->conn))
		return sys_send(relay->fd, up->buf + up->at, up->len, MSG_DONTWAIT);
	guard_enter();
	return conn_send(conn_ref(relay->conn), relay->fd, &iov, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void filled(struct pump *pump, ssize_t n)
{
	pump->at = 0;
	pump->len = n > 0 ? (size_t)n : 0;
	pump->ended = n == 0;
}

static void emptied(struct pump *pump, ssize_t n)
{
	pump->at += (size_t)n;
	pump->len -= (size_t)n;
}

/* One way as far as it goes. False: that way is broken. */
static bool pump_some(struct relay *relay, struct pump *pump, ssize_t (*fill)(struct relay *),
	ssize_t (*empty)(struct relay *), bool may_fill, bool may_empty)
{
	for (;;) {
		ssize_t n;

		if (pump->len == 0) {
			if (pump->ended || !may_fill)
				return true;
			n = fill(relay);
			if (n < 0)
				return n == -EAGAIN || n == -EINTR;
			filled(pump, n);
			if (n == 0)
				return true;
		}
		if (!may_empty)
			return true;
		n = empty(relay);
		if (n < 0)
			return n == -EAGAIN || n == -EINTR;
		emptied(pump, n);
	}
}

static void pump_up(struct relay *relay)
{
	struct pump *up = &relay->up;
	bool open = is_open(relay);

	if (open && share_is_parked(relay->conn->share))
		conn_flush(relay->conn, relay->fd);
	if (!pump_some(relay, up, from_program, to_peer, !relay->broken,
		    (open || conn_is_greeted(relay->conn)) && !relay->broken && may_write(relay)))
		relay->broken = true;
	if (up->ended && up->len == 0 && !up->told && open && !relay->closed) {
		up->told = true;
		conn_shutdown(relay->conn, relay->fd, SHUT_WR);
	}
}

static void pump_down(struct relay *relay)
{
	struct pump *down = &relay->down;
	bool fill = is_open(relay) && !relay->broken && may_read(relay);

	if (relay->closed) { /* the program reads no more: what the peer sends is nobody's */
		down->len = 0;
		return;
	}
	if (!pump_some(relay, down, from_peer, to_program, fill, true)) {
		relay->broken |= down->len == 0;
		/* It does not want what is there: it has shut its reading side. */
		down->ended = down->told = down->len > 0;
		down->len = 0;
	}
	if (down->ended && down->len == 0 && !down->told) {
		down->told = true;
		sys_shutdown(relay->inside, SHUT_WR);
	}
}

/* --- Waiting */

static short program_events(const struct relay *relay)
{
	return (short)((relay->up.len == 0 && !relay->up.ended ? POLLIN : 0) |
		       (relay->down.len > 0 ? POLLOUT : 0));
}

static short peer_events(const struct relay *relay)
{
	bool open = is_open(relay);

	if (!open)
		return conn_establish_events(relay->conn);
	return (short)(((relay->up.len > 0 && may_write(relay)) ||
					       share_is_parked(relay->conn->share)
				       ? POLLOUT
				       : 0) |
		       (relay->down.len == 0 && !relay->down.ended && !relay->closed &&
					       may_read(relay)
				       ? POLLIN
				       : 0));
}

/* Whether something may change without a sign on a descriptor. */
static uint64_t look_again_us(const struct relay *relay)
{
	bool waits = is_open(relay) ? (!relay->down.ended && !may_read(relay)) ||
					      (relay->up.len > 0 && !may_write(relay))
				    : conn_is_foreign(relay->conn);

	return waits ? LOOK_US : UINT64_MAX;
}

static void wait_for_something(struct relay *relay, uint64_t until_us)
{
	struct pollfd fds[2] = {
		{ .fd = relay->inside, .events = program_events(relay) },
		{ .fd = relay->fd, .events = peer_events(relay) },
	};
	uint64_t now = sys_monotonic_us(), look_us = look_again_us(relay);
	struct timespec left = { 0 };

	if (!is_open(relay) && relay->conn->deadline_us != 0 &&
		conn_deadline_us(relay->conn) < until_us)
		until_us = conn_deadline_us(relay->conn);
	if (look_us < UINT64_MAX && now + look_us < until_us)
		until_us = now + look_us;
	if (until_us > now) {
		left.tv_sec = (time_t)((until_us - now) / 1000000);
		left.tv_nsec = (long)((until_us - now) % 1000000) * 1000;
	}
	/* Neither end is listened to for what is not wanted: POLLHUP comes all the same, once. */
	if (relay->closed)
		fds[0].fd = -1;
	if (fds[1].events == 0)
		fds[1].fd = -1;
	if (sys_poll(fds, 2, until_us < UINT64_MAX ? &left : NULL, NULL) > 0 && fds[0].fd >= 0 &&
		(fds[0].revents & (POLLHUP | POLLERR)) != 0)
		relay->closed = true;
}

/* The program has gone and all is said, or both ways have ended. A program that had nothing to say
 * (a file without content) has the peer hear of its end all the same, as its end. */
static bool is_over(const struct relay *relay)
{
	if (relay->broken || conn_state(relay->conn) == CONN_FAILED)
		return relay->down.len == 0;
	if (relay->closed)
		return relay->up.ended && relay->up.len == 0 && is_open(relay);
	return relay->up.told && relay->down.told;
}

static void serve(struct relay *relay)
{
	uint64_t until_us = UINT64_MAX;

	while (!is_over(relay)) {
		size_t before = relay->up.len;

		if (!is_open(relay))
			conn_establish(relay->conn, relay->fd);
		pump_down(relay);
		pump_up(relay);
		if (is_over(relay))
			return;
		if (relay->closed && (until_us == UINT64_MAX || relay->up.len != before))
			until_us = sys_monotonic_us() + LAST_US;
		if (sys_monotonic_us() >= until_us)
			return;
		wait_for_something(relay, until_us);
	}
}

/* The pipe has no other end any more: the program is another. A byte: it is not. */
static bool program_is_gone(const struct relay_job *job)
{
	struct pollfd end = { .fd = job->inside, .events = POLLIN };
	char byte;

	sys_poll(&end, 1, NULL, NULL);
	return libc.read(job->inside, &byte, 1) == 0;
}

static void serve_program(const struct relay_job *job)
{
	struct relay relay = { .conn = job->conn,
		.fd = job->fd,
		.inside = job->inside,
		.reads = job->reads,
		.turn = job->turn,
		.turn_until_us = sys_monotonic_us() + TURN_US };

	if (make_buffers(&relay))
		serve(&relay);
	atomic_fetch_add(&job->conn->share->relays_done, 1);
}

void relay_serve(const struct relay_job *job)
{
	settle_in(job);
	if (!job->exec) {
		serve_program(job);
	} else if (program_is_gone(job)) {
		share_forget(job->conn->share, job->host);
	} else {
		share_leave(job->conn->share);
		conn_unmap(job->conn);
		libc.exit_now(0);
	}
	conn_close(job->conn, job->fd);
	driver_finish(sys_monotonic_us() + LAST_US);
	host_audit_flush();
	libc.exit_now(0);
}
