/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Peers and networks that do not keep to it; and what a handshake must not do to its host program.
 */
#include "tls/context_private.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void put(struct pair_queue *queue, const void *bytes, size_t len)
{
	memcpy(queue->bytes + queue->tail, bytes, len);
	queue->tail += len;
}

static const struct {
	const char *bytes;
	size_t len;
	const char *want;
} plain_case[] = {
	{ "HTTP/1.1 400 Bad Request\r\nServer: x\r\n", 37,
		"the peer does not speak TLS: it sent 'HTTP/1.1 400 Bad Request'" },
	{ "220 mail.test ESMTP\r\n", 21, "it sent '220 mail.test ESMTP'" },
	{ "SSH-2.0-OpenSSH\n", 16, "it sent 'SSH-2.0-OpenSSH'" },
	{ "GET / HTTP/1.0\r\n\r\n", 18, "it sent 'GET / HTTP/1.0'" },
	{ "*1\r\n$4\r\nPING\r\n", 14, "it sent '*1'" },
	{ "x", 1, "it sent 'x'" },
	{ "\x80\x2e\x01\x00\x02", 5, "it sent the bytes 80 2e 01 00 02" },
	{ "\x16\x02\x00\x00\x05", 5, "it sent the bytes 16 02 00 00 05" },
	{ "a\x1b[31mb", 7, "it sent the bytes 61 1b 5b 33 31 6d 62" },
	{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 70,
		"it sent 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'" },
};

START_TEST(plaintext_is_named)
{
	struct pair *pair = pair_new(&client, &server, "server.test");

	put(&pair->to_server, plain_case[_i].bytes, plain_case[_i].len);
	ck_assert_int_eq(tls_handshake_step(pair->server), -EPROTO);
	ck_assert_ptr_nonnull(
		strstr(tls_handshake_result(pair->server)->reason, plain_case[_i].want));
	ck_assert_uint_eq(pair->to_client.tail, 0);
	/* It speaks first, and hears at its next step. */
	ck_assert_int_eq(tls_handshake_step(pair->client), -EAGAIN);
	put(&pair->to_client, plain_case[_i].bytes, plain_case[_i].len);
	ck_assert_int_eq(tls_handshake_step(pair->client), -EPROTO);
	ck_assert_ptr_nonnull(
		strstr(tls_handshake_result(pair->client)->reason, plain_case[_i].want));
	/* It stays so. */
	ck_assert_int_eq(tls_handshake_step(pair->client), -EPROTO);
	pair_free(pair);
}
END_TEST

START_TEST(a_name_is_needed)
{
	struct pair *pair = pair_new(&client, &server, NULL);

	ck_assert_int_eq(tls_handshake_step(pair->client), -EKEYREJECTED);
	ck_assert_ptr_nonnull(
		strstr(tls_handshake_result(pair->client)->reason, "set server_name in the rule"));
	ck_assert_uint_eq(pair->to_server.tail, 0);
	pair_free(pair);
}
END_TEST

/* A peer that chooses what was not offered: as seen from a client that does not know what it has
 * offered. */
START_TEST(other_group_is_refused)
{
	struct pair *pair;

	client.tls.max_version = _i == 0 ? POLICY_TLS13 : POLICY_TLS12;
	pair_list_add(&client, &client.tls.groups, "x25519");
	pair = pair_new(&client, &server, "server.test");
	pair->client_context->groups[0] = WOLFSSL_ECC_SECP384R1;
	pair_run(pair);
	ck_assert_int_eq(pair->client_result, -EPROTO);
	ck_assert_ptr_nonnull(strstr(tls_handshake_result(pair->client)->reason,
		"no group for the key exchange in common"));
	pair_free(pair);
}
END_TEST

/* How long both streams of a good handshake are. */
static void measure(size_t *to_client, size_t *to_server)
{
	struct pair *pair = pair_new(&client, &server, "server.test");

	pair_run(pair);
	ck_assert_int_eq(pair->client_result, 0);
	*to_client = pair->to_client.tail;
	*to_server = pair->to_server.tail;
	pair_free(pair);
}

static const int end_case[] = { 0, -ECONNRESET, -ETIMEDOUT, -EPIPE };

