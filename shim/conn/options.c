/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a program may ask of a descriptor, where the answer for plaintext is not the kernel's:
 * flags, socket options, copies.
 */
#include "conn/internal.h"

#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef TCP_INQ
#define TCP_INQ 36
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

	return state != CONN_NEW && state != CONN_PASSED;
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

/* getsockopt() copies what fits, and says how much that was. */
static int answer_int(int value, void *out, socklen_t *len)
{
	if (out == NULL || len == NULL)
		return -EFAULT;
	if (*len > sizeof(value))
		*len = sizeof(value);
	memcpy(out, &value, *len);
	return 0;
}

static int pending_error(struct conn *conn, int fd, void *value, socklen_t *len)
{
	int error;

	conn_establish(conn, fd);
	switch (conn_state(conn)) {
	case CONN_OPEN:
		error = atomic_exchange(&conn->share->send_error, 0);
		if (error == 0)
			error = sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR);
		conn_told(conn, -error);
		return error < 0 ? error : answer_int(error, value, len);
	case CONN_FAILED:
		if (atomic_exchange(&conn->share->error_told, true))
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
	if (level != SOL_SOCKET)
		return 1;
	if (name == SO_ERROR)
		return pending_error(conn, fd, value, len);
	if (name == SO_RCVLOWAT)
		return answer_int(atomic_load(&conn->share->low_water), value, len);
	return 1;
}

static int set_low_water(struct conn *conn, const void *value, socklen_t len)
{
	int low_water;

	if (len < sizeof(low_water))
		return -EINVAL;
	memcpy(&low_water, value, sizeof(low_water));
	atomic_store(&conn->share->low_water, low_water > 0   ? low_water
					      : low_water < 0 ? INT32_MAX
							      : 1);
	return 0;
}

static void note_linger(struct conn *conn, const void *value, socklen_t len)
{
	struct linger linger;

	if (len < sizeof(linger))
		return;
	memcpy(&linger, value, sizeof(linger));
	conn->share->abortive = linger.l_onoff != 0 && linger.l_linger == 0;
}

int conn_setsockopt(
	struct conn *conn, int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	/* The kernel's own TLS, plaintext counts and zero copies are of the ciphertext: programs
	 * fall back when they are refused. */
	if (level == SOL_TLS || (level == IPPROTO_TCP && (name == TCP_ULP || name == TCP_INQ)))
		return -ENOPROTOOPT;
	if (level != SOL_SOCKET || value == NULL)
		return 1;
	if (name == SO_ZEROCOPY)
		return -EOPNOTSUPP;
	if (name == SO_RCVLOWAT)
		return set_low_water(conn, value, len);
	if (name == SO_LINGER)
		note_linger(conn, value, len);
	return 1;
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

	if (state == CONN_FAILED || state == CONN_PASSED ||
		(state == CONN_OPEN && !conn_settles(conn) && !interest_any(conn)))
		return 1;
	return interest_ctl(conn, epfd, op, fd, event);
}
