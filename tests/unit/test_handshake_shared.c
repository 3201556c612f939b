/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What handshakes of one context have in common, and what they must not. */
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct pair_settings client, server;

static void setup(void)
{
	pair_settings_init(&client, NULL);
	pair_settings_init(&server, "below");
}

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}

/* A chain that lacks its intermediate does not become good because another server has sent that. */
START_TEST(intermediates_are_forgotten)
{
	struct pair *complete = pair_new(&client, &server, "server.test"), *incomplete;
	struct tls_transport transport;

	pair_run(complete);
	ck_assert_int_eq(complete->client_result, 0);
	tls_handshake_free(complete->client);
	complete->client = NULL;
	pair_settings_clear(&server);
	pair_settings_init(&server, "below-alone");
	incomplete = pair_new(&client, &server, "server.test");
	tls_handshake_free(incomplete->client);
	transport = (struct tls_transport){ pair_recv, pair_send, &incomplete->client_end };
	ck_assert_int_eq(tls_handshake_new(complete->client_context, "server.test", &transport,
				 &incomplete->client),
		0);
	pair_run(incomplete);
	ck_assert_int_eq(incomplete->client_result, -EKEYREJECTED);
	pair_free(incomplete);
	pair_free(complete);
}
END_TEST

#define THREADS 4
#define ROUNDS 25

static struct tls_context *client_context, *server_context;

static void *shake_hands(void *done)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct pair *pair = calloc(1, sizeof *pair);
		struct tls_transport to_server = { pair_recv, pair_send, &pair->client_end };
		struct tls_transport to_client = { pair_recv, pair_send, &pair->server_end };

		pair->client_end.in = pair->server_end.out = &pair->to_client;
		pair->client_end.out = pair->server_end.in = &pair->to_server;
		tls_handshake_new(client_context, "server.test", &to_server, &pair->client);
		tls_handshake_new(server_context, NULL, &to_client, &pair->server);
		pair_run(pair);
		*(int *)done += pair->client_result == 0 && pair->server_result == 0;
		pair_free(pair);
	}
	return NULL;
}

START_TEST(threads_share_contexts)
{
	struct pair *pair = pair_new(&client, &server, "server.test");
	pthread_t thread[THREADS];
	int done[THREADS] = { 0 };

	client_context = pair->client_context;
	server_context = pair->server_context;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, shake_hands, &done[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		ck_assert_int_eq(done[i], ROUNDS);
	}
	pair_free(pair);
}
END_TEST

/* The settings may go away when the context is there. */
START_TEST(context_keeps_its_own_settings)
{
	struct pair *pair;

	client.tls.server_name = strdup("server.test");
	pair_pin(&client, "intermediate.pin");
	pair_list_add(&client, &client.tls.alpn, "h2");
	pair_list_add(&server, &server.tls.alpn, "h2");
	pair = pair_new(&client, &server, "other.test");
	memset(client.pin, 0, sizeof client.pin);
	memset(client.tls.server_name, 'x', 6);
	free(client.tls.server_name);
	teardown();
	pair_run(pair);
	ck_assert_int_eq(pair->client_result, 0);
	ck_assert_int_eq(pair->server_result, 0);
	ck_assert_str_eq(tls_handshake_result(pair->server)->alpn, "h2");
	pair_free(pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake_shared");
	TCase *tcase = tcase_create("handshake_shared");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, intermediates_are_forgotten);
	tcase_add_test(tcase, threads_share_contexts);
	tcase_add_test(tcase, context_keeps_its_own_settings);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
