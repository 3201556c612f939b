/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What goes out beside the program's data: tickets before the first of it, KeyUpdates in time. With
 * the keys of a connection and a pair of sockets, and no handshake. */
#include "conn/internal.h"
#include "conn/outlet.h"
#include "libc.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICKETS_LEN 300
#define KEY_UPDATE 24

static struct conn *conn;
static struct record_key peer; /* the other side's copy of our key */
static int ends[2];

static const enum record_aead aeads[] = { RECORD_AES_128_GCM, RECORD_AES_256_GCM };

static void setup(void)
{
	libc_init();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	conn = conn_new();
	conn->share = share_new();
	ck_assert_ptr_nonnull(conn->share);
}

static void use_key(enum record_aead aead, uint64_t seq)
{
	uint8_t secret[RECORD_MAX_SECRET];
	size_t len = aead == RECORD_AES_256_GCM ? 48 : 32;

	memset(secret, 7, sizeof secret);
	ck_assert_int_eq(record_key_from_secret(&peer, aead, secret, len), 0);
	peer.seq = seq;
	conn->share->send_key = peer;
}

static void use_tickets(void)
{
	conn->tickets = malloc(TICKETS_LEN);
	conn->tickets_len = TICKETS_LEN;
	memset(conn->tickets, 4, TICKETS_LEN);
	conn->share->tickets_due = true;
}

static void teardown(void)
{
	conn_recycle(conn);
	close(ends[0]);
	close(ends[1]);
}

static bool never_waits(struct conn *of, int fd, int flags)
{
	(void)of;
	(void)fd;
	(void)flags;
	return false;
}

static int send_some(const char *data, size_t len, size_t *done)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct outgoing out;
	int r;

	outgoing_init(&out, &iov, 1);
	ck_assert_int_eq(outlet_lock(conn), 0);
	r = outlet_data(conn, ends[0], &out, 0, never_waits);
	share_unlock(&conn->share->send_lock);
	*done = out.done;
	return r;
}

static void send_all(const char *data)
{
	size_t done;

	ck_assert_int_eq(send_some(data, strlen(data), &done), 0);
	ck_assert_uint_eq(done, strlen(data));
}

/* All that has arrived, in one piece; opened record by record. */
static uint8_t arrived[1 << 20];
static size_t arrived_len, arrived_at;

static void receive(void)
{
	ssize_t n = recv(ends[1], arrived + arrived_len, sizeof arrived - arrived_len, 0);

	if (n > 0)
		arrived_len += (size_t)n;
}

static ssize_t next_record(uint8_t *plain, enum record_type *type)
{
	struct record_header header;
	ssize_t n;

	ck_assert_int_eq(
		record_parse_header(&peer, arrived + arrived_at, arrived_len - arrived_at, &header),
		0);
	ck_assert_uint_le(arrived_at + RECORD_HEADER_LEN + header.length, arrived_len);
	n = record_open(&peer, arrived + arrived_at, RECORD_HEADER_LEN + (size_t)header.length,
		plain, type);
	ck_assert_int_ge(n, 0);
	arrived_at += RECORD_HEADER_LEN + (size_t)header.length;
	return n;
}

static void expect(enum record_type want, const void *data, size_t len)
{
	static uint8_t plain[RECORD_MAX_CIPHERTEXT];
	enum record_type type;

	ck_assert_int_eq(next_record(plain, &type), (ssize_t)len);
	ck_assert_int_eq(type, want);
	ck_assert_mem_eq(plain, data, len);
}

/* RFC 8446 5.5: the peer goes on with the next key, as it would. */
START_TEST(key_is_changed_before_its_limit)
{
	static const uint8_t key_update[] = { KEY_UPDATE, 0, 0, 1, 0 };
	uint64_t seq = RECORD_GCM_LIMIT - 1026;

	use_key(aeads[_i], seq);
	send_all("one");
	send_all("two");
	receive();
	expect(RECORD_APPLICATION_DATA, "one", 3);
	expect(RECORD_APPLICATION_DATA, "two", 3);
	send_all("three");
	send_all("four");
	receive();
	expect(RECORD_HANDSHAKE, key_update, sizeof key_update);
	ck_assert_int_eq(record_key_update(&peer), 0);
	expect(RECORD_APPLICATION_DATA, "three", 5);
	expect(RECORD_APPLICATION_DATA, "four", 4);
	ck_assert_uint_eq(conn->share->send_key.seq, 2);
}
END_TEST

START_TEST(key_of_tls12_and_of_chacha_stays)
{
	use_key(RECORD_CHACHA20_POLY1305, RECORD_GCM_LIMIT);
	send_all("one");
	receive();
	expect(RECORD_APPLICATION_DATA, "one", 3);
	conn->share->send_key.version = peer.version = RECORD_TLS12;
	conn->share->send_key.aead = peer.aead = RECORD_AES_128_GCM;
	send_all("two");
	receive();
	expect(RECORD_APPLICATION_DATA, "two", 3);
}
END_TEST

