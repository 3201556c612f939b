/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory that is not there: each allocation of a connection fails once, from the contexts to the
 * ticket that is resumed from. It may fail, and never goes on with a peer that was not verified.
 */
#include "tls/resumption.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT 4433
#define MOST 100000 /* allocations */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static long left = -1; /* until one fails; -1: none does */

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

static void *none(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	return fails() ? none() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? none() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? none() : __libc_realloc(old, size);
}

struct side {
	struct tls_context *context;
	struct tls_handshake *handshake;
	int result;
};

static struct pair_queue to_client, to_server;
static struct pair_end client_end = { .in = &to_client, .out = &to_server },
		       server_end = { .in = &to_server, .out = &to_client };
static struct pair_settings client, server;

/* Check allocates. */
static ssize_t calm_send(void *end, const void *buf, size_t len)
{
	long before = left;
	ssize_t n;

	left = -1;
	n = pair_send(end, buf, len);
	left = before;
	return n;
}

static void side_begin(struct side *side, const struct pair_settings *settings, enum tls_role role)
{
	const struct tls_transport transport = { pair_recv, calm_send,
		role == TLS_CLIENT ? &client_end : &server_end };
	char why[TLS_REASON_MAX] = "";

	side->context = NULL;
	side->handshake = NULL;
	side->result = tls_context_new(&settings->tls, role, &side->context, why, sizeof why);
	if (side->result == 0)
		side->result = tls_handshake_new(
			side->context, "server.test", &transport, &side->handshake);
	if (side->result != 0)
		return;
	if (role == TLS_CLIENT)
		tls_handshake_resume(side->handshake, "server.test", PORT);
	side->result = -EAGAIN;
}

static void side_step(struct side *side)
{
	if (side->result == -EAGAIN)
		side->result = tls_handshake_step(side->handshake);
}

static void side_end(struct side *side)
{
	tls_handshake_free(side->handshake);
	tls_context_free(side->context);
}

/* A message each: type, length of three bytes. */
static void hand_over(struct side *from, struct side *to)
{
	struct tls_resumption *resumption = tls_handshake_resumption(to->handshake);
	size_t len;
	uint8_t *tickets = tls_handshake_tickets(from->handshake, &len);

	for (size_t at = 0, body; tickets != NULL && at < len; at += 4 + body) {
		body = (size_t)tickets[at + 2] << 8 | tickets[at + 3];
		if (resumption != NULL)
			tls_resumption_ticket(resumption, tickets + at + 4, body);
	}
	free(tickets);
	tls_resumption_free(resumption);
}

/* The same. */
static void check_verified(const struct side *side)
{
	long before = left;

	left = -1;
	if (side->result == 0)
		ck_assert_str_eq(tls_handshake_result(side->handshake)->verify, "ok");
	left = before;
}

/* Whether it came to a connection on both sides. */
static bool meet(void)
{
	struct side a, b;
	bool met;

	to_client.head = to_client.tail = to_server.head = to_server.tail = 0;
	side_begin(&a, &client, TLS_CLIENT);
	side_begin(&b, &server, TLS_SERVER);
	for (int i = 0; i < 32 && (a.result == -EAGAIN || b.result == -EAGAIN); i++) {
		side_step(&a);
		side_step(&b);
	}
	met = a.result == 0 && b.result == 0;
	check_verified(&a);
	check_verified(&b);
	if (met)
		hand_over(&b, &a);
	side_end(&a);
	side_end(&b);
	return met;
}

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}

static void init(int row, const char *client_cert)
{
	pair_settings_init(&client, client_cert);
	pair_settings_init(&server, "server");
	pair_list_add(&server, &server.tls.cert, pair_path("rsa-server.pem"));
	pair_list_add(&server, &server.tls.key, pair_path("rsa-server.key"));
	client.tls.resumption = server.tls.resumption = true;
	server.tls.tickets = 1;
	server.tls.client_auth = POLICY_CLIENT_REQUIRED;
	client.tls.min_version = client.tls.max_version = row == 0 ? POLICY_TLS12 : POLICY_TLS13;
}

/* One connection, and one that may go on with its session. */
START_TEST(each_allocation_may_fail)
{
	long n;

	init(_i, "client");
	ck_assert(meet() && meet());
	for (n = 0; n < MOST; n++) {
		left = n;
		meet();
		if (left >= 0)
			break;
		meet();
		left = -1;
	}
	left = -1;
	ck_assert_int_lt(n, MOST);
	ck_assert_int_gt(n, 100);
	ck_assert(meet());
}
END_TEST

/* A peer that is not trusted is not for want of memory either. */
START_TEST(nobody_gets_in_for_want_of_memory)
{
	init(_i, "client");
	pair_list_clear(&server.tls.ca);
	pair_list_add(&server, &server.tls.ca, pair_path("other-ca.pem"));
	ck_assert(!meet());
	for (long n = 0; n < MOST; n++) {
		bool met;

		left = n;
		met = meet();
		if (left >= 0)
			n = MOST;
		left = -1;
		ck_assert(!met);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_set_timeout(tcase, 100);
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, each_allocation_may_fail, 0, 2);
	tcase_add_loop_test(tcase, nobody_gets_in_for_want_of_memory, 0, 2);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
