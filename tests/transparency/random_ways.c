/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ways in which programs wait for a socket, and for two directions at once. */
#include "random_flow.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_US 3000

static void by_poll(struct flow *flow)
{
	while (!flow_done(flow)) {
		struct pollfd pfd = { .fd = flow->fd,
			.events = (short)((flow_in_done(flow) ? 0 : POLLIN) |
					  (flow_out_done(flow) ? 0 : POLLOUT)) };

		if (!flow_woken(flow, poll(&pfd, 1, HANG_MS)))
			continue;
		if ((pfd.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !flow_in_done(flow))
			flow_told_readable(flow);
		if ((pfd.revents & POLLOUT) != 0)
			flow_told_writable(flow);
		flow_shut_when_done(flow);
	}
}

static void by_select(struct flow *flow)
{
	while (!flow_done(flow)) {
		struct timeval timeout = { HANG_S, 0 };
		fd_set in, out;

		FD_ZERO(&in);
		FD_ZERO(&out);
		if (!flow_in_done(flow))
			FD_SET(flow->fd, &in);
		if (!flow_out_done(flow))
			FD_SET(flow->fd, &out);
		if (!flow_woken(flow, select(flow->fd + 1, &in, &out, NULL, &timeout)))
			continue;
		if (FD_ISSET(flow->fd, &in))
			flow_told_readable(flow);
		if (FD_ISSET(flow->fd, &out))
			flow_told_writable(flow);
		flow_shut_when_done(flow);
	}
}

static int new_set(struct flow *flow, uint32_t events)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = events, .data.ptr = flow };

	must(flow->end, set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, flow->fd, &event) == 0,
		"epoll_ctl");
	return set;
}

static uint32_t wanted(const struct flow *flow)
{
	return (flow_in_done(flow) ? 0 : EPOLLIN) | (flow_out_done(flow) ? 0 : EPOLLOUT);
}

static void by_epoll(struct flow *flow)
{
	uint32_t mode = flow->style == BY_ONESHOT ? EPOLLONESHOT : 0, has = wanted(flow);
	int set = new_set(flow, has | mode);

	while (!flow_done(flow)) {
		struct epoll_event event;

		if (!flow_woken(flow, epoll_wait(set, &event, 1, HANG_MS)))
			continue;
		must(flow->end, event.data.ptr == flow, "epoll gives back other data");
		if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !flow_in_done(flow))
			flow_told_readable(flow);
		if ((event.events & EPOLLOUT) != 0)
			flow_told_writable(flow);
		flow_shut_when_done(flow);
		if (mode == 0 && has == wanted(flow))
			continue;
		has = wanted(flow);
		event = (struct epoll_event){ .events = has | mode, .data.ptr = flow };
		must(flow->end, epoll_ctl(set, EPOLL_CTL_MOD, flow->fd, &event) == 0, "epoll_ctl");
	}
	close(set);
}

static void take_edges(struct flow *flow, uint32_t events)
{
	flow->wakes++;
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
		flow->can_read = true;
		flow->available = -1;
	}
	if ((events & EPOLLOUT) != 0)
		flow->can_write = true;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		flow->hung_up = true;
}

static void by_edge(struct flow *flow)
{
	int set = new_set(flow, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);

	flow->can_read = flow->can_write = true;
	while (!flow_done(flow)) {
		struct epoll_event event;
		bool progress = false;

		for (int i = 0; i < 10 && flow->can_read && !flow_in_done(flow); i++)
			progress |= flow_reads(flow);
		for (int i = 0; i < 10 && flow->can_write && !flow_out_done(flow); i++)
			progress |= flow_writes(flow);
		flow_shut_when_done(flow);
		if (progress || flow_done(flow))
			continue;
		note(flow->end, "waiting for an edge");
		if (!flow_woken(flow, epoll_wait(set, &event, 1, HANG_MS)))
			continue;
		must(flow->end, event.data.ptr == flow, "epoll gives back other data");
		take_edges(flow, event.events);
	}
	close(set);
}

static void write_all(struct flow *flow)
{
	while (!flow_out_done(flow))
		flow_writes(flow);
	flow_shut_when_done(flow);
}

static void read_all(struct flow *flow)
{
	while (!flow_in_done(flow)) {
		struct pollfd pfd = { .fd = flow->fd, .events = POLLIN };

		/* A read that follows must not hang: there is something, or the end. */
		if (rng_one_in(&flow->rng, 2) && !flow_woken(flow, poll(&pfd, 1, HANG_MS)))
			continue;
		flow_reads(flow);
	}
}

static void *writing_thread(void *arg)
{
	write_all(arg);
	return NULL;
}

static void by_thread(struct flow *flow)
{
	struct flow writer = *flow;
	pthread_t thread;

	writer.rng = rng_of(flow->end->seed, flow->end->step, 20 + flow->end->side);
	must(flow->end, pthread_create(&thread, NULL, writing_thread, &writer) == 0,
		"pthread_create");
	read_all(flow);
	pthread_join(thread, NULL);
	flow->empty += writer.empty;
}

static void by_fork(struct flow *flow)
{
	pid_t child = fork(), got;
	int status = -1;

	must(flow->end, child >= 0, "fork");
	if (child == 0) {
		flow->rng = rng_of(flow->end->seed, flow->end->step, 20 + flow->end->side);
		write_all(flow);
		_exit(0);
	}
	read_all(flow);
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != child || status != 0)
		fail(flow->end, "the writing process ended with %x", (unsigned)status);
}

static void set_timeouts(struct flow *flow, long us)
{
	struct timeval value = { 0, us };

	must(flow->end,
		setsockopt(flow->fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value)) == 0 &&
			setsockopt(flow->fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof(value)) == 0,
		"timeouts");
}

static void by_timeouts(struct flow *flow)
{
	set_timeouts(flow, TIMEOUT_US);
	while (!flow_done(flow)) {
		if (!flow_out_done(flow))
			flow_writes(flow);
		flow_shut_when_done(flow);
		if (!flow_in_done(flow))
			flow_reads(flow);
	}
	set_timeouts(flow, 0);
}

void flow_go(struct flow *flow)
{
	switch (flow->style) {
	case BY_POLL:
	case BY_DONTWAIT:
		by_poll(flow);
		break;
	case BY_SELECT:
		by_select(flow);
		break;
	case BY_EPOLL:
	case BY_ONESHOT:
		by_epoll(flow);
		break;
	case BY_THREAD:
		by_thread(flow);
		break;
	case BY_FORK:
		if (options.threads)
			by_thread(flow);
		else
			by_fork(flow);
		break;
	case BY_TIMEOUT:
		by_timeouts(flow);
		break;
	default:
		by_edge(flow);
	}
}
