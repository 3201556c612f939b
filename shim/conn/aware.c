/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a program may ask of a connection. */
#include "conn/aware.h"

#include "conn/found.h"
#include "conn/internal.h"
#include "conn/memory.h"
#include "guard.h"
#include "seamtls.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define NAMES_MOST 32

_Static_assert(sizeof(struct seamtls_info) == 80 && offsetof(struct seamtls_info, connection) == 40,
	"the layout is the same everywhere");

int conn_aware_of_others(int fd)
{
	struct policy_address remote;

	/* Disabled is as if it were not loaded. */
	if (!host_has_policy() && !host_refuses())
		return 1;
	if (!socket_is_tcp(fd))
		return 1;
	return socket_address(fd, true, &remote) ? 0 : -ENOTCONN;
}

/* --- Into the program's memory, as getsockopt(2) does it */

static int room_of(const socklen_t *len, size_t *room)
{
	if (!memory_is_there(len, sizeof(*len), true))
		return -EFAULT;
	if (*len > INT32_MAX)
		return -EINVAL;
	*room = *len;
	return 0;
}

static int copy_out(const void *data, size_t size, void *value, socklen_t *len)
{
	if (size > 0 && !memory_is_there(value, size, true))
		return -EFAULT;
	if (size > 0)
		memcpy(value, data, size);
	*len = (socklen_t)size;
	return 0;
}

/* As much as there is room for. */
static int answer_structure(const void *data, size_t size, void *value, socklen_t *len)
{
	size_t room = 0;
	int r = room_of(len, &room);

	return r < 0 ? r : copy_out(data, room < size ? room : size, value, len);
}

/* All, or how much room it takes. */
static int answer_bytes(const void *data, size_t size, void *value, socklen_t *len)
{
	size_t room = 0;
	int r = room_of(len, &room);

	if (r < 0)
		return r;
	if (room >= size)
		return copy_out(data, size, value, len);
	*len = (socklen_t)size;
	return -ENOBUFS;
}

/* --- SEAMTLS_INFO */

static uint32_t state_of(const struct conn *conn)
{
	const struct share *share = conn->share;

	switch (conn_state(conn)) {
	case CONN_WAITING:
		return SEAMTLS_WAITING;
	case CONN_CONNECTING:
	case CONN_DEFERRED:
	case CONN_ESTABLISHING:
		return SEAMTLS_ESTABLISHING;
	case CONN_OPEN:
		return share->send_closed || share->eof ? SEAMTLS_CLOSING : SEAMTLS_OPEN;
	case CONN_FAILED:
		return SEAMTLS_FAILED;
	default:
		return SEAMTLS_PASSTHROUGH;
	}
}

static uint32_t flags_of(const struct conn *conn)
{
	const struct share *share = conn->share;
	size_t len = 0;

	if (conn->found != NULL)
		found_get(conn->found, FOUND_PEER_CERTIFICATE, &len);
	return (conn->accepted ? SEAMTLS_ACCEPTED : 0) | (share->resumed ? SEAMTLS_RESUMED : 0) |
	       (strcmp(share->verify, "ok") == 0 ? SEAMTLS_VERIFIED : 0) |
	       (len > 0 ? SEAMTLS_HAS_CERTIFICATE : 0) |
	       (share->tls_ended > 0 ? SEAMTLS_STARTED_BEFORE : 0);
}

static bool is_protected(uint32_t state)
{
	return state == SEAMTLS_OPEN || state == SEAMTLS_CLOSING;
}

static void fill_info(const struct conn *conn, struct seamtls_info *info)
{
	const struct share *share = conn->share;

	info->state = state_of(conn);
	info->policy = conn->rule->tls.start == POLICY_START_PROGRAM ? SEAMTLS_POLICY_PROGRAM
								     : SEAMTLS_POLICY_TLS;
	info->flags = flags_of(conn);
	info->connection = share->id;
	info->age_us = sys_monotonic_us() - share->created_us;
	if (info->state == SEAMTLS_PASSTHROUGH || info->state == SEAMTLS_WAITING)
		return;
	info->role = conn->role == TLS_CLIENT ? SEAMTLS_ROLE_CLIENT : SEAMTLS_ROLE_SERVER;
	info->alert_sent = (int16_t)share->alert_sent;
	info->alert_received = (int16_t)share->alert_received;
	if (info->state == SEAMTLS_FAILED)
		info->error = atomic_load(&share->error);
	info->version = share->version;
	info->cipher = share->cipher;
	info->group = share->group;
	info->handshake_us = share->handshake_us;
	info->bytes_in = atomic_load(&share->bytes_in);
	info->bytes_out = atomic_load(&share->bytes_out);
	if (is_protected(info->state))
		info->plane = conn->relayed             ? SEAMTLS_PLANE_RELAY
			      : conn_is_by_kernel(conn) ? SEAMTLS_PLANE_KERNEL
							: SEAMTLS_PLANE_USER;
}

