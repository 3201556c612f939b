/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Never more ciphertext is taken than the plaintext of its complete records fits into the caller's
 * room. A record larger than that is taken but for its last byte, which stays behind and keeps the
 * descriptor readable until the rest has been handed out. Part of a record that is not all there is
 * taken and kept, so that nothing spins. A short count means that the kernel has nothing more
 * (DESIGN 5.2).
 */
#include "conn/intake.h"

#include "conn/control.h"
#include "conn/internal.h"
#include "conn/memory.h"

#include <errno.h>
#include <string.h>

#define ALERT_RECORD_MOST 64 /* bytes on the wire */
#define ASIDE_MOST 4096 /* bytes of plaintext that are copied rather than opened in their place */

void sink_init(struct sink *sink, const struct iovec *iov, size_t count, int flags)
{
	*sink = (struct sink){ .iov = iov, .count = count, .discards = (flags & MSG_TRUNC) != 0 };
	for (size_t i = 0; i < count && sink->total < SINK_MOST; i++)
		sink->total += iov[i].iov_len < SINK_MOST ? iov[i].iov_len : SINK_MOST;
	if (sink->total > SINK_MOST)
		sink->total = SINK_MOST;
}

static size_t sink_room(const struct sink *sink)
{
	return sink->total - sink->done;
}

static void sink_skip_full(struct sink *sink)
{
	while (sink->count > 0 && sink->offset == sink->iov->iov_len) {
		sink->iov++;
		sink->count--;
		sink->offset = 0;
	}
}

static void sink_advance(struct sink *sink, size_t len)
{
	sink->offset += len;
	sink->done += len;
}

/* Where `len` bytes may be written in one piece; NULL: nowhere. */
static uint8_t *sink_place(struct sink *sink, size_t len)
{
	sink_skip_full(sink);
	if (sink->discards || sink->count == 0 || sink->iov->iov_len - sink->offset < len)
		return NULL;
	return (uint8_t *)sink->iov->iov_base + sink->offset;
}

/* How many of `len` bytes come next in one piece. */
static size_t sink_piece(struct sink *sink, size_t len)
{
	size_t room;

	sink_skip_full(sink);
	room = sink->iov->iov_len - sink->offset;
	return room < len ? room : len;
}

static void sink_put(struct sink *sink, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t part = sink_piece(sink, len);

		if (!sink->discards)
			memcpy((uint8_t *)sink->iov->iov_base + sink->offset, data, part);
		sink_advance(sink, part);
		data += part;
		len -= part;
	}
}

size_t sink_rest(const struct sink *sink, size_t len, struct iovec *parts, size_t most)
{
	size_t left = sink_room(sink), skip = sink->offset, count = 0;

	if (left > len)
		left = len;
	for (size_t i = 0; i < sink->count && left > 0 && count < most; i++, skip = 0) {
		size_t part = sink->iov[i].iov_len - skip;

		if (part > left)
			part = left;
		if (part > 0)
			parts[count++] =
				(struct iovec){ (uint8_t *)sink->iov[i].iov_base + skip, part };
		left -= part;
	}
	return count;
}

void sink_took(struct sink *sink, size_t len)
{
	while (len > 0) {
		size_t part = sink_piece(sink, len);

		sink_advance(sink, part);
		len -= part;
	}
}

static void release_held(struct intake *in)
{
	if (in->share->held)
		sys_recv(in->fd, NULL, 1, MSG_TRUNC | MSG_DONTWAIT);
	atomic_store_explicit(&in->share->held, false, memory_order_relaxed);
}

static void note_reach(struct intake *in)
{
	if (in->have > in->reach)
		in->reach = in->have;
}

static void load_partial(struct intake *in)
{
	struct share_bytes *partial = &in->share->partial;

	in->have = partial->len;
	if (in->have == 0)
		return;
	note_reach(in);
	memcpy(in->scratch, share_bytes_data(partial), in->have);
	share_bytes_drop(partial, in->have);
}

