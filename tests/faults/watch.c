/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "watch.h"

#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RANGES_MOST 64
#define MARKERS_MOST 8
#define PARTS_MOST 1024
#define SHOWN 48
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

struct range {
	uint16_t first, last;
	bool local, upgrades;
};

struct sending {
	uint64_t cookie;
	struct stream stream;
	bool told;
	char name[128];
};

struct bytes {
	uint8_t *data;
	size_t len, room;
};

static struct range ranges[RANGES_MOST];
static size_t range_count;
static const char *markers[MARKERS_MOST];
static size_t marker_count;
static FILE *report;
static struct sending **table; /* by cookie, open addressing */
static size_t table_room, connections;
static uint64_t calls, leaks, kernel_tls;
static struct bytes held; /* what the call at hand is to send */

/* --- Which connections */

bool watch_ports(const char *text)
{
	struct range range = { 0 };

	if (*text == '+') {
		range.upgrades = true;
		text++;
	}
	range.local = strncmp(text, "in:", 3) == 0;
	if (!range.local && strncmp(text, "out:", 4) != 0)
		return false;
	text += range.local ? 3 : 4;
	for (char *end; *text != '\0'; text = *end == ',' ? end + 1 : end) {
		range.first = range.last = (uint16_t)strtoul(text, &end, 10);
		if (*end == '-')
			range.last = (uint16_t)strtoul(end + 1, &end, 10);
		if (end == text || (*end != ',' && *end != '\0') || range_count == RANGES_MOST)
			return false;
		ranges[range_count++] = range;
	}
	return true;
}

void watch_marker(const char *marker)
{
	if (marker_count < MARKERS_MOST)
		markers[marker_count++] = marker;
}

void watch_report_to(FILE *to)
{
	report = to;
}

static const struct range *range_of(uint16_t local, uint16_t remote)
{
	for (size_t i = 0; i < range_count; i++) {
		uint16_t port = ranges[i].local ? local : remote;

		if (port >= ranges[i].first && port <= ranges[i].last)
			return &ranges[i];
	}
	return NULL;
}

static struct sending **place_of(uint64_t cookie)
{
	size_t at = (size_t)(cookie * 0x9e3779b97f4a7c15u >> 20) & (table_room - 1);

	while (table[at] != NULL && table[at]->cookie != cookie)
		at = (at + 1) & (table_room - 1);
	return &table[at];
}

static void grow(void)
{
	struct sending **before = table;
	size_t room = table_room;

	table_room = room > 0 ? room * 2 : 256;
	table = calloc(table_room, sizeof(*table));
	if (table == NULL)
		abort();
	for (size_t i = 0; i < room; i++)
		if (before[i] != NULL)
			*place_of(before[i]->cookie) = before[i];
	free(before);
}

static struct sending *sending_of(uint64_t cookie, bool *made)
{
	struct sending **place;

	if ((connections + 1) * 2 > table_room)
		grow();
	place = place_of(cookie);
	*made = *place == NULL;
	if (*made) {
		*place = calloc(1, sizeof(**place));
		if (*place == NULL)
			abort();
		(*place)->cookie = cookie;
		connections++;
	}
	return *place;
}

/* --- The descriptor */

static struct {
	pid_t pid;
	int pidfd;
} known;

void watch_forget(pid_t pid)
{
	if (known.pid != pid)
		return;
	close(known.pidfd);
	known.pid = 0;
}

static int copy_of(pid_t pid, int fd)
{
	if (known.pid != pid) {
		if (known.pid != 0)
			close(known.pidfd);
		known.pid = pid;
		known.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	return (int)syscall(SYS_pidfd_getfd, known.pidfd, fd, 0);
}

static int option_of(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

static bool is_tcp(int fd)
{
	int domain = option_of(fd, SOL_SOCKET, SO_DOMAIN);

	return (domain == AF_INET || domain == AF_INET6) &&
	       option_of(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
}

static uint16_t port_of(const struct sockaddr_storage *at)
{
	if (at->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)at)->sin_port);
	return at->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)at)->sin6_port) : 0;
}

/* The records are made in the kernel (kTLS): what the call has is plaintext by right. */
static bool kernel_encrypts(int fd)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	return getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len) == 0 && strcmp(name, "tls") == 0;
}

/* The connection that the descriptor of a call is, if it is to be protected. */
static struct sending *protected_by(const struct call *call, int fd)
{
	struct sockaddr_storage local = { 0 }, remote = { 0 };
	socklen_t local_len = sizeof(local), remote_len = sizeof(remote), len = sizeof(uint64_t);
	const struct range *range;
	struct sending *sending;
	uint64_t cookie = 0;
	bool made;

