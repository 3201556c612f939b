/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One call that sends or reads, of all that there are, in pieces as chance has them. */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PARTS_MOST 6
#define MESSAGES_MOST 3
#define GUARD 64
#define UNTOUCHED 0xA5
#define NO_ERROR 4095 /* what errno must still be after success */

struct parts {
	struct iovec iov[PARTS_MOST];
	size_t count;
};

/* --- Pieces */

/* Cuts [data, data+len) at random, with empty parts in between. */
static void cut(struct parts *parts, struct rng *rng, uint8_t *data, size_t len)
{
	parts->count = 1 + rng_below(rng, PARTS_MOST);
	for (size_t i = 0; i < parts->count; i++) {
		size_t part = i + 1 == parts->count ? len : rng_below(rng, len + 1);

		if (i + 1 < parts->count && rng_one_in(rng, 4))
			part = 0;
		parts->iov[i] = (struct iovec){ data, part };
		data += part;
		len -= part;
	}
}

/* Several messages of the same bytes in a row. Returns how many. */
static unsigned cut_messages(
	struct mmsghdr *msg, struct parts *parts, struct rng *rng, uint8_t *data, size_t len)
{
	unsigned count = 1 + (unsigned)rng_below(rng, MESSAGES_MOST);

	memset(msg, 0, MESSAGES_MOST * sizeof(*msg));
	if (count > len)
		count = (unsigned)len;
	for (unsigned i = 0; i < count; i++) {
		size_t part = i + 1 == count ? len : 1 + rng_below(rng, len - (count - i) + 1);

		cut(&parts[i], rng, data, part);
		msg[i].msg_hdr.msg_iov = parts[i].iov;
		msg[i].msg_hdr.msg_iovlen = parts[i].count;
		data += part;
		len -= part;
	}
	return count;
}

static ssize_t sum_messages(const struct mmsghdr *msg, int count)
{
	ssize_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += msg[i].msg_len;
	return count < 0 ? count : sum;
}

/* --- Sending */

enum send_call {
	BY_WRITE,
	BY_SEND,
	BY_SENDTO,
	BY_WRITEV,
	BY_SENDMSG,
	BY_SENDMMSG,
	BY_PWRITEV2,
	BY_SENDFILE,
	BY_SENDFILE_AT,
	BY_MORE,
	SEND_CALLS,
};

static const char *const send_names[SEND_CALLS] = { "write", "send", "sendto", "writev", "sendmsg",
	"sendmmsg", "pwritev2", "sendfile", "sendfile at", "send more" };

static ssize_t by_sendfile(struct end *end, int fd, size_t len, bool at_offset)
{
	off_t begin = known_offset(&end->out), offset = begin, position;
	int file = known_file(), saved;
	ssize_t n;

	must(end, file >= 0 && (at_offset || lseek(file, begin, SEEK_SET) == begin), "the file");
	errno = NO_ERROR;
	n = sendfile(fd, file, at_offset ? &offset : NULL, len);
	saved = errno;
	position = at_offset ? offset : lseek(file, 0, SEEK_CUR);
	if (position != begin + (n > 0 ? n : 0))
		fail(end, "sendfile() = %zd moved the file by %lld", n,
			(long long)(position - begin));
	close(file);
	errno = saved;
	return n;
}

static ssize_t by_sendmmsg(int fd, struct rng *rng, uint8_t *data, size_t len, int flags)
{
	struct parts parts[MESSAGES_MOST];
	struct mmsghdr msg[MESSAGES_MOST];
	unsigned count = cut_messages(msg, parts, rng, data, len);

	return sum_messages(msg, sendmmsg(fd, msg, count, flags));
}

static ssize_t by_more(int fd, struct rng *rng, uint8_t *data, size_t len, int flags)
{
	size_t first = rng_below(rng, len + 1);
	ssize_t n = send(fd, data, first, flags | MSG_MORE), more;

	if (n < (ssize_t)first || first == len)
		return n;
	more = send(fd, data + first, len - first, flags);
	if (more < 0 && n > 0) {
		errno = NO_ERROR;
		return n;
	}
	return more < 0 ? more : n + more;
}

