/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions between a client and a server of ours: what is resumed, and what must not be. Contexts
 * are made anew for each connection, as after a fork, or on another host. */
#include "tls/handshake_private.h"
#include "tls/session_cache.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 4433
#define HEAD_LEN 4
#define SESSION_HEAD_LEN 192 /* as much as all numbers of a kept session, and some more */

static struct pair_settings client, server;
static char keys_path[] = "/tmp/seamtls-ticket-keys-XXXXXX";
static const char *client_rule = "", *server_rule = "";

static const enum policy_version versions[] = { POLICY_TLS12, POLICY_TLS13 };

static void setup(void)
{
	pair_settings_init(&client, NULL);
	pair_settings_init(&server, "server");
	client.tls.resumption = server.tls.resumption = true;
	server.tls.tickets = 1;
	client_rule = server_rule = "";
}

static void setup_mutual(void)
{
	setup();
	pair_list_add(&client, &client.tls.cert, pair_path("client.pem"));
	pair_list_add(&client, &client.tls.key, pair_path("client.key"));
	server.tls.client_auth = POLICY_CLIENT_REQUIRED;
}

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}

/* What our record layer would carry: the server's tickets to the client. Their number. */
static int hand_over_tickets(struct pair *pair)
{
	struct tls_resumption *resumption = tls_handshake_resumption(pair->client);
	size_t len, at = 0;
	uint8_t *tickets = tls_handshake_tickets(pair->server, &len);
	int count = 0;

	while (tickets != NULL && at + HEAD_LEN < len) {
		size_t body = (size_t)tickets[at + 1] << 16 | (size_t)tickets[at + 2] << 8 |
			      tickets[at + 3];

		ck_assert_uint_eq(tickets[at], 4);
		ck_assert_uint_le(at + HEAD_LEN + body, len);
		if (resumption != NULL)
			tls_resumption_ticket(resumption, tickets + at + HEAD_LEN, body);
		at += HEAD_LEN + body;
		count++;
	}
	free(tickets);
	tls_resumption_free(resumption);
	return count;
}

static struct pair *begin(const char *name, uint16_t port)
{
	struct pair *pair = pair_new(&client, &server, name);

	tls_context_bind(pair->client_context, client_rule);
	tls_context_bind(pair->server_context, server_rule);
	tls_handshake_resume(pair->client, name, port);
	return pair;
}

/* One connection; what it brought is kept for the next. */
static struct pair *connect_to(const char *name, uint16_t port)
{
	struct pair *pair = begin(name, port);

	pair_run(pair);
	ck_assert_msg(pair->client_result == 0 && pair->server_result == 0,
		"client: %s, server: %s", tls_handshake_result(pair->client)->reason,
		tls_handshake_result(pair->server)->reason);
	pair_check_data(pair);
	hand_over_tickets(pair);
	return pair;
}

static bool resumes_as(const char *name, uint16_t port)
{
	struct pair *pair = connect_to(name, port);
	bool resumed = tls_handshake_result(pair->client)->resumed;

	ck_assert_int_eq(tls_handshake_result(pair->server)->resumed, resumed);
	pair_free(pair);
	return resumed;
}

static bool resumes(void)
{
	return resumes_as("server.test", PORT);
}

static void only_version(int row)
{
	client.tls.min_version = client.tls.max_version = versions[row];
}

/* --- What is resumed */

START_TEST(session_is_resumed_again_and_again)
{
	only_version(_i);
	ck_assert(!resumes());
	for (int i = 0; i < 5; i++)
		ck_assert(resumes());
}
END_TEST

START_TEST(resumed_session_tells_who_the_peer_is)
{
	only_version(_i);
	ck_assert(!resumes());
	for (int i = 0; i < 3; i++) {
		struct pair *pair = connect_to("server.test", PORT);
		const struct tls_result *of_client = tls_handshake_result(pair->client);
		const struct tls_result *of_server = tls_handshake_result(pair->server);

		ck_assert(of_client->resumed && of_server->resumed);
		ck_assert_str_eq(of_client->verify, "ok");
		ck_assert_str_eq(of_server->verify, "ok");
		ck_assert_ptr_nonnull(strstr(of_client->peer.san[0], "server.test"));
		ck_assert_str_eq(of_server->peer.san[0], "uri:spiffe://test/client");
		ck_assert_str_eq(of_server->server_name, "server.test");
		ck_assert_uint_eq(strlen(of_server->peer.sha256), 64);
		pair_free(pair);
	}
}
END_TEST

