/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers with several certificates: which one a client is shown, and what a ClientHello can do to
 * the choice. */
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pair_settings client, server;

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}

static void add_certificate(const char *name)
{
	char file[64];

	snprintf(file, sizeof file, "%s.pem", name);
	pair_list_add(&server, &server.tls.cert, pair_path(file));
	snprintf(file, sizeof file, "%s.key", name);
	pair_list_add(&server, &server.tls.key, pair_path(file));
}

#define ECDSA "ecdsa_secp256r1_sha256"
#define RSA "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"
#define ALL                                                                                        \
	{                                                                                          \
		NULL                                                                               \
	}

/* What the tests' CA gives out: "server", "rsa-server", "ed-server" and "p384-server" are all for
 * server.test and *.wild.test; "one" for one.wild.test alone. */
static const struct {
	const char *server[4]; /* certificates */
	const char *allowed;   /* signature algorithm of the rule */
	const char *name;
	const char *client[3]; /* signature algorithms that it offers; its CA's is ECDSA */
	const char *tls12;     /* whose certificate it gets; NULL: no handshake */
	const char *tls13;
} choice_case[] = {
	/* the first, if all will do */
	{ { "server", "rsa-server" }, NULL, "server.test", ALL, "server", "server" },
	{ { "rsa-server", "server" }, NULL, "server.test", ALL, "rsa-server", "rsa-server" },
	{ { "ed-server", "server" }, NULL, "server.test", ALL, "ed-server", "ed-server" },
	{ { "p384-server", "server" }, NULL, "server.test", ALL, "p384-server", "p384-server" },
	/* what the client can verify */
	{ { "rsa-server", "server" }, NULL, "server.test", { ECDSA }, "server", "server" },
	{ { "rsa-server", "ed-server" }, NULL, "server.test", { ECDSA, "ed25519" }, "ed-server",
		"ed-server" },
	{ { "ed-server", "rsa-server", "server" }, NULL, "server.test", { ECDSA }, "server",
		"server" },
	{ { "p384-server", "server" }, NULL, "server.test", { ECDSA }, "p384-server", "server" },
	{ { "server", "rsa-server" }, "rsa_pss_rsae_sha256", "server.test", ALL, "rsa-server",
		"rsa-server" },
	{ { "rsa-server", "ed-server" }, NULL, "server.test", { ECDSA }, NULL, NULL },
	/* its name: itself, then a wildcard */
	{ { "server", "one" }, NULL, "one.wild.test", ALL, "one", "one" },
	{ { "server", "one" }, NULL, "ONE.wild.test.", ALL, "one", "one" },
	{ { "one", "server" }, NULL, "two.wild.test", ALL, "server", "server" },
	{ { "one", "server" }, NULL, "server.test", ALL, "server", "server" },
	{ { "one", "rsa-server", "server" }, NULL, "server.test", { ECDSA }, "server", "server" },
	/* one that is not for its name */
	{ { "one", "server" }, NULL, "three.test", ALL, NULL, NULL },
	{ { "server", "one" }, NULL, "127.0.0.1", ALL, "server", "server" },
	{ { "server" }, NULL, "server.test", ALL, "server", "server" },
};

static void check_choice(size_t i, enum policy_version version, const char *want, size_t chunk)
{
	char subject[64];
	struct pair *pair;

	pair_settings_init(&client, NULL);
	pair_settings_init(&server, NULL);
	client.tls.max_version = version;
	for (size_t j = 0; j < 3 && choice_case[i].client[j] != NULL; j++)
		pair_list_add(&client, &client.tls.signature_algorithms, choice_case[i].client[j]);
	if (choice_case[i].allowed != NULL)
		pair_list_add(&server, &server.tls.signature_algorithms, choice_case[i].allowed);
	for (size_t j = 0; j < 4 && choice_case[i].server[j] != NULL; j++)
		add_certificate(choice_case[i].server[j]);
	pair = pair_new(&client, &server, choice_case[i].name);
	pair->server_end.chunk = chunk;
	pair->server_end.stutter = chunk > 0 ? 3 : 0;
	pair_run(pair);
	ck_assert_msg((pair->client_result == 0) == (want != NULL), "%d: %s", pair->client_result,
		tls_handshake_result(pair->client)->reason);
	if (want != NULL) {
		snprintf(subject, sizeof subject, "CN=%s.test,O=seamtls", want);
		ck_assert_str_eq(tls_handshake_result(pair->client)->peer.subject, subject);
		pair_check_data(pair);
	} else {
		ck_assert_int_lt(pair->server_result, 0);
	}
	pair_free(pair);
	teardown();
}