static int save_partial(struct intake *in, int result)
{
	int r = share_bytes_put(&in->share->partial, in->scratch, in->have);

	return r < 0 ? conn_control_failed(in->conn, in->fd, r) : result;
}

static int header_of(const struct intake *in, const uint8_t *record, size_t len, size_t *record_len)
{
	struct record_header header;
	int r = record_parse_header(&in->share->receive_key, record, len, &header);

	if (r == 0)
		*record_len = RECORD_HEADER_LEN + (size_t)header.length;
	return r;
}

/* The peer's FIN without close_notify, our own shutdown(), or what comes after a reset. */
static int end_of_stream(struct intake *in)
{
	if (in->share->receive_closed || atomic_load(&in->share->reset_told)) {
		in->share->eof = true;
		return 0;
	}
	return conn_control_truncated(in->conn, in->fd);
}

/* What recv() says instead of bytes. */
int intake_nothing_came(struct intake *in, int result)
{
	if (result == 0)
		return end_of_stream(in) < 0 ? -ECONNRESET : 1;
	if (result == -EAGAIN || result == -EINTR)
		return -EAGAIN;
	return conn_control_broken(in->conn, in->fd, result);
}

/* More bytes behind those in the scratch, by one call. 0: some; -EAGAIN: none; 1: the end; or
 * failed. */
static int take(struct intake *in, size_t ask)
{
	ssize_t n = ask > 0 ? sys_recv(in->fd, in->scratch + in->have, ask, MSG_DONTWAIT) : 0;

	if (ask == 0)
		return 0;
	if (n <= 0)
		return intake_nothing_came(in, (int)n);
	in->have += (size_t)n;
	note_reach(in);
	return 0;
}

/* 0: all that were asked for. */
static int take_all(struct intake *in, size_t ask)
{
	size_t until = in->have + ask;
	int r;

	do
		r = take(in, until - in->have);
	while (r == 0 && in->have < until);
	return r;
}

int intake_control(struct intake *in, enum record_type type, const uint8_t *data, size_t len)
{
	in->share->control_count++;
	return conn_control_record(in->conn, in->fd, type, data, len);
}

void intake_count_data(struct intake *in, size_t len)
{
	in->share->control_count = 0;
	atomic_store_explicit(&in->share->data_seen, true, memory_order_relaxed);
	atomic_store_explicit(&in->share->asked, true, memory_order_relaxed);
	atomic_fetch_add_explicit(&in->share->bytes_in, len, memory_order_relaxed);
}

/*
 * Straight into the program's room, if it is worth it: what is no data after all, and padding,
 * would be seen behind the count, where the kernel never writes. Control records are small.
 */
static uint8_t *place_for(const struct intake *in, struct sink *sink, size_t record_len)
{
	size_t most = record_plaintext_max(&in->share->receive_key, record_len - RECORD_HEADER_LEN);

	return most > ASIDE_MOST ? sink_place(sink, most) : NULL;
}

/* The records in the scratch that are whole, into the sink. The bytes they took, or failed. */
static ssize_t open_records(struct intake *in, struct sink *sink)
{
	size_t used = 0, record_len = 0;
	int r;

	while ((r = header_of(in, in->scratch + used, in->have - used, &record_len)) == 0 &&
		in->have - used >= record_len) {
		uint8_t *record = in->scratch + used;
		uint8_t *direct = place_for(in, sink, record_len);
		uint8_t *out = direct != NULL ? direct : record + RECORD_HEADER_LEN;
		enum record_type type;
		ssize_t n = record_open(&in->share->receive_key, record, record_len, out, &type);

		if (n < 0)
			return conn_control_failed(in->conn, in->fd, (int)n);
		used += record_len;
		if (control_takes(in->share, type, (size_t)n)) {
			r = intake_control(in, type, out, (size_t)n);
			if (r < 0)
				return r;
			if (in->share->eof)
				break;
			continue;
		}
		intake_count_data(in, (size_t)n);
		if (direct != NULL)
			sink_advance(sink, (size_t)n);
		else
			sink_put(sink, out, (size_t)n);
	}
	if (r < 0 && r != -EAGAIN)
		return conn_control_failed(in->conn, in->fd, r);
	return (ssize_t)used;
}

