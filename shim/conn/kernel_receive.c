/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plaintext from the kernel, straight into the program's buffer by one call. The kernel refuses a
 * plain read at a record that is no data (EIO) and keeps it; it is then fetched with its type, into
 * a buffer of ours. A read ends before such a record, so a short count means "drained" only to who
 * waits for levels: for edges it is asked once more.
 */
#include "conn/control.h"
#include "conn/intake.h"
#include "conn/internal.h"
#include "conn/kernel.h"

#include <errno.h>
#include <linux/tls.h>
#include <string.h>

#define PARTS_MOST 64
#define LOOK_PARTS 4
#define READ_MOST ((size_t)LOOK_PARTS * SCRATCH_LEN) /* bytes by one call */
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

bool kernel_is_record_error(int error)
{
	return error == -EBADMSG || error == -EMSGSIZE || error == -EINVAL;
}

int kernel_receive_failed(struct conn *conn, int fd, int error)
{
	if (!kernel_is_record_error(error))
		return conn_control_broken(conn, fd, error);
	/* It is pending for the alert, too. */
	sys_getsockopt_int(fd, SOL_SOCKET, SO_ERROR);
	return conn_control_failed(conn, fd, error == -EINVAL ? -EPROTO : error);
}

/* With its type. A count or -errno. */
static ssize_t fetch(int fd, uint8_t *data, size_t len, int flags, uint8_t *type)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(1)];
	} control;
	struct iovec part = { data, len };
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = sys_recvmsg(fd, &msg, flags | MSG_DONTWAIT);
	const struct cmsghdr *head = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	*type = RECORD_APPLICATION_DATA;
	if (head != NULL && head->cmsg_level == SOL_TLS && head->cmsg_type == TLS_GET_RECORD_TYPE)
		*type = *CMSG_DATA(head);
	return n;
}

/* The next record is none of data. 0; -EAGAIN; or failed. */
static int take_control(struct intake *in)
{
	uint8_t *scratch = scratch_get(), type = 0;
	ssize_t n = -ENOBUFS;
	int r;

	/* Another process, which we do not see, may have taken it meanwhile. */
	if (scratch != NULL)
		n = fetch(in->fd, scratch, 1, MSG_PEEK, &type);
	if (n >= 0 && type != RECORD_APPLICATION_DATA)
		n = fetch(in->fd, scratch, SCRATCH_LEN, 0, &type);
	if (n < 0)
		r = n == -EAGAIN || n == -ENOBUFS ? (int)n
						  : kernel_receive_failed(in->conn, in->fd, (int)n);
	else if (type != RECORD_APPLICATION_DATA)
		r = intake_control(in, (enum record_type)type, scratch, (size_t)n);
	else
		r = 0;
	scratch_put(scratch);
	return r;
}

/* What a call that reads says instead of bytes. 0: look again; else as intake_fill(). */
static int nothing_came(struct intake *in, int result)
{
	if (result == -EIO) {
		int r = take_control(in);

		return r == 0 && in->share->eof ? 1 : r;
	}
	if (in->share->eof)
		return 1; /* it has been met on the way */
	if (result == 0 || result == -EAGAIN || result == -EINTR)
		return intake_nothing_came(in, result);
	return result == -EFAULT ? result : kernel_receive_failed(in->conn, in->fd, result);
}

/* MSG_TRUNC means nothing to the kernel's TLS: the bytes go where nobody looks. */
static ssize_t discard(struct intake *in, size_t len, int flags)
{
	uint8_t *scratch = scratch_get();
	ssize_t n = -ENOBUFS;

	if (scratch != NULL)
		n = sys_recv(in->fd, scratch, len < SCRATCH_LEN ? len : SCRATCH_LEN,
			flags | MSG_DONTWAIT);
	scratch_put(scratch);
	return n;
}

/* A buffer that is none is told of when there is something to put in; the kernel's TLS would take
 * it for a record that cannot be opened. */
