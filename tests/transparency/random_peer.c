/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simple end: no library is in its process, it speaks plain TCP or, by OpenSSL, TLS. What it
 * reads and writes is that of the turns and flows; how it is cut into records and segments, and
 * what TLS says in between, is its own. OpenSSL never sees the socket, so that records can be torn.
 */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_MOST (1 << 19)
#define PENDING_MOST 65536
#define DRIBBLE_MOST 400 /* bytes that go one by one, of each push */
#define BURST_MOST 3000
#define TORN_MOST 300 /* one record, whatever its size may be */

enum { PULL_NONE = 0, PULL_END = -1, PULL_TORN = -2 };
enum segments { WHOLE, BURSTS, ONE_BY_ONE };

static struct peer {
	SSL_CTX *context;
	SSL_SESSION *session; /* for the next connection */
	SSL *ssl;
	BIO *from, *to;
	uint8_t wire[WIRE_MOST]; /* that is to go out */
	size_t at, len;
	enum segments segments;
	struct rng rng;
	bool shut;
} peer;

static uint8_t area[65536];

/* --- Out */

static void add_wire(struct end *end, const uint8_t *data, size_t len)
{
	if (peer.at > 0) {
		memmove(peer.wire, peer.wire + peer.at, peer.len - peer.at);
		peer.len -= peer.at;
		peer.at = 0;
	}
	must(end, peer.len + len <= WIRE_MOST, "the wire's buffer");
	memcpy(peer.wire + peer.len, data, len);
	peer.len += len;
}

static void collect(struct end *end)
{
	uint8_t buf[4096];
	int n;

	while (peer.ssl != NULL && (n = BIO_read(peer.to, buf, sizeof(buf))) > 0)
		add_wire(end, buf, (size_t)n);
}

/* What TLS 1.3 may say at any time. */
static void say_something(struct end *end)
{
	if (peer.ssl == NULL || SSL_version(peer.ssl) != TLS1_3_VERSION)
		return;
	if (end->side == SERVER && rng_one_in(&peer.rng, 2))
		SSL_new_session_ticket(peer.ssl);
	else
		SSL_key_update(peer.ssl, rng_one_in(&peer.rng, 2) ? SSL_KEY_UPDATE_REQUESTED
								  : SSL_KEY_UPDATE_NOT_REQUESTED);
	SSL_do_handshake(peer.ssl);
	note(end, "a message of TLS's own");
	collect(end);
}

static void put(struct end *end, size_t len)
{
	const uint8_t *data = known_at(&end->out, 0);
	int n;

	if (peer.ssl == NULL) {
		add_wire(end, data, len);
	} else {
		n = SSL_write(peer.ssl, data, (int)len);
		if (n != (int)len)
			fail(end, "SSL_write of %zu gives %d", len, n);
		collect(end);
	}
	end->out.done += len;
	note(end, "%zu bytes are %zu on the wire", len, peer.len - peer.at);
}

static size_t segment(size_t sent)
{
	size_t left = peer.len - peer.at;

	if (peer.segments == ONE_BY_ONE && sent < DRIBBLE_MOST)
		return 1;
	if (peer.segments == BURSTS && left > 1)
		return 1 + rng_below(&peer.rng, left < BURST_MOST ? left : BURST_MOST);
	return left;
}