static int get_info(const struct conn *conn, void *value, socklen_t *len)
{
	struct seamtls_info info = { .size = sizeof(info),
		.state = SEAMTLS_PASSTHROUGH,
		.policy = SEAMTLS_POLICY_CLEAR,
		.alert_sent = -1,
		.alert_received = -1 };

	if (conn != NULL)
		fill_info(conn, &info);
	return answer_structure(&info, sizeof(info), value, len);
}

/* --- Texts */

static const struct {
	int name;
	enum found_item item;
} founds[] = {
	{ SEAMTLS_REASON, FOUND_REASON },
	{ SEAMTLS_SERVER_NAME, FOUND_SERVER_NAME },
	{ SEAMTLS_ALPN, FOUND_ALPN },
	{ SEAMTLS_CIPHER, FOUND_CIPHER },
	{ SEAMTLS_GROUP, FOUND_GROUP },
	{ SEAMTLS_VERIFY, FOUND_VERIFY },
	{ SEAMTLS_PEER_SUBJECT, FOUND_PEER_SUBJECT },
	{ SEAMTLS_PEER_ISSUER, FOUND_PEER_ISSUER },
	{ SEAMTLS_PEER_SERIAL, FOUND_PEER_SERIAL },
	{ SEAMTLS_PEER_SHA256, FOUND_PEER_SHA256 },
	{ SEAMTLS_PEER_SAN, FOUND_PEER_SAN },
	{ SEAMTLS_PEER_CERTIFICATE, FOUND_PEER_CERTIFICATE },
};

static bool is_known(const struct conn *conn)
{
	return conn->found != NULL && conn->found_of == conn->share->tls_ended;
}

/* Another process has done the handshake: what is known of it is there, and in what it has forked
 * since. */
static bool is_elsewhere(const struct conn *conn)
{
	enum conn_state state = conn_state(conn);

	return !is_known(conn) && (state == CONN_OPEN || state == CONN_FAILED);
}

static int get_found(const struct conn *conn, enum found_item item, void *value, socklen_t *len)
{
	const void *data = "";
	size_t size = 0;

	if (conn != NULL && is_elsewhere(conn))
		return -ENODATA;
	if (conn != NULL && is_known(conn))
		data = found_get(conn->found, item, &size);
	return answer_bytes(data, size, value, len);
}

static int get_names(int fd, void *value, socklen_t *len)
{
	const char *names[NAMES_MOST];
	char memory[NAMES_MOST * CONN_NAME_LEN / 8];
	struct policy_address remote;
	size_t count = 0, size = 0;

	if (socket_address(fd, true, &remote))
		count = names_find(&remote, names, NAMES_MOST, memory, sizeof(memory));
	/* They lie one behind the other. */
	for (size_t i = 0; i < count; i++)
		size += strlen(names[i]) + 1;
	return answer_bytes(memory, size, value, len);
}

static int get_by_name(const struct conn *conn, int fd, int name, void *value, socklen_t *len)
{
	const char *rule = conn != NULL ? conn->rule->name : NULL;

	if (name == SEAMTLS_INFO)
		return get_info(conn, value, len);
	if (name == SEAMTLS_RULE)
		return answer_bytes(rule, rule != NULL ? strlen(rule) + 1 : 0, value, len);
	if (name == SEAMTLS_NAMES)
		return get_names(fd, value, len);
	for (size_t i = 0; i < sizeof(founds) / sizeof(*founds); i++)
		if (founds[i].name == name)
			return get_found(conn, founds[i].item, value, len);
	return -ENOPROTOOPT;
}

int conn_aware_get(struct conn *conn, int fd, int name, void *value, socklen_t *len)
{
	int r;

	if (conn == NULL || conn_state(conn) == CONN_NEW) {
		r = conn_aware_of_others(fd);
		return r != 0 ? r : get_by_name(NULL, fd, name, value, len);
	}
	/* A handshake that could go on goes on: a program may wait for it by asking. */
	conn_establish(conn, fd);
	guard_lock(&conn->lock);
	r = get_by_name(conn, fd, name, value, len);
	guard_unlock(&conn->lock);
	return r;
}