static ssize_t send_by(
	struct end *end, int fd, struct rng *rng, enum send_call call, uint8_t *data, size_t len)
{
	static const int some_flags[] = { 0, 0, MSG_NOSIGNAL, MSG_DONTWAIT };
	int flags = some_flags[rng_below(rng, end->waits ? 3 : 4)];
	struct msghdr msg = { 0 };
	struct parts parts;

	cut(&parts, rng, data, len);
	msg.msg_iov = parts.iov;
	msg.msg_iovlen = parts.count;
	switch (call) {
	case BY_WRITE:
		return write(fd, data, len);
	case BY_SEND:
		return send(fd, data, len, flags);
	case BY_SENDTO:
		return sendto(fd, data, len, flags, NULL, 0);
	case BY_WRITEV:
		return writev(fd, parts.iov, (int)parts.count);
	case BY_SENDMSG:
		return sendmsg(fd, &msg, flags);
	case BY_SENDMMSG:
		return by_sendmmsg(fd, rng, data, len, flags);
	case BY_PWRITEV2:
		return pwritev2(fd, parts.iov, (int)parts.count, -1, 0);
	case BY_MORE:
		return by_more(fd, rng, data, len, flags);
	default:
		return by_sendfile(end, fd, len, call == BY_SENDFILE_AT);
	}
}

ssize_t call_send(struct end *end, int fd, struct rng *rng, size_t len)
{
	enum send_call call = rng_below(rng, SEND_CALLS);
	uint8_t *data = (uint8_t *)(uintptr_t)known_at(&end->out, 0);
	ssize_t n;

	end->by_sendfile = call == BY_SENDFILE || call == BY_SENDFILE_AT;
	errno = NO_ERROR;
	n = send_by(end, fd, rng, call, data, len);
	if (n > (ssize_t)len)
		fail(end, "%s(%zu) = %zd", send_names[call], len, n);
	if (n >= 0 && errno != NO_ERROR)
		fail(end, "%s(%zu) = %zd changed errno", send_names[call], len, n);
	note(end, "at %" PRIu64 " %s(%d, %zu) = %zd %s", end->out.done, send_names[call], fd, len,
		n, outcome(n));
	return n;
}

/* --- Reading */

enum receive_call {
	BY_RECV,
	BY_RECVFROM,
	BY_RECVMSG,
	BY_RECVMMSG,
	BY_PREADV2, /* no flags but MSG_DONTWAIT */
	BY_READ,    /* no flags */
	BY_READV,
	RECEIVE_CALLS,
};

static const char *const receive_names[RECEIVE_CALLS] = { "recv", "recvfrom", "recvmsg", "recvmmsg",
	"preadv2", "read", "readv" };

static _Thread_local uint8_t area[MOST + GUARD];

static enum receive_call pick_receive(const struct end *end, struct rng *rng, int flags)
{
	enum receive_call call;

	do
		call = rng_below(rng, flags == 0              ? RECEIVE_CALLS
				      : flags == MSG_DONTWAIT ? BY_READ
							      : BY_PREADV2);
	while (call == BY_RECVMMSG && (end->one_read || (flags & (MSG_PEEK | MSG_TRUNC)) != 0));
	return call;
}

/* What comes behind the count is the program's own, and as it was. */
static void check_untouched(
	struct end *end, const char *name, const uint8_t *buf, size_t from, size_t len)
{
	for (size_t i = from; i < len; i++)
		if (buf[i] != UNTOUCHED)
			fail(end, "%s() = %zu of %zu bytes wrote byte %zu (%02x)", name, from, len,
				i, buf[i]);
}

