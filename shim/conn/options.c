/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a program may ask of a descriptor, where the answer for plaintext is not the kernel's:
 * flags, socket options, copies.
 */
#include "conn/internal.h"
#include "conn/kernel.h"
#include "conn/memory.h"
#include "conn/permissive.h"

#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef TCP_INQ
#define TCP_INQ 36
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

bool conn_is_mapped(const struct conn *conn)
{
	enum conn_state state = conn_state(conn);

	return state != CONN_NEW && !conn_is_clear(conn);
}

void conn_duplicated(struct conn *conn, int fd, int newfd, bool close_on_exec)
{
	(void)fd;
	if (host_is_visitor())
		return;
	conn_ref(conn);
	if (table_set(newfd, conn, close_on_exec) < 0)
		conn_unref(conn);
	if (conn_is_mapped(conn) && !close_on_exec)
		sys_fcntl(newfd, F_SETFD, FD_CLOEXEC);
}

bool conn_close_on_exec(const struct conn *conn, int fd)
{
	(void)conn;
	return !table_kept_on_exec(fd);
}

void conn_set_close_on_exec(struct conn *conn, int fd, bool on)
{
	(void)conn;
	if (!host_is_visitor())
		table_keep_on_exec(fd, !on);
}

void conn_set_nonblock(struct conn *conn, bool on)
{
	if (conn->share != NULL)
		atomic_store(&conn->share->nonblock, on);
}

void conn_expect_signals(struct conn *conn, int fd)
{
	if (conn_state(conn) == CONN_OPEN && conn_is_by_kernel(conn))
		conn_settle(conn, fd);
}

void conn_repeat_error(struct conn *conn)
{
	if (conn_state(conn) == CONN_FAILED)
		atomic_store(&conn->share->error_told, false);
}

/* getsockopt() copies what fits, and says how much that was. */
static int answer_int(int value, void *out, socklen_t *len)
{
	if (!memory_is_there(len, sizeof(*len), true))
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	if (*len > sizeof(value))
		*len = *len <= INT32_MAX ? sizeof(value) : 0;
	if (!memory_is_there(out, *len, true))
		return -EFAULT;
	memcpy(out, &value, *len);
	return 0;
}

static int pending_error(struct conn *conn, int fd, void *value, socklen_t *len)
{
	bool on_its_way = conn_is_on_its_way(conn);
	int error;

	conn_establish(conn, fd);
	switch (conn_state(conn)) {
	case CONN_OPEN:
		error = atomic_exchange(&conn->share->send_error, 0);
		if (error == 0)
			error = sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR);
		if (conn->share->kernel_receives && kernel_is_record_error(-error))
			error = -kernel_receive_failed(conn, fd, -error);
		conn_told(conn, -error);
		return error < 0 ? error : answer_int(error, value, len);
	case CONN_FAILED:
		/* Some ask before they wait, to clear what may be there, and take what they are
		 * told after it for the outcome (Ruby): what this very call has brought about is
		 * for the next. */
		if (on_its_way || atomic_exchange(&conn->share->error_told, true))
			return answer_int(0, value, len);
		return answer_int(atomic_load(&conn->share->error), value, len);
	case CONN_CONNECTING:
	case CONN_ESTABLISHING:
		return answer_int(0, value, len);
	default:
		return 1;
	}
}

int conn_getsockopt(struct conn *conn, int fd, int level, int name, void *value, socklen_t *len)
{
	if (level != SOL_SOCKET || conn_state(conn) == CONN_GATED)
		return 1;
	if (name == SO_ERROR)
		return pending_error(conn, fd, value, len);
	if (name == SO_RCVLOWAT)
		return answer_int(atomic_load(&conn->share->low_water), value, len);
	if (name == SO_PEEK_OFF)
		return -EOPNOTSUPP;
	return 1;
}

/*
 * The kernel's own limit gates polls, so it follows the program's: what one record of as much
 * plaintext as is missing takes on the wire, hence never too late. It is 1 while a call waits for
 * less.
 */
void conn_sync_low_water(struct conn *conn, int fd, bool waiting)
{
	struct share *share = conn->share;
	int64_t want = atomic_load_explicit(&share->low_water, memory_order_relaxed);

	if (share->kernel_receives) {
		kernel_sync_low_water(share, fd);
		return;
	}
	if (want <= 1 && share->kernel_low_water <= 1)
		return;
	if (want <= 1 || waiting || conn_state(conn) != CONN_OPEN || share->eof ||
		share->plaintext.len >= want)
		want = 1;
	else
		want += (int64_t)record_overhead(&share->receive_key) + share->held -
			share->plaintext.len - share->partial.len;
	want = want < 1 ? 1 : want < INT32_MAX ? want : INT32_MAX;
	if (want == share->kernel_low_water)
		return;
	share->kernel_low_water = (int)want;
	sys_setsockopt_int(fd, SOL_SOCKET, SO_RCVLOWAT, (int)want);
}

void conn_give_back_low_water(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	int low_water = atomic_load(&share->low_water);

	if (share->kernel_low_water > 0 && share->kernel_low_water != low_water)
		sys_setsockopt_int(fd, SOL_SOCKET, SO_RCVLOWAT, low_water);
	share->kernel_low_water = 0;
}

static int set_low_water(struct conn *conn, int fd, const void *value, socklen_t len)
{
	int low_water;

	if (len < sizeof(low_water))
		return -EINVAL;
	if (!memory_is_there(value, sizeof(low_water), false))
		return -EFAULT;
	memcpy(&low_water, value, sizeof(low_water));
	if (low_water < 0)
		low_water = INT32_MAX;
	atomic_store(&conn->share->low_water, low_water > 0 ? low_water : 1);
	conn_sync_low_water(conn, fd, false);
	return 0;
}

