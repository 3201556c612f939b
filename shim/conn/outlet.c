/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Up to 64 KiB are sealed and given to the kernel in one call. What it did not take is
 * undone: whole records by stepping the sequence number back, since nothing of them left the
 * process. A record that was cut cannot be undone; its rest is parked and goes first next time. A
 * program that will not wait is told one byte less, so that it comes back for it (DESIGN 5.3). The
 * send lock is held over sealing and sending, for the order on the wire is that of the numbers.
 */
#include "conn/outlet.h"

#include "conn/internal.h"
#include "conn/kernel.h"
#include "conn/memory.h"
#include "guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define FLIGHT_RECORDS 8
#define FLIGHT_PLAINTEXT_MOST (4 * RECORD_MAX_PLAINTEXT)
/*
 * An answer begins with records that are small enough for the first to be whole in what TCP sends
 * before it hears from the peer (ten segments, RFC 6928): of one of 16 KiB the peer could read
 * nothing until a round trip later. What follows is bulk.
 */
#define BURST_RECORD 4096
#define BURST_LEN (3 * BURST_RECORD)
#define TICKETS_WITH_EARLY_MOST 2048 /* beside CONN_EARLY_MOST, in a buffer of the share */
#define CONTROL_MOST 16
#define OVERHEAD_MOST 29
#define MESSAGES_MOST 32768 /* so that, parked, they fit a buffer of the share */
/* A KeyUpdate goes out while there is still room for what is under way. */
#define KEY_LEFT_LEAST 1024

/* Records that were sealed to be sent together. The first may be our tickets: no plaintext of the
 * program's. */
struct flight {
	uint64_t first_seq;
	size_t count, len;              /* records; sealed bytes */
	size_t plain[FLIGHT_RECORDS];   /* bytes of plaintext in each */
	size_t ends_at[FLIGHT_RECORDS]; /* in the sealed bytes */
};

void outgoing_init(struct outgoing *out, const struct iovec *iov, size_t count)
{
	*out = (struct outgoing){ .iov = iov, .count = count };
	for (size_t i = 0; i < count && out->total < OUTGOING_MOST; i++)
		out->total += iov[i].iov_len < OUTGOING_MOST ? iov[i].iov_len : OUTGOING_MOST;
	if (out->total > OUTGOING_MOST)
		out->total = OUTGOING_MOST;
}

size_t outgoing_rest(const struct outgoing *out, struct iovec *parts, size_t most)
{
	size_t skip = out->done, left = out->total - out->done, count = 0;

	for (size_t i = 0; i < out->count && left > 0 && count < most; i++) {
		size_t len = out->iov[i].iov_len > skip ? out->iov[i].iov_len - skip : 0;

		if (len > left)
			len = left;
		if (len > 0)
			parts[count++] =
				(struct iovec){ (uint8_t *)out->iov[i].iov_base + skip, len };
		skip -= out->iov[i].iov_len < skip ? out->iov[i].iov_len : skip;
		left -= len;
	}
	return count;
}

uint8_t outgoing_byte(const struct outgoing *out, size_t offset)
{
	for (size_t i = 0; i < out->count; i++) {
		if (offset < out->iov[i].iov_len)
			return ((const uint8_t *)out->iov[i].iov_base)[offset];
		offset -= out->iov[i].iov_len;
	}
	return 0;
}

bool outgoing_is_there(const struct outgoing *out)
{
	size_t left = out->total - out->done, most = FLIGHT_PLAINTEXT_MOST;

	return memory_parts_are_there(
		out->iov, out->count, out->done, left < most ? left : most, false);
}

int outlet_lock(struct conn *conn)
{
	int r = share_lock(&conn->share->send_lock);

	if (r == 0)
		return 0;
	if (r != -EOWNERDEAD)
		return -EAGAIN;
	/* Whether the last record of the process that was killed went out is not to be known. */
	share_unlock(&conn->share->send_lock);
	conn_fail_for(conn, ECONNRESET, CAUSE_PROGRAM,
		"a process that shared the connection was killed while it sent");
	return -ECONNRESET;
}