	getsockname(fd, (struct sockaddr *)&local, &local_len);
	if (getpeername(fd, (struct sockaddr *)&remote, &remote_len) < 0 &&
		call->number == SYS_sendto && call->arg[4] != 0)
		call_memory(call, call->arg[4], &remote, sizeof(struct sockaddr_in6));
	range = range_of(port_of(&local), port_of(&remote));
	if (range == NULL || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return NULL;
	sending = sending_of(cookie, &made);
	if (made) {
		sending->stream.upgrades = range->upgrades;
		snprintf(sending->name, sizeof(sending->name), "local port %u, remote port %u",
			port_of(&local), port_of(&remote));
	}
	return sending;
}

static struct sending *find(const struct call *call, int number)
{
	int fd = copy_of(call->pid, number);
	struct sending *sending = NULL;

	if (fd < 0)
		return NULL;
	if (is_tcp(fd)) {
		sending = protected_by(call, fd);
		if (sending != NULL && kernel_encrypts(fd)) {
			kernel_tls++;
			sending = NULL;
		}
	}
	close(fd);
	return sending;
}

/* --- What is sent */

static void hold(const struct call *call, uint64_t at, size_t len)
{
	if (held.len + len > held.room) {
		held.room = held.len + len;
		held.data = realloc(held.data, held.room);
		if (held.data == NULL)
			abort();
	}
	held.len += call_memory(call, at, held.data + held.len, len);
}

/* More parts than that the kernel takes for none (sendmsg(2)). */
static void hold_parts(const struct call *call, uint64_t at, size_t count)
{
	struct iovec part[PARTS_MOST];

	if (count > PARTS_MOST)
		return;
	count = call_memory(call, at, part, count * sizeof(*part)) / sizeof(*part);
	for (size_t i = 0; i < count; i++)
		hold(call, (uint64_t)(uintptr_t)part[i].iov_base, part[i].iov_len);
}

static void hold_message(const struct call *call, uint64_t at)
{
	struct msghdr msg;

	if (call_memory(call, at, &msg, sizeof(msg)) == sizeof(msg))
		hold_parts(call, (uint64_t)(uintptr_t)msg.msg_iov, msg.msg_iovlen);
}

/* False: the bytes do not come from the process's memory. */
static bool hold_all(const struct call *call)
{
	held.len = 0;
	switch (call->number) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_sendto:
		hold(call, call->arg[1], call->arg[2]);
		return true;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_vmsplice:
		hold_parts(call, call->arg[1], call->arg[2]);
		return true;
	case SYS_sendmsg:
		hold_message(call, call->arg[1]);
		return true;
	case SYS_sendmmsg:
		for (size_t i = 0; i < call->arg[2] && i < PARTS_MOST; i++)
			hold_message(call, call->arg[1] + i * sizeof(struct mmsghdr));
		return true;
	default:
		return false;
	}
}

static int descriptor_of(const struct call *call)
{
	return (int)call->arg[call->number == SYS_splice || call->number == SYS_tee ? 2 : 0];
}

/* --- What is wrong */

static void leak(struct sending *sending, const struct call *call, const char *what)
{
	if (sending->told)
		return;
	sending->told = true;
	leaks++;
	fprintf(report, "leak: process %d, %s, %s, after %llu bytes: %s:", (int)call->pid,
		call_name(call->number), sending->name, (unsigned long long)sending->stream.bytes,
		what);
	for (size_t i = 0; i < held.len && i < SHOWN; i++)
		fprintf(report, " %02x", held.data[i]);
	fputc('\n', report);
	fflush(report);
}

static bool has_marker(void)
{
	for (size_t i = 0; i < marker_count; i++)
		if (memmem(held.data, held.len, markers[i], strlen(markers[i])) != NULL)
			return true;
	return false;
}

bool watch_before(const struct call *call)
{
	struct sending *sending = find(call, descriptor_of(call));

	if (sending == NULL)
		return false;
	calls++;
	if (!hold_all(call))
		leak(sending, call, "a call that sends what no program has in its hands");
	else if (has_marker())
		leak(sending, call, "a marker");
	return true;
}

/* In between other threads have sent too: what this call has is read again. The result of several
 * messages is how many of them were sent. */
void watch_after(const struct call *call, long result)
{
	struct call sent = *call;
	struct sending *sending;
	const char *problem;

	if (result <= 0)
		return;
	if (call->number == SYS_sendmmsg)
		sent.arg[2] = (uint64_t)result;
	sending = find(call, descriptor_of(call));
	if (sending == NULL || !hold_all(&sent))
		return;
	if (call->number == SYS_sendmmsg)
		result = (long)held.len;
	problem = stream_feed(
		&sending->stream, held.data, (size_t)result < held.len ? (size_t)result : held.len);
	if (problem != NULL)
		leak(sending, call, problem);
}

void watch_sum(void)
{
	uint64_t records = 0, bytes = 0;

	for (size_t i = 0; i < table_room; i++)
		if (table[i] != NULL) {
			records += table[i]->stream.records;
			bytes += table[i]->stream.bytes;
		}
	fprintf(report,
		"sum: connections %zu, calls %llu, records %llu, bytes %llu, by the kernel %llu, "
		"leaks %llu\n",
		connections, (unsigned long long)calls, (unsigned long long)records,
		(unsigned long long)bytes, (unsigned long long)kernel_tls,
		(unsigned long long)leaks);
	fflush(report);
}