static void note_linger(struct conn *conn, const void *value, socklen_t len)
{
	struct linger linger;

	if (len < sizeof(linger) || !memory_is_there(value, sizeof(linger), false))
		return;
	memcpy(&linger, value, sizeof(linger));
	conn->share->abortive = linger.l_onoff != 0 && linger.l_linger == 0;
}

/* Set before there was a connection, or on the socket that listened. */
void conn_take_over_options(struct conn *conn, int fd)
{
	struct linger linger = { 0 };
	socklen_t len = sizeof(linger);
	int saved = errno, low_water = sys_getsockopt_int(fd, SOL_SOCKET, SO_RCVLOWAT);

	if (low_water > 1) {
		atomic_store(&conn->share->low_water, low_water);
		conn->share->kernel_low_water = low_water;
		conn_sync_low_water(conn, fd, true);
	}
	/* It would move what the library itself peeks at. */
	if (sys_getsockopt_int(fd, SOL_SOCKET, SO_PEEK_OFF) >= 0)
		sys_setsockopt_int(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
	/* connect() would wait for the first data, which here is what it waits to send. */
	if (conn->role == TLS_CLIENT &&
		sys_getsockopt_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT) > 0)
		sys_setsockopt_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0);
	if (libc.getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0)
		note_linger(conn, &linger, len);
	errno = saved;
}

/* Told of when it is done: who has asked the kernel before does not keep the answer. */
static int set_timeout(struct conn *conn, int fd, const void *value, socklen_t len)
{
	int saved = errno, r = libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, value, len);

	if (r < 0)
		r = -errno;
	errno = saved;
	if (conn->share != NULL)
		atomic_fetch_add(&conn->share->timeout_changes, 1);
	return r;
}

uint64_t conn_receive_deadline_us(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	uint32_t changes = atomic_load(&share->timeout_changes);
	uint64_t deadline_us;

	if (atomic_load_explicit(&share->untimed_since, memory_order_relaxed) == changes)
		return 0;
	deadline_us = sys_deadline_us(fd, SO_RCVTIMEO);
	if (deadline_us == 0)
		atomic_store_explicit(&share->untimed_since, changes, memory_order_relaxed);
	return deadline_us;
}

int conn_setsockopt(
	struct conn *conn, int fd, int level, int name, const void *value, socklen_t len)
{
	if (conn_state(conn) == CONN_GATED)
		return 1;
	/* The kernel's own TLS, plaintext counts and zero copies are of the ciphertext: programs
	 * fall back when they are refused. */
	if (level == SOL_TLS || (level == IPPROTO_TCP && (name == TCP_ULP || name == TCP_INQ)))
		return -ENOPROTOOPT;
	if (level != SOL_SOCKET || value == NULL)
		return 1;
	/* As on kernels that have them for other sockets only. */
	if (name == SO_ZEROCOPY || name == SO_PEEK_OFF)
		return -EOPNOTSUPP;
	if (name == SO_RCVLOWAT)
		return set_low_water(conn, fd, value, len);
	if (name == SO_RCVTIMEO)
		return set_timeout(conn, fd, value, len);
	if (name == SO_LINGER)
		note_linger(conn, value, len);
	return 1;
}

/* Sealed bytes that take `len` on the wire hold no more plaintext than this, and at least one. */
static uint64_t most_plaintext(const struct share *share, uint64_t len)
{
	uint64_t overhead = record_overhead(&share->send_key);
	uint64_t headers = (len / (record_seal_most(&share->send_key) + overhead) + 1) * overhead;

	return len > headers ? len - headers : len > 0;
}

/*
 * The kernel counts sealed bytes and does not say of which records. What can be said of plaintext:
 * none of it is left if nothing is; never more than was sent; and what was acknowledged once stays
 * so.
 */
int conn_unsent_bytes(struct conn *conn, int fd, unsigned long request)
{
	struct share *share = conn->share;
	int saved = errno, queued = 0, r = libc.ioctl(fd, request, &queued);
	uint64_t early = atomic_load(&conn->early_len), sent, acked, left;

	if (r < 0)
		r = -errno;
	errno = saved;
	if (r < 0 || conn_state(conn) == CONN_GATED)
		return r < 0 ? r : queued;
	sent = atomic_load(&share->bytes_out) + early;
	acked = atomic_load(&share->bytes_acked);
	left = most_plaintext(share, (uint64_t)queued + share->tail.len) + early;
	if (acked > sent)
		acked = sent;
	if (left >= sent - acked)
		left = sent - acked;
	else if (request == SIOCOUTQ)
		atomic_store(&share->bytes_acked, sent - left);
	return (int)left;
}

int conn_getpeername(struct conn *conn)
{
	enum conn_state state = conn_state(conn);

	if (state == CONN_CONNECTING || (state == CONN_ESTABLISHING && conn->role == TLS_CLIENT &&
						!conn->connect_told && !conn->early_allowed))
		return -ENOTCONN;
	return 0;
}

int conn_epoll_ctl(struct conn *conn, int epfd, int op, int fd, struct epoll_event *event)
{
	enum conn_state state = conn_state(conn);

	if (op != EPOLL_CTL_DEL && event != NULL && (event->events & EPOLLET) != 0)
		atomic_store(&conn->edge_triggered, true);
	if (state == CONN_GATED || (state == CONN_NEW && conn->observed != NULL))
		return 1;
	if (state == CONN_FAILED || state == CONN_PASSED ||
		(state == CONN_OPEN && !conn_settles(conn) && !conn_may_ask(conn) &&
			!interest_any(conn) && !conn_is_controlled(conn)))
		return 1;
	if (op != EPOLL_CTL_DEL && event != NULL)
		permissive_program_waits(conn, event->events);
	return interest_ctl(conn, epfd, op, fd, event);
}