/*
 * The one record that begins in the scratch, parked: all of it is taken but its last byte, the
 * plaintext goes into the share. 0: done; -EAGAIN: it is not all there yet; 1: the end; or failed.
 */
static int park(struct intake *in, size_t record_len)
{
	struct share_bytes *plaintext = &in->share->plaintext;
	enum record_type type;
	uint8_t *out;
	ssize_t n;
	int r = take_all(in, record_len - 1 - in->have);

	if (r == 0) {
		n = sys_recv(in->fd, in->scratch + in->have, 1, MSG_PEEK | MSG_DONTWAIT);
		r = n > 0 ? 0 : intake_nothing_came(in, (int)n);
	}
	if (r != 0)
		return save_partial(in, r);
	out = share_bytes_start(plaintext);
	if (out == NULL)
		return save_partial(in, -ENOBUFS);
	n = record_open(&in->share->receive_key, in->scratch, record_len, out, &type);
	in->have = 0;
	if (n < 0)
		return conn_control_failed(in->conn, in->fd, (int)n);
	atomic_store_explicit(&in->share->held, true, memory_order_relaxed);
	share_bytes_set_len(plaintext, (size_t)n);
	if (!control_takes(in->share, type, (size_t)n)) {
		intake_count_data(in, (size_t)n);
		return 0;
	}
	release_held(in);
	r = intake_control(in, type, out, (size_t)n);
	share_bytes_drop(plaintext, plaintext->len);
	return r;
}

int intake_park_next(struct intake *in)
{
	size_t record_len = 0;
	int r;

	load_partial(in);
	r = in->have < RECORD_HEADER_LEN ? take_all(in, RECORD_HEADER_LEN - in->have) : 0;
	if (r != 0)
		return save_partial(in, r);
	r = header_of(in, in->scratch, in->have, &record_len);
	if (r < 0)
		return conn_control_failed(in->conn, in->fd, r);
	return park(in, record_len);
}

int intake_take_beginning(struct intake *in)
{
	size_t record_len = RECORD_HEADER_LEN, have;
	int queued = sys_queued(in->fd), r = 0;
	ssize_t n = 0;

	if (queued <= 0)
		return 0;
	load_partial(in);
	if (in->have < RECORD_HEADER_LEN)
		n = sys_recv(in->fd, in->scratch + in->have, RECORD_HEADER_LEN - in->have,
			MSG_PEEK | MSG_DONTWAIT);
	have = in->have + (n > 0 ? (size_t)n : 0);
	r = header_of(in, in->scratch, have, &record_len);
	/* What is no record, and a whole one, are for the next read. */
	if ((r < 0 && r != -EAGAIN) || in->have + (size_t)queued >= record_len)
		return save_partial(in, 0);
	/* Never its last byte: that is to say "readable" if it comes at this moment. */
	r = take(in, record_len - 1 - in->have);
	return save_partial(in, r == -EAGAIN ? 0 : r);
}

/* An alert is what comes next. */
static bool ends_here(const struct intake *in)
{
	struct record_key key = in->share->receive_key;
	uint8_t record[ALERT_RECORD_MOST];
	enum record_type type = RECORD_APPLICATION_DATA;
	size_t record_len = 0;
	ssize_t n = -EAGAIN;

	if (in->share->partial.len == 0)
		n = sys_recv(in->fd, record, sizeof(record), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && header_of(in, record, (size_t)n, &record_len) == 0 && record_len <= (size_t)n)
		record_open(&key, record, record_len, record + RECORD_HEADER_LEN, &type);
	record_key_clear(&key);
	return type == RECORD_ALERT;
}