/* As far as it goes now, but for `keep` bytes. False: the connection is gone. */
static bool push_some(struct end *end, size_t keep)
{
	size_t sent = 0;

	while (peer.len - peer.at > keep) {
		size_t len = segment(sent);
		ssize_t n;

		if (len > peer.len - peer.at - keep)
			len = peer.len - peer.at - keep;
		n = send(end->fd, peer.wire + peer.at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		peer.at += (size_t)n;
		sent += (size_t)n;
	}
	return true;
}

static bool push_all(struct end *end, size_t keep)
{
	while (peer.len - peer.at > keep) {
		struct pollfd pfd = { .fd = end->fd, .events = POLLOUT };

		if (poll(&pfd, 1, HANG_MS) == 0)
			fail(end, "there is no room for the last %zu bytes", peer.len - peer.at);
		if (!push_some(end, keep))
			return false;
	}
	return true;
}

/* --- In */

static int pull_plain(struct end *end, size_t most)
{
	ssize_t n = recv(end->fd, area, most < sizeof(area) ? most : sizeof(area), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? PULL_NONE : PULL_TORN;
	return n > 0 ? (int)n : PULL_END;
}

/* More for OpenSSL. */
static int feed(struct end *end)
{
	uint8_t buf[16384];
	ssize_t n = recv(end->fd, buf, 1 + rng_below(&peer.rng, sizeof(buf)), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? PULL_NONE : PULL_TORN;
	if (n == 0)
		return PULL_TORN;
	must(end, BIO_write(peer.from, buf, (int)n) == n, "BIO_write");
	return (int)n;
}

static int pull_tls(struct end *end, size_t most)
{
	for (;;) {
		int n, r;

		ERR_clear_error();
		n = SSL_read(peer.ssl, area, (int)(most < sizeof(area) ? most : sizeof(area)));
		if (n > 0)
			return n;
		switch (SSL_get_error(peer.ssl, n)) {
		case SSL_ERROR_ZERO_RETURN:
			return PULL_END;
		case SSL_ERROR_WANT_READ:
			break;
		default:
			fail(end, "OpenSSL says %s", ERR_error_string(ERR_get_error(), NULL));
		}
		collect(end);
		r = feed(end);
		if (r <= 0)
			return r;
	}
}

static int pull(struct end *end, size_t most)
{
	int n = peer.ssl != NULL ? pull_tls(end, most) : pull_plain(end, most);

	if (n <= 0)
		return n;
	known_check(end, area, (size_t)n, 0);
	end->in.done += (uint64_t)n;
	note(end, "%d bytes read", n);
	return n;
}

static void wait_readable(struct end *end)
{
	struct pollfd pfd = { .fd = end->fd, .events = POLLIN };

	if (poll(&pfd, 1, HANG_MS) == 0)
		fail(end, "nothing comes, and %" PRIu64 " bytes are due", end->due);
}

static void pull_exactly(struct end *end, size_t len)
{
	while (len > 0) {
		int n = pull(end, len);

		if (n < 0)
			fail(end, "the stream ends (%d) with %zu bytes due", n, len);
		if (n == 0)
			wait_readable(end);
		len -= (size_t)n;
		end->due -= (uint64_t)n;
	}
}

/* --- The connection */

static void make_context(struct end *end)
{
	peer.context = SSL_CTX_new(TLS_method());
	must(end, peer.context != NULL, "SSL_CTX_new");
	if (end->side == SERVER)
		must(end,
			SSL_CTX_use_certificate_chain_file(peer.context, options.cert) == 1 &&
				SSL_CTX_use_PrivateKey_file(
					peer.context, options.key, SSL_FILETYPE_PEM) == 1,
			"certificate and key");
}

static void shake_hands(struct end *end)
{
	for (;;) {
		int r = SSL_do_handshake(peer.ssl), n;

		collect(end);
		if (!push_all(end, 0))
			fail(end, "the connection is gone in the handshake");
		if (r == 1)
			return;
		if (SSL_get_error(peer.ssl, r) != SSL_ERROR_WANT_READ)
			fail(end, "the handshake fails: %s",
				ERR_error_string(ERR_get_error(), NULL));
		wait_readable(end);
		n = feed(end);
		if (n < 0)
			fail(end, "the connection ends in the handshake");
	}
}

static void begin_tls(struct end *end)
{
	if (peer.context == NULL)
		make_context(end);
	peer.ssl = SSL_new(peer.context);
	peer.from = BIO_new(BIO_s_mem());
	peer.to = BIO_new(BIO_s_mem());
	must(end, peer.ssl != NULL && peer.from != NULL && peer.to != NULL, "SSL_new");
	SSL_set_bio(peer.ssl, peer.from, peer.to);
	if (rng_one_in(&peer.rng, 4))
		SSL_set_max_send_fragment(peer.ssl, 512 + rng_below(&peer.rng, 15873));
	if (rng_one_in(&peer.rng, 4)) {
		/* The padding of large records is opened in the program's buffer, behind the count.
		 */
		SSL_set_max_send_fragment(peer.ssl, 512 + rng_below(&peer.rng, 2500));
		SSL_set_block_padding(peer.ssl, 1 + rng_below(&peer.rng, 600));
	}
	if (end->side == SERVER) {
		SSL_set_accept_state(peer.ssl);
		/* Nobody reads them yet, and through tiny buffers they do not get. */
		if (end->due_most == 0)
			SSL_set_num_tickets(peer.ssl, 0);
	} else {
		SSL_set_connect_state(peer.ssl);
		if (peer.session != NULL && rng_one_in(&peer.rng, 2))
			SSL_set_session(peer.ssl, peer.session);
	}
	shake_hands(end);
}

void peer_begin(struct end *end)
{
	int on = 1;

	/* The bytes of a segment are for us to say, and they arrive when they are sent. */
	must(end, setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
		"TCP_NODELAY");
	peer.at = peer.len = 0;
	peer.rng = rng_of(end->seed, 0, 30);
	peer.segments = rng_below(&peer.rng, 3);
	peer.shut = false;
	if (options.tls)
		begin_tls(end);
}

void peer_shut(struct end *end)
{
	if (peer.shut)
		return;
	peer.shut = true;
	if (peer.ssl != NULL)
		SSL_shutdown(peer.ssl);
	collect(end);
	if (push_all(end, 0))
		shutdown(end->fd, SHUT_WR);
	end->out_closed = true;
}

static void end_tls(struct end *end)
{
	if (peer.ssl == NULL)
		return;
	if (end->side == CLIENT) {
		SSL_SESSION_free(peer.session);
		peer.session = SSL_get1_session(peer.ssl);
	}
	SSL_free(peer.ssl);
	peer.ssl = NULL;
}

void peer_close(struct end *end, bool reset)
{
	if (!reset)
		peer_shut(end);
	else if (rng_one_in(&peer.rng, 2)) {
		/* What is no data must not hide the reset behind it. */
		say_something(end);
		push_all(end, 0);
	}
	end_tls(end);
	close(end->fd);
	end->fd = -1;
	end->aliases = 0;
}

/* Whatever was under way must have come before. */
void peer_expect_end(struct end *end, bool any)
{
	int n;

	while ((n = pull(end, sizeof(area))) >= 0)
		if (n == 0)
			wait_readable(end);
	if (!any && n != PULL_END)
		fail(end, "the stream is torn off");
	if (!any && end->in.done != end->in_sent &&
		(!options.covered || end->in.done != end->in_sent + 1))
		fail(end, "%" PRIu64 " of %" PRIu64 " bytes before the end", end->in.done,
			end->in_sent);
	end->due = 0;
	end->in_closed = true;
}

/* --- Turns and flows */

void peer_send(struct end *end, size_t most, bool torn)
{
	/* What the other end sees of it does not depend on what is done to the wire. */
	struct rng sizes = rng_of(end->seed, end->step, 31);
	size_t sends = 1 + rng_below(&sizes, 4), keep = 0;

	if (rng_one_in(&peer.rng, 6))
		say_something(end);
	for (size_t i = 0; i < sends && most > 0; i++) {
		size_t len = rng_size(&sizes, torn && most > TORN_MOST ? TORN_MOST : most);

		put(end, len);
		most -= len;
		if (torn) {
			/* All of it stays behind if it is not a record. */
			keep = peer.ssl != NULL ? 1 + rng_below(&peer.rng, len) : len;
			break;
		}
		if (rng_one_in(&peer.rng, 10))
			say_something(end);
	}
	if (!push_all(end, keep))
		fail(end, "the connection is gone");
}

void peer_receive(struct end *end, bool all)
{
	struct rng sizes = rng_of(end->seed, end->step, 31);
	size_t len = all ? end->due : rng_below(&sizes, end->due + 1);

	pull_exactly(end, len);
	if (!push_all(end, 0)) /* an answer to a KeyUpdate */
		fail(end, "the connection is gone");
}

static void flow_out(struct end *end, uint64_t out_to)
{
	while (end->out.done < out_to && peer.len - peer.at < PENDING_MOST) {
		put(end, rng_size(&peer.rng, out_to - end->out.done));
		if (rng_one_in(&peer.rng, 30))
			say_something(end);
	}
}

static bool flow_in(struct end *end, uint64_t in_to, bool last)
{
	int n = PULL_NONE;

	while (end->in.done < in_to || last) {
		n = pull(end, rng_size(&peer.rng, sizeof(area)));
		if (n <= 0)
			break;
		if (end->in.done > in_to)
			fail(end, "more comes than was sent");
	}
	if (n == PULL_TORN || (n == PULL_END && (!last || end->in.done != in_to)))
		fail(end, "the stream ends (%d) at %" PRIu64 " and not at %" PRIu64, n,
			end->in.done, in_to);
	return last ? n == PULL_END : end->in.done == in_to;
}

void peer_flow(struct end *end, size_t out, size_t in, bool last)
{
	uint64_t out_to = end->out.done + out, in_to = end->in.done + end->due + in;
	bool in_done = false;

	end->due = 0;
	for (;;) {
		struct pollfd pfd = { .fd = end->fd };

		flow_out(end, out_to);
		if (!push_some(end, 0))
			fail(end, "the connection is gone");
		if (!in_done)
			in_done = flow_in(end, in_to, last);
		collect(end);
		if (end->out.done == out_to && peer.len == peer.at && last)
			peer_shut(end);
		if (end->out.done == out_to && peer.len == peer.at && in_done)
			break;
		pfd.events = (short)((in_done ? 0 : POLLIN) | (peer.len > peer.at ? POLLOUT : 0));
		if (end->out.done < out_to && peer.len == peer.at)
			continue;
		if (poll(&pfd, 1, HANG_MS) == 0)
			fail(end,
				"nothing happens: out at %" PRIu64 " of %" PRIu64 ", in at %" PRIu64
				" of %" PRIu64,
				end->out.done, out_to, end->in.done, in_to);
	}
	end->in_closed = last;
}