START_TEST(alpn_is_agreed_on_anew)
{
	only_version(_i);
	pair_list_add(&client, &client.tls.alpn, "h2");
	pair_list_add(&server, &server.tls.alpn, "h2");
	ck_assert(!resumes());
	for (int i = 0; i < 2; i++) {
		struct pair *pair = connect_to("server.test", PORT);

		ck_assert(tls_handshake_result(pair->client)->resumed);
		ck_assert_str_eq(tls_handshake_result(pair->client)->alpn, "h2");
		ck_assert_str_eq(tls_handshake_result(pair->server)->alpn, "h2");
		pair_free(pair);
	}
}
END_TEST

START_TEST(resumption_goes_through_a_hello_retry)
{
	only_version(1);
	ck_assert(!resumes());
	pair_list_add(&server, &server.tls.groups, "secp384r1");
	ck_assert(resumes());
}
END_TEST

/* Forked after the parent's first connection. */
START_TEST(forked_children_share_sessions_and_keys)
{
	int status;
	pid_t pid;

	only_version(_i);
	ck_assert(!resumes());
	pid = fork();
	if (pid == 0)
		_exit(resumes() ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(resumes()); /* with what the child has got */
}
END_TEST

/* wolfSSL numbers the tickets of a chain of sessions by one byte. */
START_TEST(chain_of_resumptions_has_no_end)
{
	only_version(1);
	ck_assert(!resumes());
	for (int i = 0; i < 300; i++)
		ck_assert(resumes());
}
END_TEST

START_TEST(ticket_of_tls13_is_offered_once)
{
	struct pair *pair;

	only_version(1);
	ck_assert(!resumes());
	server.tls.tickets = 0; /* the second connection brings no new one */
	server.tls.resumption = true;
	pair = begin("server.test", PORT);
	pair_run(pair);
	pair_free(pair);
	server.tls.tickets = 1;
	ck_assert(!resumes());
}
END_TEST

START_TEST(server_sends_as_many_tickets_as_it_says)
{
	struct pair *pair;

	only_version(1);
	server.tls.tickets = (unsigned)_i;
	pair = begin("server.test", PORT);
	pair_run(pair);
	ck_assert_int_eq(hand_over_tickets(pair), _i);
	pair_free(pair);
}
END_TEST

/* --- What is not */

static void no_resumption_here(void)
{
	client.tls.resumption = false;
}

static void no_resumption_there(void)
{
	server.tls.resumption = false;
}

static void no_tickets(void)
{
	server.tls.tickets = 0;
}

static void other_client_rule(void)
{
	client_rule = "another";
}

static void other_server_rule(void)
{
	server_rule = "another";
}

static void other_ca(void)
{
	pair_list_add(&client, &client.tls.ca, pair_path("other-ca.pem"));
}

static void other_client_ca(void)
{
	pair_list_add(&server, &server.tls.ca, pair_path("other-ca.pem"));
}

static void other_certificate(void)
{
	pair_list_clear(&client.tls.cert);
	pair_list_clear(&client.tls.key);
	pair_list_add(&client, &client.tls.cert, pair_path("rsa-client.pem"));
	pair_list_add(&client, &client.tls.key, pair_path("rsa-client.key"));
}

static void other_alpn(void)
{
	pair_list_add(&client, &client.tls.alpn, "h2");
	pair_list_add(&server, &server.tls.alpn, "h2");
}

static void other_suite(void)
{
	pair_list_add(&server, &server.tls.ciphers, "TLS_CHACHA20_POLY1305_SHA256");
	pair_list_add(
		&server, &server.tls.ciphers, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
}

static void (*const change[])(void) = { no_resumption_here, no_resumption_there, no_tickets,
	other_client_rule, other_server_rule, other_ca, other_client_ca, other_certificate,
	other_alpn, other_suite };
#define CHANGES (sizeof change / sizeof change[0])

/* Both versions: the row twice. */
START_TEST(change_ends_resumption)
{
	only_version(_i % 2);
	ck_assert(!resumes());
	ck_assert(resumes());
	change[_i / 2]();
	ck_assert(!resumes());
}
END_TEST

START_TEST(another_name_or_port_is_another_session)
{
	only_version(_i);
	client.tls.verify = POLICY_VERIFY_CHAIN;
	ck_assert(!resumes());
	ck_assert(!resumes_as("other.test", PORT));
	ck_assert(!resumes_as("server.test", PORT + 1));
	ck_assert(resumes());
}
END_TEST

/* A client that was let in without a certificate is not, once one is required. */
START_TEST(requirement_is_not_got_around)
{
	struct pair *pair;

	only_version(_i);
	ck_assert(!resumes());
	server.tls.client_auth = POLICY_CLIENT_REQUIRED;
	pair = begin("server.test", PORT);
	pair_run(pair);
	ck_assert_int_eq(pair->server_result, -EKEYREJECTED);
	pair_free(pair);
}
END_TEST

START_TEST(failure_makes_the_next_handshake_full)
{
	struct pair *pair;

	only_version(_i);
	ck_assert(!resumes());
	pair = begin("server.test", PORT);
	pair->to_client.cut = 60; /* the server's answer ends in its first record */
	pair_run(pair);
	ck_assert_int_lt(pair->client_result, 0);
	pair_free(pair);
	ck_assert(!resumes());
	ck_assert(resumes());
}
END_TEST

/* What is kept, as the client of `begin` will find it; its length. */
static size_t kept(uint8_t key[SESSION_KEY_LEN], uint8_t bytes[SESSION_LEN_MOST])
{
	struct pair *pair;
	size_t len;

	ck_assert(!resumes());
	pair = begin("server.test", PORT);
	memcpy(key, pair->client->session_key, SESSION_KEY_LEN);
	pair_run(pair);
	hand_over_tickets(pair);
	pair_free(pair);
	len = session_cache_take(key, bytes);
	ck_assert_uint_gt(len, 0);
	return len;
}

/* The memory is shared with processes that may have been broken into. */
START_TEST(damaged_session_is_not_offered)
{
	uint8_t key[SESSION_KEY_LEN], bytes[SESSION_LEN_MOST];
	int64_t until = (int64_t)time(NULL) + 60;
	struct pair *pair;
	size_t len;

	only_version(_i);
	len = kept(key, bytes);
	for (size_t cut = 1; cut < len; cut += cut < 8 ? 1 : len / 4) {
		session_cache_drop(key);
		session_cache_put(key, bytes, cut, until, true);
		ck_assert(!resumes());
	}
	for (size_t at = 0; at < SESSION_HEAD_LEN; at++) {
		session_cache_drop(key);
		bytes[at] ^= 0xff;
		session_cache_put(key, bytes, len, until, true);
		bytes[at] ^= 0xff;
		pair = begin("server.test", PORT);
		pair_run(pair);
		pair_free(pair);
	}
}
END_TEST

/* --- Keys of a file */

static void write_keys(const char *newest_first)
{
	FILE *file = fopen(keys_path, "we");

	ck_assert_ptr_nonnull(file);
	for (; *newest_first != '\0'; newest_first++)
		for (int i = 0; i < 80; i++)
			putc(*newest_first, file);
	fclose(file);
}

static void use_keys(const char *newest_first)
{
	write_keys(newest_first);
	server.tls.ticket_keys = keys_path;
}

START_TEST(keys_of_a_file_are_used_and_old_ones_taken)
{
	only_version(_i);
	ck_assert(!resumes());
	use_keys("b");
	ck_assert(!resumes());
	ck_assert(resumes());
	write_keys("cb");
	ck_assert(resumes());
	ck_assert(resumes());
	write_keys("c");
	ck_assert(resumes()); /* by a ticket that replaced the older one */
	write_keys("d");
	ck_assert(!resumes());
	server.tls.ticket_keys = NULL;
}
END_TEST

/* The contexts stay; only the file changes. Whether the server takes the session that is offered.
 */
static bool resumes_with(struct tls_context *of_client, struct tls_context *of_server)
{
	struct pair *pair = calloc(1, sizeof *pair);
	struct tls_transport to_server = { pair_recv, pair_send, &pair->client_end };
	struct tls_transport to_client = { pair_recv, pair_send, &pair->server_end };
	bool resumed;

	pair->client_end.in = pair->server_end.out = &pair->to_client;
	pair->client_end.out = pair->server_end.in = &pair->to_server;
	tls_handshake_new(of_client, "server.test", &to_server, &pair->client);
	tls_handshake_new(of_server, NULL, &to_client, &pair->server);
	tls_handshake_resume(pair->client, "server.test", PORT);
	pair_run(pair);
	ck_assert_msg(pair->client_result == 0 && pair->server_result == 0,
		"client: %s, server: %s", tls_handshake_result(pair->client)->reason,
		tls_handshake_result(pair->server)->reason);
	hand_over_tickets(pair);
	resumed = tls_handshake_result(pair->server)->resumed;
	pair_free(pair);
	return resumed;
}

#define LOOKS_MOST 100000

START_TEST(change_of_the_file_is_noticed)
{
	struct tls_context *of_client, *of_server;
	char why[TLS_REASON_MAX];
	int looks = 0;

	only_version(0); /* the file knows of none */
	use_keys("b");
	ck_assert_int_eq(tls_context_new(&client.tls, TLS_CLIENT, &of_client, why, sizeof why), 0);
	ck_assert_int_eq(tls_context_new(&server.tls, TLS_SERVER, &of_server, why, sizeof why), 0);
	ck_assert(!resumes_with(of_client, of_server));
	ck_assert(resumes_with(of_client, of_server));
	write_keys("c");
	while (resumes_with(of_client, of_server)) /* at most until the next second */
		ck_assert_int_lt(looks++, LOOKS_MOST);
	ck_assert(resumes_with(of_client, of_server));
	ck_assert_int_eq(truncate(keys_path, 79), 0); /* wrong, so nothing changes */
	for (int i = 0; i < 50; i++)
		ck_assert(resumes_with(of_client, of_server));
	tls_context_free(of_client);
	tls_context_free(of_server);
	server.tls.ticket_keys = NULL;
}
END_TEST

static const size_t wrong_size[] = { 0, 1, 48, 79, 81, 80 * 17 };

START_TEST(file_of_another_size_is_refused)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX] = "";
	FILE *file = fopen(keys_path, "we");

	for (size_t i = 0; i < wrong_size[_i]; i++)
		putc('x', file);
	fclose(file);
	server.tls.ticket_keys = keys_path;
	ck_assert_int_eq(
		tls_context_new(&server.tls, TLS_SERVER, &context, why, sizeof why), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "80 for each key"));
	server.tls.ticket_keys = NULL;
}
END_TEST