int outlet_flush(struct share *share, int fd)
{
	int r = share->kernel_sends ? kernel_flush(share, fd) : 0;

	if (r < 0)
		return r;
	while (share->tail.len > 0) {
		ssize_t n =
			sys_send(fd, share_bytes_data(&share->tail), share->tail.len, MSG_DONTWAIT);

		if (n < 0)
			return (int)n;
		share_bytes_drop(&share->tail, (size_t)n);
	}
	if (share->fin_due) {
		share->fin_due = false;
		sys_shutdown(fd, SHUT_WR);
	}
	return 0;
}

/* The end of the handshake is acknowledged by what a client sends after it. */
static bool may_be_held_back(struct share *share)
{
	return atomic_load_explicit(&share->bytes_out, memory_order_relaxed) == 0 &&
	       !(share->serves && atomic_load_explicit(&share->data_seen, memory_order_relaxed));
}

bool outlet_hurry(struct share *share, int fd)
{
	return may_be_held_back(share) && sys_getsockopt_int(fd, IPPROTO_TCP, TCP_NODELAY) == 0 &&
	       sys_setsockopt_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0;
}

void outlet_hurry_end(int fd)
{
	sys_setsockopt_int(fd, IPPROTO_TCP, TCP_NODELAY, 0);
}

static ssize_t give(struct share *share, int fd, const uint8_t *sealed, size_t len, int flags)
{
	bool hurries = outlet_hurry(share, fd);
	ssize_t n = sys_send(fd, sealed, len, flags);

	if (hurries)
		outlet_hurry_end(fd);
	return n;
}

/* Sealed bytes go out, behind what is parked; what the kernel does not take is parked. */
static int push(struct share *share, int fd, const uint8_t *sealed, size_t len)
{
	ssize_t n = 0;

	if (outlet_flush(share, fd) == 0) {
		n = give(share, fd, sealed, len, MSG_DONTWAIT);
		if (n < 0 && n != -EAGAIN)
			return (int)n;
	}
	if (n < 0)
		n = 0;
	return share_bytes_put(&share->tail, sealed + n, len - (size_t)n);
}

int outlet_control(
	struct share *share, int fd, enum record_type type, const uint8_t *data, size_t len)
{
	uint8_t sealed[CONTROL_MOST + OVERHEAD_MOST];
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	ssize_t n;

	if (share->kernel_sends)
		return kernel_send_control(share, fd, type, data, len);
	n = record_seal(&share->send_key, type, &iov, 0, len, sealed);
	return n < 0 ? (int)n : push(share, fd, sealed, (size_t)n);
}

int outlet_messages(struct share *share, int fd, const uint8_t *data, size_t len)
{
	const struct iovec iov = { (void *)(uintptr_t)data, len };
	size_t most = record_seal_most(&share->send_key);
	uint8_t *scratch = scratch_get();
	int r = scratch != NULL && len <= MESSAGES_MOST ? 0 : -ENOBUFS;

	for (size_t at = 0; at < len && r == 0; at += most) {
		size_t part = len - at < most ? len - at : most;
		ssize_t n;

		if (share->kernel_sends) {
			r = kernel_send_control(share, fd, RECORD_HANDSHAKE, data + at, part);
			continue;
		}
		n = record_seal(&share->send_key, RECORD_HANDSHAKE, &iov, at, part, scratch);
		r = n < 0 ? (int)n : push(share, fd, scratch, (size_t)n);
	}
	scratch_put(scratch);
	return r;
}

static int flight_add(struct share *share, enum record_type type, const struct iovec *iov,
	size_t offset, size_t len, uint8_t *sealed, struct flight *flight)
{
	ssize_t n = record_seal(&share->send_key, type, iov, offset, len, sealed + flight->len);

	if (n < 0)
		return (int)n;
	flight->len += (size_t)n;
	flight->plain[flight->count] = type == RECORD_APPLICATION_DATA ? len : 0;
	flight->ends_at[flight->count++] = flight->len;
	return 0;
}

/* The first `records` of the flight are on their way, for good. */
static void flight_went(
	struct share *share, struct outgoing *out, const struct flight *flight, size_t records)
{
	for (size_t i = 0; i < records; i++) {
		out->done += flight->plain[i];
		share->burst += (uint32_t)flight->plain[i];
	}
	if (share->burst > BURST_LEN)
		share->burst = BURST_LEN;
}

