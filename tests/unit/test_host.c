/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies and credentials that change under load: nobody loses what it uses, and nothing grows.
 * Under the sanitizers what is used after its end, or never freed, is found. */
#include "host.h"
#include "libc.h"
#include "tls_pair.h"
#include "variables.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 1000
#define GROWTH_MOST (256 << 10)

/* Files are looked at once a second, and of a test that is too seldom. */
static _Atomic int seconds;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	long r = syscall(SYS_clock_gettime, clock, out);

	if (clock == CLOCK_MONOTONIC_COARSE)
		out->tv_sec += atomic_fetch_add(&seconds, 2);
	return (int)r;
}

static char policy_path[PATH_MAX];

static void write_whole(const char *path, const char *text)
{
	char beside[PATH_MAX + 8];
	FILE *file;

	snprintf(beside, sizeof beside, "%s.new", path);
	file = fopen(beside, "we");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(beside, path), 0);
}

static void link_to(const char *target, const char *name)
{
	char path[PATH_MAX], beside[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s", pair_path(name));
	snprintf(beside, sizeof beside, "%s.new", path);
	unlink(beside);
	ck_assert_int_eq(symlink(target, beside), 0);
	ck_assert_int_eq(rename(beside, path), 0);
}

/* Every third policy has another name for the rule, every second other settings. */
static void write_policy(int round)
{
	char text[2 * PATH_MAX];

	snprintf(text, sizeof text,
		"[rule \"web%d\"]\nlocal_port = 8443\naction = tls\ncert = current.pem\nkey = "
		"current.key\nhandshake_timeout = %d\n[rule \"out\"]\ndirection = "
		"outbound\nremote_port = 443\naction = "
		"tls\nca = ca.pem\n",
		round % 3 == 0, 1 + round % 2);
	write_whole(policy_path, text);
}

static const struct policy_rule *decide(enum policy_direction direction)
{
	struct policy_query query = { .direction = direction };
	struct policy_decision decision;

	query.local.family = query.remote.family = 2;
	query.local.port = direction == POLICY_INBOUND ? 8443 : 0;
	query.remote.port = 443;
	host_decide(&query, &decision);
	ck_assert_int_eq(decision.action, POLICY_TLS);
	return decision.rule;
}

static ssize_t no_bytes(void *arg, void *buf, size_t len)
{
	(void)arg;
	(void)buf;
	(void)len;
	return -EAGAIN;
}

static ssize_t all_bytes(void *arg, const void *buf, size_t len)
{
	(void)arg;
	(void)buf;
	return (ssize_t)len;
}

/* What a connection holds, from its decision to its end. */
static void connection(enum policy_direction direction)
{
	const struct policy_rule *rule = decide(direction);
	enum tls_role role = direction == POLICY_INBOUND ? TLS_SERVER : TLS_CLIENT;
	struct tls_transport transport = { no_bytes, all_bytes, NULL };
	struct tls_handshake *handshake;
	struct tls_context *context;
	char why[TLS_REASON_MAX] = "";

	context = host_context(rule, role, why, sizeof why);
	ck_assert_msg(context != NULL, "%s", why);
	ck_assert_int_eq(tls_handshake_new(context, "server.test", &transport, &handshake), 0);
	tls_context_free(context);
	ck_assert_int_eq(tls_handshake_step(handshake), -EAGAIN);
	ck_assert_str_ne(rule->name, "");
	tls_handshake_free(handshake);
	host_release(rule);
}

static _Atomic bool done;

static void *connections(void *arg)
{
	while (!atomic_load(&done))
		connection(arg != NULL ? POLICY_INBOUND : POLICY_OUTBOUND);
	return NULL;
}

static void set_up(void)
{
	link_to("server.pem", "current.pem");
	link_to("server.key", "current.key");
	snprintf(policy_path, sizeof policy_path, "%s", pair_path("policy.conf"));
	write_policy(0);
	setenv("SEAMTLS_POLICY", policy_path, 1);
	setenv("SEAMTLS_AUDIT", "none", 1);
	/* As the library's constructor does. */
	libc_init();
	variables_learn(environ);
	host_started();
	ck_assert(host_has_policy());
}

static void change(int round)
{
	static const char *const certs[][2] = { { "server.pem", "server.key" },
		{ "rsa-server.pem", "rsa-server.key" } };

	if (round % 2 == 0) {
		write_policy(round / 2);
		return;
	}
	/* One after the other: there is a moment in which they are no pair. */
	link_to(certs[round / 2 % 2][0], "current.pem");
	link_to(certs[round / 2 % 2][1], "current.key");
}

START_TEST(nothing_grows_and_nothing_is_lost)
{
	const struct policy_rule *held;
	struct tls_context *old;
	pthread_t thread[2];
	char why[TLS_REASON_MAX];
	size_t before = 0;

	set_up();
	held = decide(POLICY_INBOUND);
	old = host_context(held, TLS_SERVER, why, sizeof why);
	ck_assert_ptr_nonnull(old);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, connections, i == 0 ? NULL : why), 0);
	for (int round = 0; round < ROUNDS; round++) {
		if (round == ROUNDS / 10)
			before = mallinfo2().uordblks;
		change(round);
		connection(round % 4 < 2 ? POLICY_INBOUND : POLICY_OUTBOUND);
	}
	atomic_store(&done, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_lt(mallinfo2().uordblks, before + GROWTH_MOST);
	/* The first of all is as it was. */
	ck_assert_str_eq(held->name, "web1");
	ck_assert_int_gt(tls_context_days_left(old), 0);
	tls_context_free(old);
	host_release(held);
}
END_TEST

/* A rule keeps its context over a change of another; one whose settings change gets a new one. */
START_TEST(context_is_taken_over_if_it_may)
{
	const struct policy_rule *rule[3];
	struct tls_context *context[3];
	char why[TLS_REASON_MAX];

	set_up();
	for (int i = 0; i < 3; i++) {
		write_policy(i + 1); /* the same name but for the third; another timeout each */
		rule[i] = decide(POLICY_OUTBOUND);
		context[i] = host_context(rule[i], TLS_CLIENT, why, sizeof why);
		ck_assert_ptr_nonnull(context[i]);
	}
	ck_assert_ptr_ne(rule[0], rule[1]);
	ck_assert_ptr_eq(context[0], context[1]);
	ck_assert_ptr_eq(context[1], context[2]);
	for (int i = 0; i < 3; i++) {
		host_release(rule[i]);
		tls_context_free(context[i]);
	}
}
END_TEST

START_TEST(other_settings_make_another_context)
{
	const struct policy_rule *rule[2];
	struct tls_context *context[2];
	char why[TLS_REASON_MAX];

	set_up();
	for (int i = 0; i < 2; i++) {
		write_policy(i + 1);
		rule[i] = decide(POLICY_INBOUND);
		context[i] = host_context(rule[i], TLS_SERVER, why, sizeof why);
		ck_assert_ptr_nonnull(context[i]);
	}
	ck_assert_str_eq(rule[0]->name, rule[1]->name);
	ck_assert_ptr_ne(context[0], context[1]);
	for (int i = 0; i < 2; i++) {
		host_release(rule[i]);
		tls_context_free(context[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("host");
	TCase *tcase = tcase_create("host");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, nothing_grows_and_nothing_is_lost);
	tcase_add_test(tcase, context_is_taken_over_if_it_may);
	tcase_add_test(tcase, other_settings_make_another_context);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
