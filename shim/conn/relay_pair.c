/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pair of sockets. Each is bound to an abstract name that holds the address of the connection's
 * end, so that the library finds it again in whatever program the socket arrives, and so that `ss
 * -x` tells an operator what it is.
 *
 *   seamtls/FAMILY/ADDRESS:PORT/ID
 */
#include "conn/relay.h"

#include "conn/internal.h"
#include "libc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define PREFIX "seamtls/"
#define NAME_AT offsetof(struct sockaddr_un, sun_path)

static void name_socket(int fd, int family, const char *address)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int saved = errno;
	int len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, PREFIX "%c/%s/%016" PRIx64,
		family == AF_INET6 ? '6' : '4', address, host_new_id());

	/* Without a name it works as well; only the addresses are not to be had. */
	(void)bind(fd, (struct sockaddr *)&name, (socklen_t)(NAME_AT + 1 + (size_t)len));
	errno = saved;
}

static void copy_timeout(int from, int to, int name)
{
	struct timeval timeout;
	socklen_t len = sizeof(timeout);
	int saved = errno;

	if (libc.getsockopt(from, SOL_SOCKET, name, &timeout, &len) == 0)
		libc.setsockopt(to, SOL_SOCKET, name, &timeout, len);
	errno = saved;
}

int relay_pair_new(struct conn *conn, int fd, struct relay_pair *out)
{
	int ends[2], saved = errno, flags;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		int r = -errno;

		errno = saved;
		return r;
	}
	name_socket(ends[0], conn->family, conn->local);
	name_socket(ends[1], conn->family, conn->remote);
	flags = sys_fcntl(fd, F_GETFL, 0);
	if (flags >= 0 && (flags & O_NONBLOCK) != 0)
		sys_fcntl(ends[0], F_SETFL, O_RDWR | O_NONBLOCK);
	copy_timeout(fd, ends[0], SO_RCVTIMEO);
	copy_timeout(fd, ends[0], SO_SNDTIMEO);
	*out = (struct relay_pair){ .outside = ends[0], .inside = ends[1] };
	return 0;
}

void relay_pair_close(struct relay_pair *pair)
{
	if (pair->outside >= 0)
		sys_close(pair->outside);
	if (pair->inside >= 0)
		sys_close(pair->inside);
	pair->outside = pair->inside = -1;
}

/* The name of the socket at fd, or of the one it is paired with: FAMILY/ADDRESS:PORT/ID. */
static bool read_name(int fd, bool peer, char *out, size_t room)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	int saved = errno;
	int r = peer ? libc.getpeername(fd, (struct sockaddr *)&name, &len)
		     : libc.getsockname(fd, (struct sockaddr *)&name, &len);
	size_t text = len > NAME_AT + 1 ? len - NAME_AT - 1 : 0;

	errno = saved;
	if (r < 0 || name.sun_family != AF_UNIX || text <= strlen(PREFIX) ||
		text > sizeof(name.sun_path) - 1 || name.sun_path[0] != '\0' ||
		memcmp(name.sun_path + 1, PREFIX, strlen(PREFIX)) != 0)
		return false;
	text -= strlen(PREFIX);
	if (text >= room)
		return false;
	memcpy(out, name.sun_path + 1 + strlen(PREFIX), text);
	out[text] = '\0';
	return true;
}

static bool to_v4(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return false;
	memcpy(out, &in, sizeof(in));
	*len = sizeof(in);
	return true;
}

/* An IPv4 address on an IPv6 socket is written as what it is, and was a mapped one there. */
static bool to_v6(const char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct in_addr mapped;

	if (inet_pton(AF_INET, host, &mapped) == 1) {
		in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(in6.sin6_addr.s6_addr + 12, &mapped, sizeof(mapped));
	} else if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1) {
		return false;
	}
	memcpy(out, &in6, sizeof(in6));
	*len = sizeof(in6);
	return true;
}

static bool parse_name(char *name, struct sockaddr_storage *out, socklen_t *len)
{
	char *host = name + 2, *end = strrchr(name, '/'), *port;
	unsigned long number;

	if ((name[0] != '4' && name[0] != '6') || name[1] != '/' || end < host)
		return false;
	*end = '\0';
	port = strrchr(host, ':');
	if (port == NULL)
		return false;
	*port++ = '\0';
	if (host[0] == '[') {
		host++;
		if (port - 2 < host || port[-2] != ']')
			return false;
		port[-2] = '\0';
	}
	number = strtoul(port, &end, 10);
	if (end == port || *end != '\0' || number > UINT16_MAX)
		return false;
	return name[0] == '6' ? to_v6(host, (uint16_t)number, out, len)
			      : to_v4(host, (uint16_t)number, out, len);
}

bool relay_address(int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_storage found;
	socklen_t found_len = 0;

	if (!read_name(fd, peer, name, sizeof(name)) || !parse_name(name, &found, &found_len))
		return false;
	memcpy(addr, &found, found_len < *len ? found_len : *len);
	*len = found_len;
	return true;
}

bool relay_is_end(int fd)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];

	return read_name(fd, false, name, sizeof(name));
}
