/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates that are wrong in one thing each: what we say of them by ourselves, and that a
 * handshake with them fails. */
#include "cert_chain.h"
#include "tls/judge.h"
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

static const struct {
	const char *cert;
	int alert;       /* 0: it is trusted */
	const char *why; /* what we say by ourselves */
	const char *
		reason; /* what is said in a handshake, where wolfSSL comes first; NULL: the same */
	const char *ca; /* NULL: ca.pem */
} judge_case[] = {
	{ "server", 0, "ok", NULL, NULL },
	{ "any-usage", 0, "ok", NULL, NULL },
	{ "uncritical", 0, "ok", NULL, NULL },
	{ "below-server-ca", 0, "ok", NULL, NULL },
	{ "below-last-ca", 0, "ok", NULL, NULL },
	{ "pss", 0, "ok", NULL, NULL },
	{ "below-pss-ca", 0, "ok", NULL, NULL },
	{ "below-ed-ca", 0, "ok", NULL, NULL },
	{ "below-deep", 0, "ok", NULL, NULL },
	{ "two-issuers", 0, "ok", NULL, NULL },
	{ "nc-dns-permitted", 0, "ok", NULL, NULL },
	{ "nc-email", 0, "ok", NULL, NULL },
	{ "nc-uri", 0, "ok", NULL, NULL },
	{ "forged", 42,
		"certificate is not signed by 'CN=pss-ca.test,O=seamtls', as it says: the "
		"signature is "
		"wrong",
		NULL, NULL },
	{ "forged-below-ca", 42,
		"certificate is not signed by 'CN=ca,O=seamtls\\, test', as it says", NULL, NULL },
	{ "sha1", 42, "certificate is signed with SHA-1", NULL, NULL },
	{ "sha1-rsa", 42, "certificate is signed with SHA-1", NULL, NULL },
	{ "md5", 42, "certificate is signed with MD5", NULL, NULL },
	{ "rsa1024", 42,
		"certificate is not acceptable: its RSA key has only 1024 bits: 2048 are needed",
		NULL, NULL },
	/* Ours does not even offer such a signature. */
	{ "p224", 42, "its elliptic-curve key has only 224 bits: 256 are needed", "", NULL },
	{ "other-usage", 42, "its extended key usage is not that of a TLS server", NULL, NULL },
	{ "no-signature", 42, "its key usage does not allow signatures", NULL, NULL },
	{ "below-weak-ca", 42,
		"the CA certificate 'CN=weak-ca.test,O=seamtls' is not acceptable: its RSA key has "
		"only 1024",
		NULL, NULL },
	{ "below-sha1-ca", 42,
		"the CA certificate 'CN=sha1-ca.test,O=seamtls' is signed with SHA-1", NULL, NULL },
	{ "below-no-ca", 48, "the CA certificate 'CN=no-ca.test,O=seamtls' is not that of a CA",
		NULL, NULL },
	{ "below-no-sign-ca", 42, "key usage does not allow it to sign certificates", NULL, NULL },
	{ "below-too-low-ca", 48, "it allows 0 CAs below it, and there are 1", NULL, NULL },
	{ "below-client-ca", 42, "its extended key usage is not that of a TLS server's CA", NULL,
		NULL },
	{ "below-weak-root", 42,
		"the trusted CA 'CN=weak-root' is not acceptable: its RSA key has only 1024", NULL,
		"weak-root.crt" },
	{ "nc-dns-other", 42, "", "name", NULL },
	{ "nc-dns-excluded", 42, "", "name", NULL },
	{ "nc-ip-other", 42, "", "name", NULL },
	{ "nc-ip-excluded", 42, "", "name", NULL },
	{ "nc-uri-other", 42, "", "name", NULL },
	{ "nc-uri-excluded", 42, "", "name", NULL },
};

static void use_case(size_t i)
{
	pair_settings_init(&client, NULL);
	pair_settings_init(&server, judge_case[i].cert);
	if (judge_case[i].ca != NULL) {
		pair_list_clear(&client.tls.ca);
		pair_list_add(&client, &client.tls.ca, pair_path(judge_case[i].ca));
	}
}

START_TEST(certificates_are_judged)
{
	struct tls_context *context;
	struct cert_chain sent;
	struct chain *chain = malloc(sizeof *chain);
	char why[TLS_REASON_MAX], path[64];
	struct evidence evidence;
	struct why say = { why, sizeof why, NULL };
	int alert;

	use_case(_i);
	snprintf(path, sizeof path, "%s.pem", judge_case[_i].cert);
	cert_chain_read(&sent, pair_path(path));
	evidence = (struct evidence){ sent.sent, sent.count, "server.test" };
	ck_assert_int_eq(tls_context_new(&client.tls, TLS_CLIENT, &context, why, sizeof why), 0);
	alert = judge_peer(context, &evidence, chain, &say);
	/* What wolfSSL alone sees to is no matter of ours. */
	if (judge_case[_i].why[0] != '\0') {
		ck_assert_msg(alert == judge_case[_i].alert, "%s: alert %d: %s",
			judge_case[_i].cert, alert, why);
		ck_assert_msg(strstr(why, judge_case[_i].why) != NULL, "%s: '%s'",
			judge_case[_i].cert, why);
	}
	/* Of two that fit by name, the one that has signed. */
	if (strcmp(judge_case[_i].cert, "two-issuers") == 0) {
		ck_assert_uint_eq(chain->count, 2);
		ck_assert_uint_eq(chain->link[1].sent, 2);
	}
	cert_chain_clear(&sent);
	free(chain);
	tls_context_free(context);
}
END_TEST

START_TEST(handshakes_end_so)
{
	const char *reason =
		judge_case[_i].reason != NULL ? judge_case[_i].reason : judge_case[_i].why;
	const struct tls_result *result;
	struct pair *pair;

	use_case(_i);
	pair = pair_new(&client, &server, "server.test");
	pair_run(pair);
	result = tls_handshake_result(pair->client);
	ck_assert_msg((pair->client_result == 0) == (judge_case[_i].alert == 0), "%s: %d, %s",
		judge_case[_i].cert, pair->client_result, result->reason);
	if (pair->client_result != 0 && reason[0] != '\0') {
		ck_assert_msg(strstr(result->reason, reason) != NULL, "%s: '%s'",
			judge_case[_i].cert, result->reason);
		ck_assert_msg(result->alert_sent == judge_case[_i].alert, "%s: alert %d",
			judge_case[_i].cert, result->alert_sent);
	}
	pair_free(pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("judge");
	TCase *tcase = tcase_create("judge");
	SRunner *runner = srunner_create(suite);
	size_t count = sizeof judge_case / sizeof judge_case[0];
	int failed;

	pair_make_certs();
	pair_make_more("./make_hostile_certs.sh");
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(tcase, certificates_are_judged, 0, (int)count);
	tcase_add_loop_test(tcase, handshakes_end_so, 0, (int)count);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