/*
 * What follows the peer's close_notify on a connection that goes on without TLS is not ours to
 * take: so there is no more than one record at a time, and it is not taken in one call with data,
 * for the kernel is to say "readable" until the program has read the end.
 */
static int pull_one(struct intake *in, struct sink *sink, size_t *most)
{
	size_t record_len = 0;
	int r;

	if (sink->done > 0 && ends_here(in))
		return 1;
	load_partial(in);
	r = in->have < RECORD_HEADER_LEN ? take(in, RECORD_HEADER_LEN - in->have) : 0;
	if (r == 0 && in->have < RECORD_HEADER_LEN)
		r = -EAGAIN;
	if (r == 0 && header_of(in, in->scratch, in->have, &record_len) == 0 && record_len < *most)
		*most = record_len;
	return save_partial(in, r);
}

/* One call to the kernel, and what it gives into the sink. 0: there may be more; -EAGAIN: there is
 * not; 1: the end; or failed. */
static int pull(struct intake *in, struct sink *sink)
{
	size_t most = sink_room(sink) + record_overhead(&in->share->receive_key), record_len = 0;
	size_t before = sink->done;
	bool drained;
	ssize_t used;
	int r;

	if (most > SCRATCH_LEN)
		most = SCRATCH_LEN;
	if (conn_is_controlled(in->conn)) {
		r = pull_one(in, sink, &most);
		if (r != 0)
			return r;
	}
	load_partial(in);
	r = header_of(in, in->scratch, in->have, &record_len);
	if (r < 0 && r != -EAGAIN)
		return conn_control_failed(in->conn, in->fd, r);
	if (r == 0 && record_len > most)
		return park(in, record_len);
	r = take(in, most - in->have);
	if (r < 0 && r != -EAGAIN)
		return save_partial(in, r);
	drained = in->have < most;
	used = open_records(in, sink);
	if (used < 0)
		return (int)used;
	/* A short count is only a sign. Where there is nothing to give for it the kernel has to say
	 * so itself, or the error that waits behind: no edge would come for it again. */
	if (r == 0 && drained && sink->done > before)
		r = -EAGAIN;
	in->have -= (size_t)used;
	if (in->share->eof)
		return 1;
	memmove(in->scratch, in->scratch + used, in->have);
	return save_partial(in, r);
}

static void hand_out(struct intake *in, struct sink *sink)
{
	struct share_bytes *plaintext = &in->share->plaintext;
	size_t len = plaintext->len < sink_room(sink) ? plaintext->len : sink_room(sink);

	if (len == 0)
		return;
	sink_put(sink, share_bytes_data(plaintext), len);
	if (len == plaintext->len)
		release_held(in);
	share_bytes_drop(plaintext, len);
}

/* What the next step may write, which is all of it only if it is a MSG_PEEK. */
bool sink_is_there(const struct sink *sink, size_t most)
{
	size_t room = sink_room(sink);

	return sink->discards || memory_parts_are_there(sink->iov, sink->count, sink->offset,
					 room < most ? room : most, true);
}

/* The program's buffer is none: that is told once there is something to put in. */
static int sink_fault(struct intake *in)
{
	int r = 0;

	while (in->share->plaintext.len == 0 && r == 0 && !in->share->eof)
		r = intake_park_next(in);
	if (in->share->plaintext.len > 0)
		return -EFAULT;
	return in->share->eof ? 1 : r;
}

int intake_fill(struct intake *in, struct sink *sink)
{
	int r = 0;

	while (r == 0) {
		if (!sink_is_there(sink, SCRATCH_LEN))
			return sink_fault(in);
		hand_out(in, sink);
		if (sink_room(sink) == 0)
			return 0;
		if (in->share->eof)
			return 1;
		r = pull(in, sink);
	}
	return r;
}

/* --- Looking ahead, at whole records that stay where they are: by a copy of the key. */

#define LOOK_WINDOWS 4

