/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/border.h"

#include <errno.h>

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
	struct conn *conn = conn_get(fd);
	int r = conn_connect(conn, fd, addr, len);

	if (conn != NULL)
		conn_put(conn);
	return r > 0 ? libc.connect(fd, addr, len) : (int)errno_return(r);
}
SEAM_ALIAS(__connect, connect);

SEAM_EXPORT int listen(int fd, int backlog)
{
	int r = conn_listen(fd);

	return r < 0 ? (int)errno_return(r) : libc.listen(fd, backlog);
}

SEAM_EXPORT int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	return (int)errno_return(conn_accept(fd, addr.__sockaddr__, len, flags));
}

SEAM_EXPORT int accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	return (int)errno_return(conn_accept(fd, addr.__sockaddr__, len, 0));
}

SEAM_EXPORT int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	struct conn *conn = mapped_get(fd);
	int r = 0;

	if (conn != NULL) {
		r = conn_getpeername(conn);
		conn_put(conn);
	}
	return r < 0 ? (int)errno_return(r) : libc.getpeername(fd, addr.__sockaddr__, len);
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

SEAM_EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct conn *conn = mapped_get(fd);
	int r = 1;

	if (conn != NULL) {
		r = conn_getsockopt(conn, fd, level, name, value, len);
		conn_put(conn);
	}
	return r > 0 ? libc.getsockopt(fd, level, name, value, len) : (int)errno_return(r);
}

SEAM_EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct conn *conn = mapped_get(fd);
	int r = 1;

	if (conn != NULL) {
		r = conn_setsockopt(conn, fd, level, name, value, len);
		conn_put(conn);
	}
	return r > 0 ? libc.setsockopt(fd, level, name, value, len) : (int)errno_return(r);
}
