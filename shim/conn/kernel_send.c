/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plaintext to the kernel, which makes records of it and keeps what TCP has no room for. What it
 * keeps it forgets when the socket is shut down or closed before it has become TCP's. So the bytes
 * are counted: the end waits until as many as were given, with what records add, are in TCP's
 * stream.
 */
#include "conn/kernel.h"

#include "conn/internal.h"
#include "conn/kernel_key.h"
#include "conn/outlet.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define PARTS_MOST 64
/* Rather more records than there are: the kernel's are shorter where pages are in pieces. */
#define RECORD_LEAST 8192
#define KEY_SPARE 4096
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

void kernel_count(struct share *share, size_t len)
{
	atomic_fetch_add_explicit(&share->kernel_in, len, memory_order_relaxed);
	share->send_key.seq += len / RECORD_LEAST + 1;
}

static int as_tcp_has_it(int fd, int error)
{
	int pending;

	switch (error) {
	case -EBADMSG:
	case -EMSGSIZE:
	case -EINVAL:
		break;
	case -ECONNRESET:
	case -ETIMEDOUT:
		sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR); /* the kernel's TLS leaves it */
		return error;
	default:
		return error;
	}
	pending = sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR);
	/* A record that could not be given to TCP is a bad one to the kernel. */
	if (conn_tcp_is_over(fd))
		return pending == ECONNRESET || pending == ETIMEDOUT ? -pending : -EPIPE;
	return -EILSEQ;
}

int kernel_send_error(struct share *share, int fd, int error)
{
	int r = as_tcp_has_it(fd, error);

	if (r == -ECONNRESET || r == -ETIMEDOUT || r == -EPIPE)
		share->kernel_send_over = true;
	return r;
}

/* No MSG_MORE: what it holds back would stay in the kernel's TLS until something comes behind it,
 * whereas TCP sends it after 200 ms. */
static int send_some(struct share *share, int fd, struct outgoing *out)
{
	struct iovec parts[PARTS_MOST];
	const struct msghdr msg = { .msg_iov = parts,
		.msg_iovlen = outgoing_rest(out, parts, PARTS_MOST) };
	ssize_t n = share->kernel_send_over ? -EPIPE : sys_sendmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return kernel_send_error(share, fd, (int)n);
	kernel_count(share, (size_t)n);
	out->done += (size_t)n;
	return 0;
}

int kernel_send_tickets(struct conn *conn, int fd)
{
	struct share *share = conn->share;
	int r = 0;

	if (share->tickets_due && conn->tickets != NULL)
		r = kernel_send_control(
			share, fd, RECORD_HANDSHAKE, conn->tickets, conn->tickets_len);
	if (r == 0)
		share->tickets_due = false;
	return r;
}

/* With the tickets before it, the first data leaves as one: a peer who has closed would have
 * answered the tickets by a reset, and the data would be refused, which over TCP alone is taken. */
static bool begin_together(const struct share *share, int fd)
{
	return share->tickets_due && sys_getsockopt_int(fd, IPPROTO_TCP, TCP_CORK) == 0 &&
	       sys_setsockopt_int(fd, IPPROTO_TCP, TCP_CORK, 1) == 0;
}

int kernel_send_data(struct conn *conn, int fd, struct outgoing *out)
{
	struct share *share = conn->share;
	bool hurries = outlet_hurry(share, fd), together = begin_together(share, fd);
	int r;

	/* It was told by SO_ERROR, or to a read. */
	if (atomic_load_explicit(&share->reset_told, memory_order_relaxed) && conn_tcp_is_over(fd))
		share->kernel_send_over = true;
	r = kernel_send_tickets(conn, fd);
	while (r == 0 && out->done < out->total)
		r = send_some(share, fd, out);
	if (together)
		sys_setsockopt_int(fd, IPPROTO_TCP, TCP_CORK, 0);
	if (hurries)
		outlet_hurry_end(fd);
	return r;
}

static int send_control(
	struct share *share, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(1)];
	} control = { .head = { .cmsg_level = SOL_TLS,
			      .cmsg_type = TLS_SET_RECORD_TYPE,
			      .cmsg_len = CMSG_LEN(1) } };
	struct iovec part = { (void *)(uintptr_t)data, len };
	const struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	*CMSG_DATA(&control.head) = (uint8_t)type;
	n = share->kernel_send_over ? -EPIPE : sys_sendmsg(fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return kernel_send_error(share, fd, (int)n);
	kernel_count(share, (size_t)n);
	return 0;
}

int kernel_send_control(
	struct share *share, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	int r = send_control(share, fd, type, data, len);

	if (r != -EAGAIN || type != RECORD_ALERT || len != sizeof(share->kernel_alert))
		return r;
	memcpy(share->kernel_alert, data, sizeof(share->kernel_alert));
	share->kernel_alert_due = true;
	return 0;
}

bool kernel_has_left(struct share *share, int fd)
{
	uint64_t seq;

	if (kernel_send_seq(fd, &seq) < 0)
		return false;
	share->send_key.seq = seq;
	return record_key_left(&share->send_key) > KEY_SPARE;
}

static bool is_settled(const struct share *share, int fd)
{
	uint64_t seq, given;

	if (kernel_send_seq(fd, &seq) < 0)
		return sys_unsent(fd) == 0;
	given = share->kernel_from_byte +
		atomic_load_explicit(&share->kernel_in, memory_order_relaxed) +
		(seq - share->kernel_from_seq) * record_overhead(&share->send_key);
	return kernel_stream_end(fd) >= given;
}

int kernel_flush(struct share *share, int fd)
{
	int r = 0;

	if (share->kernel_alert_due)
		r = send_control(
			share, fd, RECORD_ALERT, share->kernel_alert, sizeof(share->kernel_alert));
	if (r == -EAGAIN)
		return r;
	share->kernel_alert_due = false;
	if (r == 0 && share->kernel_unsettled && !conn_tcp_is_over(fd) && !is_settled(share, fd))
		return -EAGAIN;
	share->kernel_unsettled = false;
	return r;
}