static ssize_t fault(struct intake *in)
{
	int r = kernel_settle(in);

	return r == 0 ? -EAGAIN : in->share->eof ? 0 : -EFAULT;
}

/* *asked: how many bytes at most. */
static ssize_t read_some(struct intake *in, struct sink *sink, int flags, size_t *asked)
{
	struct iovec parts[PARTS_MOST];
	size_t count, room = sink->total - sink->done;

	*asked = room < SCRATCH_LEN ? room : SCRATCH_LEN;
	if (sink->discards)
		return discard(in, room, flags);
	if (!sink_is_there(sink, READ_MOST))
		return fault(in);
	count = sink_rest(sink, READ_MOST, parts, PARTS_MOST);
	*asked = 0;
	for (size_t i = 0; i < count; i++)
		*asked += parts[i].iov_len;
	return sys_recv_iov(in->fd, parts, count, flags | MSG_DONTWAIT);
}

void kernel_sync_low_water(struct share *share, int fd)
{
	int want = atomic_load_explicit(&share->low_water, memory_order_relaxed);

	if (share->kernel_partial >= want && !share->eof)
		want = share->kernel_partial + 1;
	if (share->eof)
		want = 1;
	if (want == share->kernel_low_water || (want <= 1 && share->kernel_low_water <= 1))
		return;
	share->kernel_low_water = want;
	sys_setsockopt_int(fd, SOL_SOCKET, SO_RCVLOWAT, want);
}

/*
 * The kernel calls the descriptor readable for part of a record. So that a program does not spin
 * until the rest is there, one byte more than that is asked for; but only while there is nothing
 * else: below the mark the kernel's TLS does not even look at what comes.
 */
static int note_partial(struct intake *in, int result)
{
	int queued = result == -EAGAIN ? sys_queued(in->fd) : 0;

	in->share->kernel_partial = queued > 0 ? queued : 0;
	kernel_sync_low_water(in->share, in->fd);
	return result;
}

/* 0: more may come. */
static int fill_some(struct intake *in, struct sink *sink)
{
	size_t asked;
	ssize_t n;

	if (in->share->eof)
		return 1;
	n = read_some(in, sink, 0, &asked);
	if (n <= 0)
		return nothing_came(in, (int)n);
	intake_count_data(in, (size_t)n);
	sink_took(sink, (size_t)n);
	return (size_t)n < asked && !atomic_load(&in->conn->edge_triggered) ? -EAGAIN : 0;
}

int kernel_fill(struct intake *in, struct sink *sink)
{
	size_t before = sink->done;
	int r = 0;

	while (r == 0 && sink->done < sink->total)
		r = fill_some(in, sink);
	note_partial(in, sink->done > before ? 0 : r);
	return r;
}

int kernel_peek(struct intake *in, struct sink *sink)
{
	int r = 0;

	while (r == 0) {
		size_t asked;
		ssize_t n;

		if (in->share->eof)
			return 1;
		n = read_some(in, sink, MSG_PEEK, &asked);
		if (n > 0) {
			sink_took(sink, (size_t)n);
			return note_partial(in, 0);
		}
		r = nothing_came(in, (int)n);
	}
	return note_partial(in, r);
}

int kernel_settle(struct intake *in)
{
	int r = 0;

	while (r == 0 && !in->share->eof) {
		uint8_t byte;
		ssize_t n = sys_recv(in->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		r = n > 0 ? 1 : nothing_came(in, (int)n);
	}
	note_partial(in, r);
	return r != -EAGAIN;
}

size_t kernel_queued(struct intake *in)
{
	struct iovec parts[LOOK_PARTS];
	uint8_t *scratch = scratch_get();
	ssize_t n = 0;

	for (int i = 0; i < LOOK_PARTS; i++)
		parts[i] = (struct iovec){ scratch, SCRATCH_LEN };
	if (scratch != NULL)
		n = sys_recv_iov(in->fd, parts, LOOK_PARTS, MSG_PEEK | MSG_DONTWAIT);
	scratch_put(scratch);
	return n > 0 ? (size_t)n : 0;
}
