/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the waits say, and what has arrived according to TCP itself, whatever the bytes mean. */
#include "random.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOKS_MOST 20000 /* of a millisecond, after the first ones */

enum wait_call { BY_POLL, BY_PPOLL, BY_SELECT, BY_PSELECT, BY_EPOLL, BY_EDGE, BY_ONESHOT, WAITS };

static const char *const wait_names[WAITS] = { "poll", "ppoll", "select", "pselect", "epoll",
	"epoll edge", "epoll oneshot" };

static int look_poll(int fd, int events, int timeout_ms, bool with_mask)
{
	struct pollfd pfd = { .fd = fd, .events = (short)events };
	struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	int r = with_mask ? ppoll(&pfd, 1, &timeout, NULL) : poll(&pfd, 1, timeout_ms);

	return r < 0 ? r : pfd.revents;
}

static int look_select(int fd, int events, int timeout_ms, bool with_mask)
{
	struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000L };
	struct timespec precise = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	fd_set in, out;
	int r;

	FD_ZERO(&in);
	FD_ZERO(&out);
	if ((events & POLLIN) != 0)
		FD_SET(fd, &in);
	if ((events & POLLOUT) != 0)
		FD_SET(fd, &out);
	r = with_mask ? pselect(fd + 1, &in, &out, NULL, &precise, NULL)
		      : select(fd + 1, &in, &out, NULL, &timeout);
	if (r < 0)
		return r;
	return (FD_ISSET(fd, &in) ? POLLIN : 0) | (FD_ISSET(fd, &out) ? POLLOUT : 0);
}

/* EPOLLIN and the others are the bits of poll. */
static int look_epoll(struct end *end, int fd, int events, int timeout_ms, enum wait_call call)
{
	uint32_t mode = call == BY_EDGE ? EPOLLET : call == BY_ONESHOT ? EPOLLONESHOT : 0;
	struct epoll_event event = { .events = (uint32_t)events | mode, .data.u64 = end->seed },
			   got = { 0 };
	int set = epoll_create1(EPOLL_CLOEXEC), r, saved;

	must(end, set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	r = call == BY_ONESHOT ? epoll_pwait(set, &got, 1, timeout_ms, NULL)
			       : epoll_wait(set, &got, 1, timeout_ms);
	saved = errno;
	if (r > 0 && got.data.u64 != end->seed)
		fail(end, "epoll gives back other data");
	close(set);
	errno = saved;
	return r < 0 ? r : (int)got.events;
}

int wait_look(struct end *end, int fd, struct rng *rng, int events, int timeout_ms)
{
	enum wait_call call = rng_below(rng, WAITS);
	int r;

	do {
		if (call == BY_POLL || call == BY_PPOLL)
			r = look_poll(fd, events, timeout_ms, call == BY_PPOLL);
		else if (call == BY_SELECT || call == BY_PSELECT)
			r = look_select(fd, events, timeout_ms, call == BY_PSELECT);
		else
			r = look_epoll(end, fd, events, timeout_ms, call);
	} while (r < 0 && errno == EINTR);
	note(end, "%s(%d, %x, %d ms) = %x", wait_names[call], fd, (unsigned)events, timeout_ms,
		(unsigned)r);
	if (r < 0)
		fail(end, "%s", wait_names[call]);
	return r;
}

/* --- Arrival */

static struct tcp_info info_of(struct end *end)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	must(end, getsockopt(end->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0, "TCP_INFO");
	return info;
}

/* TCP on loopback brings bytes at once; only with Nagle's rule, and on a busy machine, it takes
 * time. */
static void again(struct end *end, unsigned *looks, const char *what)
{
	struct timespec little = { 0, 1000000 };

	if (++*looks > LOOKS_MOST)
		fail(end, "%s", what);
	if (*looks > 5)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &little, NULL);
}

uint64_t arrival_of(struct end *end)
{
	struct tcp_info info = info_of(end);
	unsigned looks = 0;

	while (info.tcpi_notsent_bytes > 0) {
		again(end, &looks, "the kernel does not send");
		info = info_of(end);
	}
	return info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

void arrival_wait(struct end *end, uint64_t bytes)
{
	unsigned looks = 0;

	while (info_of(end).tcpi_bytes_received < bytes)
		again(end, &looks, "not all arrives that the other end has sent");
}

void arrival_acknowledged(struct end *end)
{
	unsigned looks = 0;
	int queued = -1;

	while (ioctl(end->fd, SIOCOUTQ, &queued) != 0 || queued != 0)
		again(end, &looks, "SIOCOUTQ never gets to 0");
}

/* The states of enum tcp_state in <netinet/tcp.h>, which cannot be had together with the kernel's
 * struct. */
bool arrival_ended(struct end *end, bool reset)
{
	enum { TIME_WAIT = 6, CLOSED, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING };
	unsigned looks = 0;
	int due;

	for (;;) {
		int state = info_of(end).tcpi_state;

		if (state == CLOSED || (!reset && state >= TIME_WAIT && state <= CLOSING))
			return true;
		if (reset && looks > 5)
			return false;
		/* Tickets that nobody has read may be in the way. */
		if (end->met_simple && end->due_most == 0)
			ioctl(end->fd, FIONREAD, &due);
		again(end, &looks, "the end does not arrive");
	}
}
