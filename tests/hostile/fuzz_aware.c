/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a program may ask by seamtls.h, on a connection whose rule says `start = program`, and what
 * its peer says meanwhile. A list of requests: what (below), the option, a length, and so many
 * bytes. Wrong ones are refused and change nothing; whatever is asked, nothing is written beyond
 * what the program has room for.
 */
#include "conn/aware.h"
#include "conn/conn.h"
#include "fixture.h"
#include "fuzz.h"
#include "host.h"
#include "libc.h"
#include "seamtls.h"
#include "variables.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_LEN 4
#define GUARD 0xa5
#define GUARD_LEN 64

enum what { GET, SET, SAY, LOOK, WHATS };

static struct sockaddr_in address;
static int listener;

static void set_up(void)
{
	static const char policy[] =
		"[rule \"aware\"]\ndirection = outbound\naction = tls\nstart = "
		"program\nserver_name = localhost\n";
	char path[FIXTURE_PATH_LEN];
	socklen_t len = sizeof address;
	int fd = fixture_file(policy, sizeof policy - 1, path);

	libc_init();
	setenv("SEAMTLS_POLICY", path, 1);
	setenv("SEAMTLS_AUDIT", "none", 1);
	variables_learn(environ);
	host_started();
	if (!host_has_policy())
		abort();
	close(fd);
	address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(listener, 8) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &len) != 0)
		abort();
}

/* The program's end; *peer is the other one. */
static int connect_one(int *peer)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *conn;

	conn_socket_made(fd, AF_INET, SOCK_STREAM);
	conn = conn_get(fd);
	if (conn == NULL)
		abort();
	conn_connect(conn, fd, (struct sockaddr *)&address, sizeof address);
	*peer = accept(listener, NULL, NULL);
	if (*peer < 0)
		abort();
	return fd;
}

/* Into room of just that size, with guards around. */
static void get(int fd, int name, size_t room)
{
	uint8_t *value = malloc(room + 2 * GUARD_LEN);
	struct conn *conn = conn_get(fd);
	socklen_t len = (socklen_t)room;
	int r;

	memset(value, GUARD, room + 2 * GUARD_LEN);
	r = conn_aware_get(conn, fd, name, value + GUARD_LEN, &len);
	if (conn != NULL)
		conn_put(conn);
	if (r > 0 || (r == 0 && len > room) || (r == -ENOBUFS && len <= room))
		abort();
	for (size_t i = 0; i < GUARD_LEN; i++)
		if (value[i] != GUARD || value[GUARD_LEN + room + i] != GUARD)
			abort();
	free(value);
}

/* A copy, which ends where it ends. */
static void set(int fd, int name, const uint8_t *data, size_t len)
{
	uint8_t *value = malloc(len > 0 ? len : 1);

	memcpy(value, data, len);
	if (conn_aware_set(conn_get(fd), fd, name, value, (socklen_t)len) > 0)
		abort();
	free(value);
}

static void say(int peer, const uint8_t *data, size_t len)
{
	if (send(peer, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
		errno != EPIPE && errno != ECONNRESET)
		abort();
}

static void look(int fd, size_t size)
{
	struct seamtls_info info;
	struct conn *conn = conn_get(fd);
	socklen_t len = size < sizeof info ? (socklen_t)size : sizeof info;

	memset(&info, 0, sizeof info);
	if (conn_aware_get(conn, fd, SEAMTLS_INFO, &info, &len) == 0 && len == sizeof info &&
		(info.size < sizeof info || info.state < SEAMTLS_PASSTHROUGH ||
			info.state > SEAMTLS_FAILED ||
			(info.error != 0 && info.state != SEAMTLS_FAILED)))
		abort();
	if (conn != NULL)
		conn_put(conn);
}

static void request(int fd, int peer, enum what what, int name, const uint8_t *data, size_t len)
{
	switch (what) {
	case GET:
		get(fd, name, len);
		break;
	case SET:
		set(fd, name, data, len);
		break;
	case SAY:
		say(peer, data, len);
		break;
	default:
		look(fd, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conn *conn;
	int fd, peer;

	if (listener == 0)
		set_up();
	fd = connect_one(&peer);
	while (len >= REQUEST_LEN) {
		enum what what = data[0] % WHATS;
		size_t size = (size_t)(data[2] << 8 | data[3]);
		int name = (int)data[1];

		data += REQUEST_LEN;
		len -= REQUEST_LEN;
		if (what == GET || what == LOOK) {
			request(fd, peer, what, name, NULL, size);
			continue;
		}
		if (size > len)
			size = len;
		request(fd, peer, what, name, data, size);
		data += size;
		len -= size;
	}
	conn = conn_get(fd);
	if (conn != NULL) {
		conn_close(conn, fd);
		conn_put(conn);
	}
	close(peer);
	return 0;
}