/* How much of `left` bytes goes into the next record, behind `sent` bytes of the same answer. */
static size_t record_len_for(const struct share *share, size_t sent, size_t left)
{
	size_t most = record_seal_most(&share->send_key);

	if (sent < BURST_LEN && most > BURST_RECORD)
		most = BURST_RECORD;
	return left < most ? left : most;
}

/* The tickets go with the first data, in one call to the kernel (DESIGN 5.1). */
static int seal_flight(
	struct conn *conn, const struct outgoing *out, uint8_t *sealed, struct flight *flight)
{
	struct share *share = conn->share;
	const struct iovec tickets = { conn->tickets, conn->tickets_len };
	size_t offset = out->done, most = record_seal_most(&share->send_key);
	size_t end = out->total - out->done < FLIGHT_PLAINTEXT_MOST
			     ? out->total
			     : out->done + FLIGHT_PLAINTEXT_MOST;
	int r = 0;

	flight->first_seq = share->send_key.seq;
	flight->count = flight->len = 0;
	/* Who takes small records only does without tickets rather than with parts of them. */
	if (share->tickets_due && conn->tickets != NULL && tickets.iov_len <= most)
		r = flight_add(
			share, RECORD_HANDSHAKE, &tickets, 0, tickets.iov_len, sealed, flight);
	while (r == 0 && offset < end && flight->count < FLIGHT_RECORDS) {
		size_t len =
			record_len_for(share, share->burst + (offset - out->done), end - offset);

		r = flight_add(
			share, RECORD_APPLICATION_DATA, out->iov, offset, len, sealed, flight);
		offset += len;
	}
	return r;
}

/* Of a flight of which not all went: the records that went whole, and whether the next was cut. */
static size_t records_taken(const struct flight *flight, size_t taken, bool *cut)
{
	size_t whole = 0;

	while (flight->ends_at[whole] <= taken)
		whole++;
	*cut = taken > (whole > 0 ? flight->ends_at[whole - 1] : 0);
	return whole;
}

static int park(struct share *share, struct outgoing *out, const struct flight *flight,
	const uint8_t *sealed, size_t taken, size_t records)
{
	int r = share_bytes_put(&share->tail, sealed + taken, flight->ends_at[records - 1] - taken);

	out->parked = true;
	out->seq = flight->first_seq + records;
	return r < 0 ? -ENOTRECOVERABLE : 0; /* half a record is with the peer */
}

/*
 * The kernel took `taken` bytes of the flight, not all. A record that was cut is parked, and if the
 * caller waits anyway those behind it that fit, so that they need not be sealed again; the others
 * are undone.
 */
static int part_taken(struct conn *conn, int fd, struct outgoing *out, const struct flight *flight,
	const uint8_t *sealed, size_t taken, int flags,
	bool (*waits)(struct conn *conn, int fd, int flags))
{
	struct share *share = conn->share;
	bool cut;
	size_t end = records_taken(flight, taken, &cut);
	bool stays = cut && waits(conn, fd, flags);
	int r = 0;

	end += cut ? 1 : 0;
	while (stays && end < flight->count && flight->ends_at[end] - taken <= SHARE_BUFFER_LEN)
		end++;
	share->send_key.seq = flight->first_seq + end;
	if (cut)
		r = park(share, out, flight, sealed, taken, end);
	if (r < 0)
		return r;
	flight_went(share, out, flight, end);
	share->tickets_due &= end == 0;
	/* Of tickets that were cut, the program owes nothing. */
	if (cut && !stays && flight->plain[end - 1] > 0)
		outlet_give_up(share, out);
	return -EAGAIN;
}

void outlet_give_up(struct share *share, struct outgoing *out)
{
	/* Sealed since: somebody has sent, and what was parked went before that. */
	if (!out->parked || share->tail.len == 0 || share->send_key.seq != out->seq)
		return;
	out->parked = false;
	out->done--;
	share->owed = true;
	share->owed_byte = outgoing_byte(out, out->done);
	share->owed_by = guard_pid();
}

