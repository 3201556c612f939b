/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"
#include "calls/streams.h"
#include "conn/aware.h"
#include "conn/relay.h"
#include "seamtls.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

SEAM_EXPORT int socket(int domain, int type, int protocol)
{
	int fd = libc.socket(domain, type, protocol);

	if (fd >= 0)
		conn_socket_made(fd, domain, type);
	return fd;
}

SEAM_EXPORT int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	const struct sockaddr *addr = address.__sockaddr__;
	int r;

	do
		r = conn_connect(conn_get(fd), fd, addr, len);
	while (r == CONN_AGAIN);
	if (r > 0)
		return libc.connect(fd, addr, len);
	for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
		streams_hold(number);
	return (int)errno_return(r);
}
SEAM_ALIAS(__connect, connect);

SEAM_EXPORT int listen(int fd, int backlog)
{
	int r = conn_listen(fd);

	return r < 0 ? (int)errno_return(r) : libc.listen(fd, backlog);
}

static int accepted(int made)
{
	if (made >= 0 && made <= STDERR_FILENO)
		streams_hold(made);
	return (int)errno_return(made);
}

SEAM_EXPORT int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	return accepted(conn_accept(fd, addr.__sockaddr__, len, flags));
}

SEAM_EXPORT int accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	return accepted(conn_accept(fd, addr.__sockaddr__, len, 0));
}

/* --- Ends of relays, which programs are handed in place of connections, have the connection's
 * addresses, and take its options without an effect. */

static bool is_inet_level(int level)
{
	return level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6;
}

static int address(int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
	socklen_t room = len != NULL ? *len : 0;
	int r = peer ? libc.getpeername(fd, addr, len) : libc.getsockname(fd, addr, len);

	if (r < 0 || room < sizeof(addr->sa_family) || addr->sa_family != AF_UNIX)
		return r;
	if (relay_address(fd, peer, addr, &room))
		*len = room;
	return r;
}

/* What the kernel said of a Unix socket, as it would have said it of the connection. */
static int answer_for_end(
	int fd, int level, int name, void *value, socklen_t *len, int r, int before)
{
	struct sockaddr_storage addr;
	socklen_t addr_len = sizeof(addr);
	bool asks = r == 0 && level == SOL_SOCKET && (name == SO_DOMAIN || name == SO_PROTOCOL) &&
		    *len == sizeof(int);
	bool refused =
		r < 0 && is_inet_level(level) && (errno == EOPNOTSUPP || errno == ENOPROTOOPT);
	int saved = errno, number = 0;

	if ((!asks && !refused) || !relay_address(fd, false, (struct sockaddr *)&addr, &addr_len))
		return r;
	if (refused && (len == NULL || *len != sizeof(int) || value == NULL)) {
		errno = saved;
		return r;
	}
	if (asks)
		number = name == SO_DOMAIN ? addr.ss_family : IPPROTO_TCP;
	memcpy(value, &number, sizeof(number));
	errno = before;
	return 0;
}

SEAM_EXPORT int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	struct conn *conn = mapped_get(fd);
	int r = 0;

	if (conn != NULL) {
		r = conn_getpeername(conn);
		conn_put(conn);
	}
	return r < 0 ? (int)errno_return(r) : address(fd, true, addr.__sockaddr__, len);
}

SEAM_EXPORT int getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	return address(fd, false, addr.__sockaddr__, len);
}

SEAM_EXPORT int shutdown(int fd, int how)
{
	struct conn *conn =
		how == SHUT_RD || how == SHUT_WR || how == SHUT_RDWR ? mapped_get(fd) : NULL;
	int r;

	if (conn == NULL)
		return libc.shutdown(fd, how);
	r = conn_shutdown(conn, fd, how);
	conn_put(conn);
	return (int)errno_return(r);
}

/* --- Options */

static int get_ours(int fd, int name, void *value, socklen_t *len)
{
	struct conn *conn = conn_get(fd);
	int r = conn_aware_get(conn, fd, name, value, len);

	if (conn != NULL)
		conn_put(conn);
	return r > 0 ? libc.getsockopt(fd, SOL_SEAMTLS, name, value, len) : (int)errno_return(r);
}

static int set_ours(int fd, int name, const void *value, socklen_t len)
{
	int r = conn_aware_set(conn_get(fd), fd, name, value, len);

	if (r > 0)
		return libc.setsockopt(fd, SOL_SEAMTLS, name, value, len);
	for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++) {
		if (name == SEAMTLS_START)
			streams_hold(number);
		else if (name == SEAMTLS_STOP && !is_mapped(number))
			streams_release(number);
	}
	return (int)errno_return(r);
}

SEAM_EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct conn *conn = level != SOL_SEAMTLS ? mapped_get(fd) : NULL;
	int r = 1, before = errno;

	if (level == SOL_SEAMTLS)
		return get_ours(fd, name, value, len);

	if (conn != NULL) {
		r = conn_getsockopt(conn, fd, level, name, value, len);
		conn_put(conn);
	}
	if (r <= 0)
		return (int)errno_return(r);
	r = libc.getsockopt(fd, level, name, value, len);
	return conn == NULL ? answer_for_end(fd, level, name, value, len, r, before) : r;
}

SEAM_EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct conn *conn = level != SOL_SEAMTLS ? mapped_get(fd) : NULL;
	int r = 1, before = errno;

	if (level == SOL_SEAMTLS)
		return set_ours(fd, name, value, len);

	if (conn != NULL) {
		r = conn_setsockopt(conn, fd, level, name, value, len);
		conn_put(conn);
	}
	if (r <= 0)
		return (int)errno_return(r);
	r = libc.setsockopt(fd, level, name, value, len);
	if (r < 0 && is_inet_level(level) && (errno == EOPNOTSUPP || errno == ENOPROTOOPT) &&
		relay_is_end(fd)) {
		errno = before;
		r = 0;
	}
	return r;
}