START_TEST(malformed_tickets_are_passed_over)
{
	struct pair *pair;
	struct tls_resumption *resumption;
	uint8_t *tickets;
	size_t len;

	only_version(1);
	pair = begin("server.test", PORT);
	pair_run(pair);
	resumption = tls_handshake_resumption(pair->client);
	tickets = tls_handshake_tickets(pair->server, &len);
	ck_assert_ptr_nonnull(resumption);
	ck_assert_uint_gt(len, HEAD_LEN + 20);
	for (size_t cut = 0; cut < len - HEAD_LEN; cut++) {
		uint8_t *part = malloc(cut + 1); /* so that reading behind it is seen */

		memcpy(part, tickets + HEAD_LEN, cut);
		tls_resumption_ticket(resumption, part, cut);
		free(part);
	}
	free(tickets);
	tls_resumption_free(resumption);
	pair_free(pair);
	ck_assert(!resumes());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *plain = tcase_create("server"), *mutual = tcase_create("mutual");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	close(mkstemp(keys_path));
	tcase_set_timeout(plain, 60);
	tcase_set_timeout(mutual, 60);
	tcase_add_checked_fixture(plain, setup, teardown);
	tcase_add_checked_fixture(mutual, setup_mutual, teardown);
	tcase_add_loop_test(plain, session_is_resumed_again_and_again, 0, 2);
	tcase_add_loop_test(plain, alpn_is_agreed_on_anew, 0, 2);
	tcase_add_test(plain, resumption_goes_through_a_hello_retry);
	tcase_add_loop_test(plain, forked_children_share_sessions_and_keys, 0, 2);
	tcase_add_test(plain, chain_of_resumptions_has_no_end);
	tcase_add_test(plain, ticket_of_tls13_is_offered_once);
	tcase_add_loop_test(plain, server_sends_as_many_tickets_as_it_says, 0, 9);
	tcase_add_loop_test(plain, another_name_or_port_is_another_session, 0, 2);
	tcase_add_loop_test(plain, requirement_is_not_got_around, 0, 2);
	tcase_add_loop_test(plain, failure_makes_the_next_handshake_full, 0, 2);
	tcase_add_loop_test(plain, damaged_session_is_not_offered, 0, 2);
	tcase_add_loop_test(plain, keys_of_a_file_are_used_and_old_ones_taken, 0, 2);
	tcase_add_test(plain, change_of_the_file_is_noticed);
	tcase_add_loop_test(plain, file_of_another_size_is_refused, 0,
		sizeof wrong_size / sizeof wrong_size[0]);
	tcase_add_test(plain, malformed_tickets_are_passed_over);
	tcase_add_loop_test(mutual, session_is_resumed_again_and_again, 0, 2);
	tcase_add_loop_test(mutual, resumed_session_tells_who_the_peer_is, 0, 2);
	tcase_add_loop_test(mutual, change_ends_resumption, 0, 2 * CHANGES);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, mutual);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(keys_path);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
