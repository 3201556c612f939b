/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handshakes that succeed: versions, suites, groups, kinds of keys, deliveries. */
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static struct pair_settings client, server;

static void setup(void)
{
	pair_settings_init(&client, NULL);
	pair_settings_init(&server, "server");
}

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}

/* RFC 8446 4.4.4 and 5246 7.4.9: when both are done, nothing is in the queues, and so nothing can
 * have been read too much. */
static void check_done(const struct pair *pair)
{
	ck_assert_msg(pair->client_result == 0, "client %d: %s", pair->client_result,
		tls_handshake_result(pair->client)->reason);
	ck_assert_msg(pair->server_result == 0, "server %d: %s", pair->server_result,
		tls_handshake_result(pair->server)->reason);
	ck_assert_uint_eq(pair->to_client.head, pair->to_client.tail);
	ck_assert_uint_eq(pair->to_server.head, pair->to_server.tail);
	ck_assert_str_eq(tls_handshake_result(pair->client)->reason, "");
	ck_assert_str_eq(tls_handshake_result(pair->server)->reason, "");
}

static const struct {
	const char *cert, *cipher;
	enum policy_version version;
} suite_case[] = {
	{ "server", "TLS_AES_128_GCM_SHA256", POLICY_TLS13 },
	{ "server", "TLS_AES_256_GCM_SHA384", POLICY_TLS13 },
	{ "server", "TLS_CHACHA20_POLY1305_SHA256", POLICY_TLS13 },
	{ "server", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", POLICY_TLS12 },
	{ "server", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", POLICY_TLS12 },
	{ "server", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", POLICY_TLS12 },
	{ "rsa-server", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", POLICY_TLS12 },
	{ "rsa-server", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", POLICY_TLS12 },
	{ "rsa-server", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", POLICY_TLS12 },
	{ "rsa-server", "TLS_AES_128_GCM_SHA256", POLICY_TLS13 },
	{ "ed-server", "TLS_AES_128_GCM_SHA256", POLICY_TLS13 },
	{ "p384-server", "TLS_AES_256_GCM_SHA384", POLICY_TLS13 },
	{ "p384-server", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", POLICY_TLS12 },
	{ "below", "TLS_AES_128_GCM_SHA256", POLICY_TLS13 },
	{ "below", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", POLICY_TLS12 },
};

START_TEST(suite_is_negotiated)
{
	const struct tls_result *result;
	struct pair *pair;

	pair_settings_clear(&server);
	pair_settings_init(&server, suite_case[_i].cert);
	pair_list_add(&client, &client.tls.ciphers, suite_case[_i].cipher);
	pair = pair_new(&client, &server, "server.test");
	pair_run(pair);
	check_done(pair);
	result = tls_handshake_result(pair->client);
	ck_assert_str_eq(result->cipher, suite_case[_i].cipher);
	ck_assert_uint_eq(result->version, suite_case[_i].version);
	ck_assert_str_eq(tls_handshake_result(pair->server)->cipher, suite_case[_i].cipher);
	ck_assert_str_eq(result->group,
		suite_case[_i].version == POLICY_TLS13 ? "X25519MLKEM768" : "x25519");
	ck_assert_str_eq(result->verify, "ok");
	ck_assert_str_eq(result->server_name, "server.test");
	ck_assert_str_eq(tls_handshake_result(pair->server)->server_name, "server.test");
	ck_assert_str_eq(tls_handshake_result(pair->server)->verify, "none");
	pair_check_data(pair);
	pair_free(pair);
}
END_TEST

static struct pair *run_pair(const char *name)
{
	struct pair *pair = pair_new(&client, &server, name);

	pair_run(pair);
	check_done(pair);
	return pair;
}

static const struct {
	const char *client[3], *server[3], *want;
	enum policy_version version;
} group_case[] = {
	{ { "x25519" }, { "x25519" }, "x25519", POLICY_TLS13 },
	{ { "secp256r1" }, { "secp256r1" }, "secp256r1", POLICY_TLS13 },
	{ { "secp384r1" }, { "secp384r1" }, "secp384r1", POLICY_TLS13 },
	{ { "secp521r1" }, { "secp521r1" }, "secp521r1", POLICY_TLS13 },
	{ { "ffdhe2048" }, { "ffdhe2048" }, "ffdhe2048", POLICY_TLS13 },
	{ { "ffdhe3072" }, { "ffdhe3072" }, "ffdhe3072", POLICY_TLS13 },
	{ { "SecP256r1MLKEM768" }, { "SecP256r1MLKEM768" }, "SecP256r1MLKEM768", POLICY_TLS13 },
	{ { "SecP384r1MLKEM1024" }, { "SecP384r1MLKEM1024" }, "SecP384r1MLKEM1024", POLICY_TLS13 },
	{ { "X25519MLKEM768" }, { "X25519MLKEM768" }, "X25519MLKEM768", POLICY_TLS13 },
	/* A HelloRetryRequest: the client's first choice, for which it sends a share, is not the
	   server's. */
	{ { "x25519", "secp256r1" }, { "secp256r1" }, "secp256r1", POLICY_TLS13 },
	{ { "X25519MLKEM768", "secp384r1" }, { "secp384r1" }, "secp384r1", POLICY_TLS13 },
	{ { NULL }, { "secp384r1" }, "secp384r1", POLICY_TLS13 },
	{ { "secp256r1", "X25519MLKEM768" }, { "X25519MLKEM768" }, "X25519MLKEM768", POLICY_TLS13 },
	{ { "x25519", "secp256r1" }, { "x25519" }, "x25519", POLICY_TLS12 },
	{ { "secp256r1" }, { "secp256r1" }, "secp256r1", POLICY_TLS12 },
	{ { "secp384r1" }, { "secp384r1", "secp256r1" }, "secp384r1", POLICY_TLS12 },
	{ { "secp521r1" }, { "secp521r1" }, "secp521r1", POLICY_TLS12 },
};

START_TEST(group_is_negotiated)
{
	struct pair *pair;

	client.tls.max_version = group_case[_i].version;
	for (int i = 0; i < 3 && group_case[_i].client[i] != NULL; i++)
		pair_list_add(&client, &client.tls.groups, group_case[_i].client[i]);
	for (int i = 0; i < 3 && group_case[_i].server[i] != NULL; i++)
		pair_list_add(&server, &server.tls.groups, group_case[_i].server[i]);
	pair = run_pair("server.test");
	ck_assert_pstr_eq(tls_handshake_result(pair->client)->group, group_case[_i].want);
	ck_assert_pstr_eq(tls_handshake_result(pair->server)->group, group_case[_i].want);
	pair_check_data(pair);
	pair_free(pair);
}
END_TEST

static const struct {
	size_t chunk;
	unsigned stutter;
	enum policy_version version;
	const char *group; /* of the server */
} delivery_case[] = {
	{ 1, 0, POLICY_TLS13, NULL },
	{ 1, 2, POLICY_TLS13, NULL },
	{ 1, 0, POLICY_TLS12, NULL },
	{ 1, 2, POLICY_TLS12, NULL },
	{ 7, 3, POLICY_TLS13, NULL },
	{ 7, 3, POLICY_TLS12, NULL },
	{ 0, 2, POLICY_TLS13, NULL },
	{ 0, 2, POLICY_TLS12, NULL },
	{ 1000, 2, POLICY_TLS13, NULL },
	{ 1000, 2, POLICY_TLS12, NULL },
	{ 1, 2, POLICY_TLS13, "secp384r1" },
};

START_TEST(delivery_does_not_matter)
{
	struct pair *pair;

	client.tls.max_version = delivery_case[_i].version;
	pair_list_add(&client, &client.tls.cert, pair_path("client.pem"));
	pair_list_add(&client, &client.tls.key, pair_path("client.key"));
	server.tls.client_auth = POLICY_CLIENT_REQUIRED;
	if (delivery_case[_i].group != NULL)
		pair_list_add(&server, &server.tls.groups, delivery_case[_i].group);
	pair = pair_new(&client, &server, "server.test");
	pair->client_end.chunk = pair->server_end.chunk = delivery_case[_i].chunk;
	pair->client_end.stutter = pair->server_end.stutter = delivery_case[_i].stutter;
	pair_run(pair);
	check_done(pair);
	pair_check_data(pair);
	pair_free(pair);
}
END_TEST

/* What follows the handshake in the stream is not taken from the transport: here it is there before
 * the other side ends. */
START_TEST(nothing_is_read_ahead)
{
	bool tls13 = _i == 0;
	struct record_key early_send, early_receive, late_send, late_receive;
	char text[] = "early";
	struct iovec iov = { text, sizeof text };
	uint8_t record[64], plain[64];
	enum record_type type;
	struct tls_handshake *early, *late;
	struct pair_end *early_end, *late_end;
	struct pair *pair;
	ssize_t n;

	client.tls.max_version = tls13 ? POLICY_TLS13 : POLICY_TLS12;
	pair = pair_new(&client, &server, "server.test");
	/* In TLS 1.3 the client is done first, in 1.2 the server. */
	early = tls13 ? pair->client : pair->server;
	late = tls13 ? pair->server : pair->client;
	early_end = tls13 ? &pair->client_end : &pair->server_end;
	late_end = tls13 ? &pair->server_end : &pair->client_end;
	for (int i = 0; i < 10 && tls_handshake_step(early) == -EAGAIN; i++)
		tls_handshake_step(late);
	ck_assert_int_eq(tls_handshake_step(early), 0);
	ck_assert_int_eq(tls_handshake_keys(early, &early_send, &early_receive), 0);
	n = record_seal(&early_send, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, record);
	ck_assert_int_eq(pair_send(early_end, record, (size_t)n), n);
	ck_assert_int_eq(tls_handshake_step(late), 0);
	ck_assert_int_eq(late_end->in->tail - late_end->in->head, n);
	ck_assert_int_eq(tls_handshake_keys(late, &late_send, &late_receive), 0);
	ck_assert_int_eq(record_open(&late_receive, late_end->in->bytes + late_end->in->head,
				 (size_t)n, plain, &type),
		sizeof text);
	ck_assert_mem_eq(plain, text, sizeof text);
	pair_free(pair);
}
END_TEST

static const struct {
	const char *client_cert;
	enum policy_client_auth auth;
	enum policy_version version;
	const char *want_verify, *want_subject;
} client_cert_case[] = {
	{ "client", POLICY_CLIENT_REQUIRED, POLICY_TLS13, "ok", "CN=client.test,O=seamtls" },
	{ "client", POLICY_CLIENT_REQUIRED, POLICY_TLS12, "ok", "CN=client.test,O=seamtls" },
	{ "rsa-client", POLICY_CLIENT_REQUIRED, POLICY_TLS13, "ok",
		"CN=rsa-client.test,O=seamtls" },
	{ "rsa-client", POLICY_CLIENT_REQUIRED, POLICY_TLS12, "ok",
		"CN=rsa-client.test,O=seamtls" },
	{ "client", POLICY_CLIENT_OPTIONAL, POLICY_TLS13, "ok", "CN=client.test,O=seamtls" },
	{ NULL, POLICY_CLIENT_OPTIONAL, POLICY_TLS13, "none", NULL },
	{ NULL, POLICY_CLIENT_OPTIONAL, POLICY_TLS12, "none", NULL },
	{ "client", POLICY_CLIENT_NONE, POLICY_TLS13, "none", NULL },
};

START_TEST(client_certificate_is_known)
{
	const struct tls_result *result;
	struct pair *pair;

	pair_settings_clear(&client);
	pair_settings_init(&client, client_cert_case[_i].client_cert);
	client.tls.max_version = client_cert_case[_i].version;
	server.tls.client_auth = client_cert_case[_i].auth;
	pair = run_pair("server.test");
	result = tls_handshake_result(pair->server);
	ck_assert_str_eq(result->verify, client_cert_case[_i].want_verify);
	ck_assert_pstr_eq(result->peer.subject, client_cert_case[_i].want_subject);
	if (client_cert_case[_i].want_subject != NULL &&
		strstr(client_cert_case[_i].want_subject, "rsa") == NULL) {
		ck_assert_uint_eq(result->peer.san_count, 2);
		ck_assert_str_eq(result->peer.san[0], "uri:spiffe://test/client");
		ck_assert_str_eq(result->peer.san[1], "email:client@test");
	}
	pair_check_data(pair);
	pair_free(pair);
}
END_TEST

START_TEST(peer_is_described)
{
	struct pair *pair = run_pair("server.test");
	const struct tls_peer *peer = &tls_handshake_result(pair->client)->peer;

	ck_assert_str_eq(peer->subject, "CN=server.test,O=seamtls");
	ck_assert_str_eq(peer->issuer, "CN=ca,O=seamtls\\, test");
	ck_assert_uint_eq(peer->san_count, 4);
	ck_assert_str_eq(peer->san[0], "dns:server.test");
	ck_assert_str_eq(peer->san[1], "dns:*.wild.test");
	ck_assert_str_eq(peer->san[2], "ip:127.0.0.1");
	ck_assert_str_eq(peer->san[3], "ip:::1");
	ck_assert_int_eq(peer->not_after, 4102444799); /* 2099-12-31 23:59:59 */
	ck_assert_uint_eq(strlen(peer->sha256), 64);
	ck_assert_uint_ge(strlen(peer->serial), 32);
	ck_assert_uint_eq(strspn(peer->serial, "0123456789ABCDEF"), strlen(peer->serial));
	pair_free(pair);
}
END_TEST

static const struct {
	const char *client[3], *server[3], *want;
} alpn_case[] = {
	{ { "h2", "http/1.1" }, { "http/1.1", "h2" }, "http/1.1" },
	{ { "h2", "http/1.1" }, { "h2" }, "h2" },
	{ { "xh2", "h2x", "h2" }, { "h2" }, "h2" },
	{ { "h2" }, { NULL }, "" },
	{ { NULL }, { "h2" }, "" },
};

START_TEST(alpn_is_negotiated)
{
	for (int version = POLICY_TLS12; version <= POLICY_TLS13; version++) {
		struct pair *pair;

		teardown();
		setup();
		client.tls.max_version = version;
		for (int i = 0; i < 3 && alpn_case[_i].client[i] != NULL; i++)
			pair_list_add(&client, &client.tls.alpn, alpn_case[_i].client[i]);
		for (int i = 0; i < 3 && alpn_case[_i].server[i] != NULL; i++)
			pair_list_add(&server, &server.tls.alpn, alpn_case[_i].server[i]);
		/* Also across a HelloRetryRequest. */
		pair_list_add(&server, &server.tls.groups, "secp384r1");
		pair = run_pair("server.test");
		ck_assert_str_eq(tls_handshake_result(pair->client)->alpn, alpn_case[_i].want);
		ck_assert_str_eq(tls_handshake_result(pair->server)->alpn, alpn_case[_i].want);
		pair_free(pair);
	}
}
END_TEST

static const struct {
	const char *cert, *name, *server_name, *pin;
	enum policy_verify verify;
	const char *want_verify, *want_sni;
} trust_case[] = {
	{ "server", "server.test", NULL, NULL, POLICY_VERIFY_FULL, "ok", "server.test" },
	{ "server", "SERVER.Test.", NULL, NULL, POLICY_VERIFY_FULL, "ok", "SERVER.Test" },
	{ "server", "a.wild.test", NULL, NULL, POLICY_VERIFY_FULL, "ok", "a.wild.test" },
	{ "server", "127.0.0.1", NULL, NULL, POLICY_VERIFY_FULL, "ok", "" },
	{ "server", "::1", NULL, NULL, POLICY_VERIFY_FULL, "ok", "" },
	{ "server", "0:0:0::1%lo", NULL, NULL, POLICY_VERIFY_FULL, "ok", "" },
	{ "server", "127.0.0.1", "server.test", NULL, POLICY_VERIFY_FULL, "ok", "server.test" },
	{ "server", "other.test", NULL, NULL, POLICY_VERIFY_CHAIN, "chain", "other.test" },
	{ "server", NULL, NULL, NULL, POLICY_VERIFY_CHAIN, "chain", "" },
	{ "selfsigned", "other.test", NULL, NULL, POLICY_VERIFY_NONE, "none", "other.test" },
	{ "expired", NULL, NULL, NULL, POLICY_VERIFY_NONE, "none", "" },
	{ "server", "server.test", NULL, "server.pin", POLICY_VERIFY_FULL, "ok", "server.test" },
	{ "server", NULL, NULL, "server.pin", POLICY_VERIFY_NONE, "pin", "" },
	{ "server", NULL, NULL, "server.pin", POLICY_VERIFY_CHAIN, "chain", "" },
	{ "below", "server.test", NULL, "intermediate.pin", POLICY_VERIFY_FULL, "ok",
		"server.test" },
	{ "below", "server.test", NULL, "ca.pin", POLICY_VERIFY_FULL, "ok", "server.test" },
	{ "server", NULL, NULL, "ca.pin", POLICY_VERIFY_CHAIN, "chain", "" },
	{ "below", "server.test", NULL, "below-alone.pin", POLICY_VERIFY_FULL, "ok",
		"server.test" },
};

START_TEST(trust_is_found)
{
	for (int version = POLICY_TLS12; version <= POLICY_TLS13; version++) {
		struct pair *pair;

		teardown();
		setup();
		pair_settings_clear(&server);
		pair_settings_init(&server, trust_case[_i].cert);
		client.tls.max_version = version;
		client.tls.verify = trust_case[_i].verify;
		client.tls.server_name = (char *)(uintptr_t)trust_case[_i].server_name;
		if (trust_case[_i].pin != NULL)
			pair_pin(&client, trust_case[_i].pin);
		pair = run_pair(trust_case[_i].name);
		ck_assert_str_eq(
			tls_handshake_result(pair->client)->verify, trust_case[_i].want_verify);
		ck_assert_str_eq(
			tls_handshake_result(pair->server)->server_name, trust_case[_i].want_sni);
		pair_free(pair);
	}
}
END_TEST

/* A self-signed certificate is trusted when it is named itself. */
START_TEST(selfsigned_can_be_trusted)
{
	struct pair *pair;

	pair_settings_clear(&server);
	pair_settings_init(&server, "selfsigned");
	pair_list_add(&client, &client.tls.ca, pair_path("selfsigned.pem"));
	pair = run_pair("server.test");
	ck_assert_str_eq(tls_handshake_result(pair->client)->verify, "ok");
	pair_free(pair);
}
END_TEST

START_TEST(untouched_until_the_first_byte)
{
	struct pair *pair = pair_new(&client, &server, "server.test");

	ck_assert(tls_handshake_untouched(pair->client));
	ck_assert(tls_handshake_untouched(pair->server));
	ck_assert_int_eq(tls_handshake_step(pair->server), -EAGAIN);
	ck_assert_int_eq(tls_handshake_events(pair->server), POLLIN);
	ck_assert(tls_handshake_untouched(pair->server));
	pair->client_end.stutter = 1;
	ck_assert_int_eq(tls_handshake_step(pair->client), -EAGAIN);
	ck_assert_int_eq(tls_handshake_events(pair->client), POLLOUT);
	pair->client_end.stutter = 0;
	ck_assert_int_eq(tls_handshake_step(pair->client), -EAGAIN);
	ck_assert_int_eq(tls_handshake_events(pair->client), POLLIN);
	ck_assert(!tls_handshake_untouched(pair->client));
	ck_assert_int_eq(tls_handshake_step(pair->server), -EAGAIN);
	ck_assert(!tls_handshake_untouched(pair->server));
	pair_free(pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake");
	TCase *tcase = tcase_create("handshake");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(
		tcase, suite_is_negotiated, 0, sizeof suite_case / sizeof suite_case[0]);
	tcase_add_loop_test(
		tcase, group_is_negotiated, 0, sizeof group_case / sizeof group_case[0]);
	tcase_add_loop_test(
		tcase, delivery_does_not_matter, 0, sizeof delivery_case / sizeof delivery_case[0]);
	tcase_add_loop_test(tcase, nothing_is_read_ahead, 0, 2);
	tcase_add_loop_test(tcase, client_certificate_is_known, 0,
		sizeof client_cert_case / sizeof client_cert_case[0]);
	tcase_add_loop_test(tcase, alpn_is_negotiated, 0, sizeof alpn_case / sizeof alpn_case[0]);
	tcase_add_loop_test(tcase, trust_is_found, 0, sizeof trust_case / sizeof trust_case[0]);
	tcase_add_test(tcase, peer_is_described);
	tcase_add_test(tcase, selfsigned_can_be_trusted);
	tcase_add_test(tcase, untouched_until_the_first_byte);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