static ssize_t by_recvmsg(struct end *end, int fd, struct parts *parts, int flags)
{
	char name[32], control[64];
	struct msghdr msg = { .msg_iov = parts->iov,
		.msg_iovlen = parts->count,
		.msg_name = name,
		.msg_namelen = sizeof(name),
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_flags = 0x7000 };
	ssize_t n = recvmsg(fd, &msg, flags);

	if (n >= 0 && (msg.msg_namelen != 0 || msg.msg_controllen != 0 ||
			      (msg.msg_flags & ~(flags & MSG_TRUNC)) != 0))
		fail(end, "recvmsg() gave a name of %u, control of %zu, flags of %x",
			msg.msg_namelen, msg.msg_controllen, (unsigned)msg.msg_flags);
	return n;
}

static size_t parts_len(const struct msghdr *msg)
{
	size_t len = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		len += msg->msg_iov[i].iov_len;
	return len;
}

/* The bytes of all messages are moved together, as if there had been one. */
static ssize_t by_recvmmsg(
	struct end *end, int fd, struct rng *rng, size_t len, int flags, bool may_wait)
{
	struct parts parts[MESSAGES_MOST];
	struct mmsghdr msg[MESSAGES_MOST];
	unsigned count = cut_messages(msg, parts, rng, area, len);
	int n = recvmmsg(fd, msg, count, may_wait ? flags : flags | MSG_WAITFORONE, NULL);
	int saved = errno;
	size_t total = 0;

	for (int i = 0; i < n; i++) {
		uint8_t *begin = msg[i].msg_hdr.msg_iov[0].iov_base;

		check_untouched(end, "recvmmsg", begin, msg[i].msg_len, parts_len(&msg[i].msg_hdr));
		memmove(area + total, begin, msg[i].msg_len);
		total += msg[i].msg_len;
	}
	if (n > 0)
		memset(area + total, UNTOUCHED, len - total);
	end->messages = n;
	errno = saved;
	return n < 0 ? n : (ssize_t)total;
}

static ssize_t receive_by(struct end *end, int fd, struct rng *rng, enum receive_call call,
	size_t len, int flags, bool may_wait)
{
	struct parts parts;

	cut(&parts, rng, area, len);
	switch (call) {
	case BY_RECV:
		return recv(fd, area, len, flags);
	case BY_RECVFROM:
		return recvfrom(fd, area, len, flags, NULL, NULL);
	case BY_RECVMSG:
		return by_recvmsg(end, fd, &parts, flags);
	case BY_RECVMMSG:
		return by_recvmmsg(end, fd, rng, len, flags, may_wait);
	case BY_PREADV2:
		return preadv2(fd, parts.iov, (int)parts.count, -1,
			(flags & MSG_DONTWAIT) != 0 ? RWF_NOWAIT : 0);
	case BY_READ:
		return read(fd, area, len);
	default:
		return readv(fd, parts.iov, (int)parts.count);
	}
}

ssize_t call_receive(struct end *end, int fd, struct rng *rng, size_t len, int flags)
{
	enum receive_call call = pick_receive(end, rng, flags);
	ssize_t n;

	memset(area, UNTOUCHED, len + GUARD);
	end->messages = 0;
	errno = NO_ERROR;
	n = receive_by(end, fd, rng, call, len, flags, end->nonblock || len <= end->due);
	if (n >= 0 && errno != NO_ERROR)
		fail(end, "%s(%zu) = %zd changed errno", receive_names[call], len, n);
	note(end, "at %" PRIu64 " %s(%d, %zu, %x) = %zd %s", end->in.done, receive_names[call], fd,
		len, (unsigned)flags, n, outcome(n));
	if (n > (ssize_t)len)
		fail(end, "%s(%zu) = %zd", receive_names[call], len, n);
	check_untouched(end, receive_names[call], area,
		n > 0 && (flags & MSG_TRUNC) == 0 ? (size_t)n : 0, len + GUARD);
	if ((flags & MSG_TRUNC) != 0)
		return n;
	if (n > 0)
		known_check(end, area, (size_t)n, 0);
	return n;
}

ssize_t call_take(struct end *end, int fd, struct rng *rng, size_t len, int flags)
{
	ssize_t n = call_receive(end, fd, rng, len, flags);

	if (n > 0)
		end->in.done += (uint64_t)n;
	return n;
}