START_TEST(tickets_go_with_the_first_data)
{
	uint8_t tickets[TICKETS_LEN];
	int kind = 0;
	socklen_t len = sizeof kind;

	use_key(RECORD_AES_128_GCM, 0);
	use_tickets();
	memcpy(tickets, conn->tickets, sizeof tickets);
	ck_assert_int_eq(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &kind, &len), 0);
	send_all("first");
	receive(); /* one call to the kernel, one piece */
	expect(RECORD_HANDSHAKE, tickets, sizeof tickets);
	expect(RECORD_APPLICATION_DATA, "first", 5);
	send_all("second");
	receive();
	expect(RECORD_APPLICATION_DATA, "second", 6);
	ck_assert_uint_eq(arrived_at, arrived_len);
}
END_TEST

/* Where the kernel takes a part and a program does not wait, wherever the cut is. */
START_TEST(tickets_survive_a_full_buffer)
{
	static char data[100000];
	uint8_t tickets[TICKETS_LEN];
	size_t sent = 0, done, got = 0;
	int small = _i;
	static uint8_t plain[RECORD_MAX_CIPHERTEXT];
	enum record_type type;

	memset(data, 'd', sizeof data);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	use_key(RECORD_AES_128_GCM, 0);
	use_tickets();
	memcpy(tickets, conn->tickets, sizeof tickets);
	for (int i = 0; sent < sizeof data && i < 100000; i++) {
		int r = send_some(data + sent, sizeof data - sent, &done);

		ck_assert(r == 0 || r == -EAGAIN);
		sent += done;
		receive();
	}
	while (arrived_len - arrived_at > RECORD_HEADER_LEN || conn->share->tail.len > 0) {
		outlet_flush(conn->share, ends[0]);
		receive();
		if (arrived_at == 0) {
			expect(RECORD_HANDSHAKE, tickets, sizeof tickets);
			continue;
		}
		got += (size_t)next_record(plain, &type);
		ck_assert_int_eq(type, RECORD_APPLICATION_DATA);
	}
	ck_assert_uint_eq(got, sizeof data);
}
END_TEST

START_TEST(records_are_as_small_as_the_peer_wants)
{
	static char data[5000];
	static uint8_t plain[RECORD_MAX_CIPHERTEXT];
	enum record_type type;
	size_t done;

	use_key(RECORD_AES_128_GCM, 0);
	conn->share->send_key.plaintext_most = 512;
	memset(data, 'd', sizeof data);
	ck_assert_int_eq(send_some(data, sizeof data, &done), 0);
	ck_assert_int_eq(outlet_all(conn, ends[0], (const uint8_t *)data, sizeof data), 0);
	receive();
	for (size_t got = 0; got < 2 * sizeof data;) {
		ssize_t n = next_record(plain, &type);

		ck_assert_int_le(n, 512);
		got += (size_t)n;
	}
	ck_assert_uint_eq(arrived_at, arrived_len);
}
END_TEST

static void expect_lengths(const ssize_t *want, size_t count)
{
	static uint8_t plain[RECORD_MAX_CIPHERTEXT];
	enum record_type type;

	receive();
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(next_record(plain, &type), want[i]);
	ck_assert_uint_eq(arrived_at, arrived_len);
}

/* The first of them are whole in TCP's first ten segments; bulk is in the largest. */
START_TEST(answer_begins_with_small_records)
{
	static const ssize_t answer[] = { 4096, 4096, 4096, 16384, 16384, 16384, 4096 };
	static const ssize_t more[] = { 16384, 3616 };
	static const ssize_t pieces[] = { 240, 4096, 4096, 4096, 3616 };
	static char data[65536];
	size_t done;

	use_key(RECORD_AES_128_GCM, 0);
	ck_assert_int_eq(send_some(data, sizeof data, &done), 0);
	expect_lengths(answer, sizeof answer / sizeof *answer);
	ck_assert_int_eq(send_some(data, 20000, &done), 0);
	expect_lengths(more, sizeof more / sizeof *more);
	/* The next request has been read. */
	conn->share->asked = true;
	ck_assert_int_eq(send_some(data, 240, &done), 0);
	ck_assert_int_eq(send_some(data, 15904, &done), 0);
	expect_lengths(pieces, sizeof pieces / sizeof *pieces);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outlet");
	TCase *tcase = tcase_create("outlet");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, key_is_changed_before_its_limit, 0, 2);
	tcase_add_test(tcase, key_of_tls12_and_of_chacha_stays);
	tcase_add_test(tcase, tickets_go_with_the_first_data);
	tcase_add_loop_test(tcase, tickets_survive_a_full_buffer, 1, 2);
	tcase_add_test(tcase, records_are_as_small_as_the_peer_wants);
	tcase_add_test(tcase, answer_begins_with_small_records);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