/* The stream ends after so many bytes: near each place once, and everywhere in the first header. */
START_TEST(truncation_is_noticed)
{
	size_t to_client, to_server;
	int want = end_case[_i] == 0 || end_case[_i] == -EPIPE ? -ECONNRESET : end_case[_i];

	client.tls.max_version = server.tls.max_version = _i % 2 == 0 ? POLICY_TLS13 : POLICY_TLS12;
	measure(&to_client, &to_server);
	for (size_t cut = 1; cut < to_client + to_server - 16; cut += cut < 6 ? 1 : 59) {
		struct pair *pair = pair_new(&client, &server, "server.test");
		bool at_client = cut < to_client;
		const struct tls_result *result;

		/* The sizes of signatures differ by a few bytes: the last are left out. */
		if (at_client && cut > to_client - 16) {
			pair_free(pair);
			continue;
		}
		(at_client ? &pair->to_client : &pair->to_server)->cut =
			at_client ? cut : cut - to_client + 1;
		(at_client ? &pair->to_client : &pair->to_server)->error = end_case[_i];
		pair_run(pair);
		result = tls_handshake_result(at_client ? pair->client : pair->server);
		ck_assert_msg((at_client ? pair->client_result : pair->server_result) == want,
			"%zu: client %d, server %d: %s", cut, pair->client_result,
			pair->server_result, result->reason);
		ck_assert_ptr_nonnull(strstr(result->reason, "during the handshake"));
		ck_assert_int_eq(result->by_peer, want == -ECONNRESET);
		pair_free(pair);
	}
}
END_TEST

/* A bit is wrong somewhere: it is noticed, or does not matter, and then both have the same keys. */
START_TEST(corruption_is_harmless)
{
	size_t to_client, to_server;

	client.tls.max_version = _i % 2 == 0 ? POLICY_TLS13 : POLICY_TLS12;
	measure(&to_client, &to_server);
	for (size_t at = 0; at < (_i < 2 ? to_client : to_server); at += 31) {
		struct pair *pair = pair_new(&client, &server, "server.test");
		struct pair_queue *queue = _i < 2 ? &pair->to_client : &pair->to_server;
		bool done = false;

		for (int step = 0; step < 100; step++) {
			pair->client_result = tls_handshake_step(pair->client);
			pair->to_server.closed |=
				pair->client_result != -EAGAIN && pair->client_result != 0;
			if (!done && queue->tail > at) {
				queue->bytes[at] ^= 1u << (at % 8);
				done = true;
			}
			pair->server_result = tls_handshake_step(pair->server);
			pair->to_client.closed |=
				pair->server_result != -EAGAIN && pair->server_result != 0;
			if (!done && queue->tail > at) {
				queue->bytes[at] ^= 1u << (at % 8);
				done = true;
			}
			/* A length that became larger makes one side wait for ever, as it should:
			 * until the timeout. */
			if (step == 50)
				pair->to_client.closed = pair->to_server.closed = true;
		}
		ck_assert_int_ne(pair->client_result, -EAGAIN);
		ck_assert_int_ne(pair->server_result, -EAGAIN);
		if (pair->client_result == 0 && pair->server_result == 0)
			pair_check_data(pair);
		pair_free(pair);
	}
}
END_TEST

/* Records that are allowed one by one, without end. */
START_TEST(flood_is_bounded)
{
	static const uint8_t change[] = { 20, 3, 3, 0, 1, 1 }, empty[] = { 22, 3, 3, 0, 0 },
			     warning[] = { 21, 3, 3, 0, 2, 1, 112 };
	static const struct {
		const uint8_t *record;
		size_t len;
	} flood[] = { { change, sizeof change }, { empty, sizeof empty },
		{ warning, sizeof warning } };
	struct pair *pair = pair_new(&client, &server, "server.test");
	int client_result = -EAGAIN, server_result = -EAGAIN;

	for (size_t sent = 0;
		sent < 1u << 20 && (client_result == -EAGAIN || server_result == -EAGAIN);
		sent += flood[_i].len) {
		pair->to_client.head = pair->to_client.tail = pair->to_server.head =
			pair->to_server.tail = 0;
		put(&pair->to_client, flood[_i].record, flood[_i].len);
		client_result = tls_handshake_step(pair->client);
		pair->to_server.head = pair->to_server.tail = 0;
		put(&pair->to_server, flood[_i].record, flood[_i].len);
		server_result = tls_handshake_step(pair->server);
	}
	ck_assert_int_ne(client_result, -EAGAIN);
	ck_assert_int_ne(server_result, -EAGAIN);
	pair_free(pair);
}
END_TEST