struct look {
	struct record_key key;
	size_t offset;     /* of what is still to be looked at, in the kernel's queue */
	size_t plain;      /* bytes of plaintext seen */
	struct sink *sink; /* NULL: they are only counted */
	bool stopped;
	bool ended; /* by what will come to no data */
};

/* The kernel's queue from `offset` on. What comes before is copied too, and written over. */
static size_t look_at(struct intake *in, size_t offset)
{
	struct iovec iov[LOOK_WINDOWS + 1];
	size_t count = 0, skipped = 0;
	ssize_t n;

	while (skipped < offset && count < LOOK_WINDOWS) {
		size_t part = offset - skipped < SCRATCH_LEN ? offset - skipped : SCRATCH_LEN;

		iov[count++] = (struct iovec){ in->scratch, part };
		skipped += part;
	}
	iov[count++] = (struct iovec){ in->scratch, SCRATCH_LEN };
	n = skipped == offset ? sys_recv_iov(in->fd, iov, count, MSG_PEEK | MSG_DONTWAIT) : 0;
	return n > (ssize_t)offset ? (size_t)n - offset : 0;
}

static void look_at_record(struct intake *in, struct look *look, size_t at, size_t record_len)
{
	uint8_t *out = in->scratch + at + RECORD_HEADER_LEN;
	enum record_type type = RECORD_ALERT;
	ssize_t n = record_open(&look->key, in->scratch + at, record_len, out, &type);

	if (n < 0 || type == RECORD_ALERT) {
		look->stopped = look->ended = true;
	} else if (type == RECORD_HANDSHAKE) {
		if (control_is_key_update(out, (size_t)n))
			look->stopped = record_key_update(&look->key) != 0;
	} else if (look->sink != NULL) {
		size_t room = sink_room(look->sink);

		sink_put(look->sink, out, (size_t)n < room ? (size_t)n : room);
		look->stopped = (size_t)n >= room;
	} else {
		look->plain += (size_t)n;
	}
}

/* False: there is nothing more to look at. */
static bool look_at_window(struct intake *in, struct look *look)
{
	size_t have = look_at(in, look->offset), at = 0, record_len = 0;

	while (!look->stopped && header_of(in, in->scratch + at, have - at, &record_len) == 0 &&
		at + record_len <= have) {
		look_at_record(in, look, at, record_len);
		at += record_len;
	}
	look->offset += at;
	return at > 0 && !look->stopped;
}

/* Behind the record that is parked. */
static void look_ahead(struct intake *in, struct look *look)
{
	bool more = true;

	look->key = in->share->receive_key;
	look->offset = in->share->held ? 1 : 0;
	for (int i = 0; i < LOOK_WINDOWS && more; i++)
		more = look_at_window(in, look);
	look->stopped = !more;
	record_key_clear(&look->key);
}

int intake_peek(struct intake *in, struct sink *sink)
{
	struct share_bytes *plaintext = &in->share->plaintext;
	struct look look = { .sink = sink };
	size_t len;
	int r = 0;

	while (plaintext->len == 0 && r == 0 && !in->share->eof)
		r = intake_park_next(in);
	if (plaintext->len == 0)
		return in->share->eof ? 1 : r;
	if (!sink_is_there(sink, plaintext->len + (size_t)sys_queued(in->fd)))
		return -EFAULT;
	len = plaintext->len < sink_room(sink) ? plaintext->len : sink_room(sink);
	sink_put(sink, share_bytes_data(plaintext), len);
	if (sink_room(sink) > 0)
		look_ahead(in, &look);
	return look.ended ? 1 : 0;
}

size_t intake_queued(struct intake *in)
{
	struct look look = { 0 };
	int queued;

	look_ahead(in, &look);
	if (look.stopped)
		return look.plain;
	/* So much that it is not worth more looks. Rather too many bytes than too few: nginx takes
	 * those that it was not told of for new ones, which a new edge announces. */
	queued = sys_queued(in->fd);
	return look.plain + (queued > (int)look.offset ? (size_t)queued - look.offset : 0);
}