/* *reach: how much of sealed[] it has used. */
static int send_flights(struct conn *conn, int fd, struct outgoing *out, int flags, uint8_t *sealed,
	size_t *reach, bool (*waits)(struct conn *conn, int fd, int flags))
{
	struct share *share = conn->share;

	while (out->done < out->total) {
		struct flight flight;
		ssize_t n = 0;
		int r;

		if (!outgoing_is_there(out))
			return -EFAULT;
		r = seal_flight(conn, out, sealed, &flight);
		*reach = r < 0 ? SCRATCH_LEN : flight.len > *reach ? flight.len : *reach;
		if (r == 0)
			n = give(share, fd, sealed, flight.len, (flags & MSG_MORE) | MSG_DONTWAIT);
		if (r < 0 || n < 0) {
			share->send_key.seq = flight.first_seq;
			return r < 0 ? r : (int)n;
		}
		if ((size_t)n < flight.len)
			return part_taken(conn, fd, out, &flight, sealed, (size_t)n, flags, waits);
		share->tickets_due = false;
		flight_went(share, out, &flight, flight.count);
	}
	return 0;
}

/* RFC 8446 4.6.3, 5.5: a new key before the limit of the old one, or because the peer asked. */
int outlet_renew_key(struct share *share, int fd)
{
	if (share->send_key.version != RECORD_TLS13)
		return 0;
	if (!share->key_update_due && record_key_left(&share->send_key) > KEY_LEFT_LEAST)
		return 0;
	if (share->kernel_sends && !share->key_update_due && kernel_has_left(share, fd))
		return 0;
	return conn_key_update_locked(share, fd, false);
}

/* What a process was told to come back for is its own affair: another's bytes go first. */
static int take_owed(struct share *share, struct outgoing *out)
{
	if (out->begun)
		return 0;
	out->begun = true;
	if (!share->owed || share->owed_by != guard_pid())
		return 0;
	if (outgoing_byte(out, 0) != share->owed_byte)
		return -EBADMSG;
	share->owed = false;
	out->done = 1;
	return 0;
}

/* What was read since is what this answers. */
static void begin_burst(struct share *share)
{
	if (!atomic_load_explicit(&share->asked, memory_order_relaxed))
		return;
	atomic_store_explicit(&share->asked, false, memory_order_relaxed);
	share->burst = 0;
}

int outlet_data(struct conn *conn, int fd, struct outgoing *out, int flags,
	bool (*waits)(struct conn *conn, int fd, int flags))
{
	struct share *share = conn->share;
	uint8_t *scratch;
	size_t reach = 0;
	int r;

	if (share->send_closed && (out->done < out->total || out->total == 0))
		return -EPIPE;
	if (share->kernel_send_due)
		kernel_take_send(conn, fd);
	r = outlet_flush(share, fd);
	if (out->total == 0) /* there is always room for nothing */
		return r == -EAGAIN ? 0 : r;
	if (r == 0)
		r = outlet_renew_key(share, fd);
	if (r == 0 && share->kernel_sends)
		return kernel_send_data(conn, fd, out);
	if (r == 0)
		r = take_owed(share, out);
	if (r < 0 || out->done == out->total)
		return r;
	scratch = scratch_get();
	if (scratch == NULL)
		return -ENOBUFS;
	begin_burst(share);
	r = send_flights(conn, fd, out, flags, scratch, &reach, waits);
	scratch_put_used(scratch, reach);
	return r;
}

int outlet_all(struct conn *conn, int fd, const uint8_t *data, size_t len)
{
	struct share *share = conn->share;
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	uint8_t *scratch = scratch_get();
	struct outgoing out;
	struct flight flight;
	int r = -ENOBUFS;

	outgoing_init(&out, &iov, 1);
	share->tickets_due &= conn->tickets_len <= TICKETS_WITH_EARLY_MOST;
	if (scratch != NULL)
		r = 0;
	while (r == 0 && out.done < out.total) {
		r = seal_flight(conn, &out, scratch, &flight);
		share->tickets_due = false;
		if (r == 0)
			flight_went(share, &out, &flight, flight.count);
		if (r == 0)
			r = push(share, fd, scratch, flight.len);
	}
	scratch_put(scratch);
	return r;
}