/* In a child: steps the copy of the parent's client and gives its ClientHello's random. */
static void send_random(struct pair *pair, int fd)
{
	tls_handshake_step(pair->client);
	/* Record header, handshake header, version. */
	if (write(fd, pair->to_server.bytes + 5 + 4 + 2, 32) != 32)
		_exit(1);
	_exit(0);
}

START_TEST(forked_children_do_not_share_randoms)
{
	struct pair *pair = pair_new(&client, &server, "server.test");
	uint8_t random[3][32];
	int fds[2], status;

	ck_assert_int_eq(pipe(fds), 0);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0)
			send_random(pair, fds[1]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_int_eq(read(fds[0], random[i], 32), 32);
	}
	tls_handshake_step(pair->client);
	memcpy(random[2], pair->to_server.bytes + 11, 32);
	ck_assert_mem_ne(random[0], random[1], 32);
	ck_assert_mem_ne(random[0], random[2], 32);
	ck_assert_mem_ne(random[1], random[2], 32);
	close(fds[0]);
	close(fds[1]);
	pair_free(pair);
}
END_TEST

static void *run_in_thread(void *pair)
{
	pair_run(pair);
	return NULL;
}

#define STACK_LIMIT (24u << 10) /* measured: 20 KiB */
/* What a sanitizer's runtime has of each stack for itself. */
#ifdef __SANITIZE_THREAD__
#define RUNTIME_STACK (1u << 20)
#else
#define RUNTIME_STACK 0u
#endif

/* Programs with small thread stacks exist. */
START_TEST(stack_is_enough)
{
	static const char *const certs[] = { "server", "rsa-server", "below", "ed-server" };
	size_t size = RUNTIME_STACK + (64u << 10), unused = 0;
	pthread_attr_t attr;
	pthread_t thread;
	struct pair *pair;
	uint8_t *stack =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(stack, MAP_FAILED);
	memset(stack, 0xa5, size);
	pair_settings_clear(&server);
	pair_settings_init(&server, certs[_i / 2]);
	pair_settings_clear(&client);
	pair_settings_init(&client, "rsa-client");
	server.tls.client_auth = POLICY_CLIENT_REQUIRED;
	client.tls.max_version = _i % 2 == 0 ? POLICY_TLS13 : POLICY_TLS12;
	pair = pair_new(&client, &server, "server.test");
	ck_assert_int_eq(pthread_attr_init(&attr), 0);
	ck_assert_int_eq(pthread_attr_setstack(&attr, stack, size), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, run_in_thread, pair), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	ck_assert_msg(pair->server_result == 0, "%s", tls_handshake_result(pair->server)->reason);
	while (unused < size && stack[unused] == 0xa5)
		unused++;
	ck_assert_msg(size - unused < RUNTIME_STACK + STACK_LIMIT, "%s: %zu bytes", certs[_i / 2],
		size - unused);
	munmap(stack, size);
	pair_free(pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake_hostile");
	TCase *tcase = tcase_create("handshake_hostile");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, plaintext_is_named, 0, sizeof plain_case / sizeof plain_case[0]);
	tcase_add_test(tcase, a_name_is_needed);
	tcase_add_loop_test(tcase, other_group_is_refused, 0, 2);
	tcase_add_loop_test(tcase, truncation_is_noticed, 0, sizeof end_case / sizeof end_case[0]);
	tcase_add_loop_test(tcase, corruption_is_harmless, 0, 4);
	tcase_add_loop_test(tcase, flood_is_bounded, 0, 3);
	tcase_add_test(tcase, forked_children_do_not_share_randoms);
	tcase_add_loop_test(tcase, stack_is_enough, 0, 8);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