START_TEST(certificate_is_chosen)
{
	check_choice((size_t)_i, POLICY_TLS12, choice_case[_i].tls12, 0);
	check_choice((size_t)_i, POLICY_TLS13, choice_case[_i].tls13, 0);
	check_choice((size_t)_i, POLICY_TLS13, choice_case[_i].tls13, 1);
}
END_TEST

/* A HelloRetryRequest: the choice stays. */
START_TEST(choice_outlives_a_retry)
{
	struct pair *pair;

	pair_settings_init(&client, NULL);
	pair_settings_init(&server, NULL);
	add_certificate("server");
	add_certificate("one");
	pair_list_add(&client, &client.tls.groups, "x25519");
	pair_list_add(&client, &client.tls.groups, "secp384r1");
	pair_list_add(&server, &server.tls.groups, "secp384r1");
	pair = pair_new(&client, &server, "one.wild.test");
	pair_run(pair);
	ck_assert_int_eq(pair->client_result, 0);
	ck_assert_str_eq(tls_handshake_result(pair->client)->peer.subject, "CN=one.test,O=seamtls");
	ck_assert_str_eq(tls_handshake_result(pair->server)->server_name, "one.wild.test");
	pair_check_data(pair);
	pair_free(pair);
}
END_TEST

/* In both roles, each kind of key. */
START_TEST(client_shows_its_certificate)
{
	static const char *const certs[] = { "client", "rsa-client", "ed-client" };

	for (int version = POLICY_TLS12; version <= POLICY_TLS13; version++) {
		struct pair *pair;

		pair_settings_init(&client, certs[_i]);
		pair_settings_init(&server, "ed-server");
		server.tls.client_auth = POLICY_CLIENT_REQUIRED;
		client.tls.max_version = (enum policy_version)version;
		pair = pair_new(&client, &server, "server.test");
		pair_run(pair);
		ck_assert_msg(pair->server_result == 0, "%s: %s", certs[_i],
			tls_handshake_result(pair->server)->reason);
		ck_assert_str_eq(tls_handshake_result(pair->server)->verify, "ok");
		pair_check_data(pair);
		pair_free(pair);
		teardown();
	}
}
END_TEST

/* What comes is no ClientHello, or not all of one. */
static const struct {
	const char *bytes;
	size_t len;
	int want;
} hostile_case[] = {
	{ "GET / HTTP/1.0\r\n\r\n", 18, -EPROTO },
	{ "\x16\x03\x01\x00\x05hello", 10, -EPROTO },
	{ "\x16\x03\x01\xff\xff", 5, -EPROTO },
	{ "\x15\x03\x01\x00\x02\x02\x28", 7, -EPROTO },
	{ "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, -EPROTO },
	{ "\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00", 10, -EPROTO },
	{ "\x16\x03\x01\x00\x04\x01\x00\x10\x00", 9, -ECONNRESET },
	{ "\x16\x03\x01", 3, -ECONNRESET },
	{ "", 0, -ECONNRESET },
};

START_TEST(hostile_hello_ends_the_handshake)
{
	struct pair *pair;

	pair_settings_init(&client, NULL);
	pair_settings_init(&server, NULL);
	add_certificate("server");
	add_certificate("rsa-server");
	pair = pair_new(&client, &server, "server.test");
	ck_assert(tls_handshake_untouched(pair->server));
	memcpy(pair->to_server.bytes, hostile_case[_i].bytes, hostile_case[_i].len);
	pair->to_server.tail = hostile_case[_i].len;
	pair->server_result = tls_handshake_step(pair->server);
	if (pair->server_result == -EAGAIN) {
		ck_assert_int_eq(tls_handshake_untouched(pair->server), hostile_case[_i].len == 0);
		pair->to_server.closed = true;
		pair->server_result = tls_handshake_step(pair->server);
	}
	ck_assert_msg(pair->server_result == hostile_case[_i].want ||
			      (hostile_case[_i].want == -EPROTO &&
				      pair->server_result == -ECONNRESET && pair->to_server.closed),
		"%d: %s", pair->server_result, tls_handshake_result(pair->server)->reason);
	ck_assert_str_ne(tls_handshake_result(pair->server)->reason, "");
	pair_free(pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("identity");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(
		tcase, certificate_is_chosen, 0, sizeof choice_case / sizeof choice_case[0]);
	tcase_add_test(tcase, choice_outlives_a_retry);
	tcase_add_loop_test(tcase, client_shows_its_certificate, 0, 3);
	tcase_add_loop_test(tcase, hostile_hello_ends_the_handshake, 0,
		sizeof hostile_case / sizeof hostile_case[0]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
