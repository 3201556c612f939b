/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns of allow_peer against certificates. */
#include "cert_chain.h"
#include "tls/allow.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *pattern, *text;
	bool want;
} text_case[] = {
	{ "a", "a", true },
	{ "a", "A", false },
	{ "a", "", false },
	{ "", "a", false },
	{ "a", "aa", false },
	{ "*", "a", true },
	{ "*", "", false },
	{ "*", "a/b", false },
	{ "a/*", "a/b", true },
	{ "a/*", "a/", false },
	{ "a/*", "a/b/c", false },
	{ "s://x/ns/*/sa/web", "s://x/ns/prod/sa/web", true },
	{ "s://x/ns/*/sa/web", "s://x/ns//sa/web", false },
	{ "s://x/ns/*/sa/web", "s://x/ns/a/b/sa/web", false },
	{ "s://x/ns/*/sa/web", "s://x/ns/a/sa/web/b", false },
	{ "s://x/ns/*/sa/*", "s://x/ns/a/sa/b", true },
	{ "s://x/ns/*/sa/*", "s://x/ns/a/sa/b/sa/c", false },
	{ "a*c", "abc", true },
	{ "a*c", "ac", false },
	{ "a*c", "abcbc", true },
	{ "a*c", "ab/c", false },
	{ "*a*a", "xaaya", true },
	{ "*//*", "x//y", true },
	{ "*//*", "x///y", false },
	{ "**", "ab", true },
	{ "**", "a", false },
};

START_TEST(text_matches_or_not)
{
	struct x509_bytes text = { (const uint8_t *)text_case[_i].text,
		strlen(text_case[_i].text) };

	ck_assert_msg(allow_text_matches(text_case[_i].pattern, text) == text_case[_i].want,
		"%s: %s", text_case[_i].pattern, text_case[_i].text);
}
END_TEST

START_TEST(nul_is_a_byte)
{
	struct x509_bytes text = { (const uint8_t *)"a\0evil", 6 };

	ck_assert(!allow_text_matches("a", text));
	ck_assert(!allow_text_matches("a*l", (struct x509_bytes){ (const uint8_t *)"a\0/l", 4 }));
}
END_TEST

static const struct {
	const char *cert, *pattern;
	bool want;
} cert_case[] = {
	{ "server.pem", "dns:server.test", true },
	{ "server.pem", "dns:*.test", true },
	{ "server.pem", "dns:*.wild.test", true }, /* for the name with the * itself */
	{ "server.pem", "dns:a.wild.test", false },
	{ "server.pem", "dns:other.test", false },
	{ "server.pem", "dns:test", false },
	{ "server.pem", "dns:xserver.test", false },
	{ "server.pem", "ip:127.0.0.1", true },
	{ "server.pem", "ip:127.0.0.0/8", true },
	{ "server.pem", "ip:127.0.0.0/31", true },
	{ "server.pem", "ip:127.0.0.2/31", false },
	{ "server.pem", "ip:0.0.0.0/0", true },
	{ "server.pem", "ip:10.0.0.0/8", false },
	{ "server.pem", "ip:::1", true },
	{ "server.pem", "ip:fe80::/10", false },
	{ "server.pem", "uri:server.test", false },
	{ "server.pem", "cn:server.test", true },
	{ "server.pem", "cn:*", true },
	{ "server.pem", "cn:server", false },
	{ "server.pem", "cn:seamtls", false },
	{ "client.pem", "uri:spiffe://test/client", true },
	{ "client.pem", "uri:spiffe://test/*", true },
	{ "client.pem", "uri:spiffe://test/", false },
	{ "client.pem", "uri:spiffe://other/client", false },
	{ "client.pem", "email:client@test", true },
	{ "client.pem", "email:*@test", true },
	{ "client.pem", "email:Client@test", false },
	{ "client.pem", "email:lient@test", false },
	{ "client.pem", "email:*@est", false },
	{ "client.pem", "dns:client.test", false },
	{ "client.pem", "sha256:0000000000000000000000000000000000000000000000000000000000000000",
		false },
	{ "nameless.pem", "cn:nameless.test", true },
	{ "nameless.pem", "dns:nameless.test", false },
};

START_TEST(certificate_matches_or_not)
{
	char *items[] = { strdup("dns:elsewhere"), strdup(cert_case[_i].pattern) };
	struct policy_list patterns = { 2, items };
	struct cert_chain sent;
	struct chain chain;

	cert_chain_read(&sent, pair_path(cert_case[_i].cert));
	chain_init(&chain, sent.sent, sent.count);
	ck_assert_uint_gt(chain.count, 0);
	ck_assert_msg(allow_matches(&patterns, &chain.link[0]) == cert_case[_i].want, "%s: %s",
		cert_case[_i].cert, cert_case[_i].pattern);
	cert_chain_clear(&sent);
	free(items[0]);
	free(items[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("allow");
	TCase *tcase = tcase_create("allow");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_loop_test(tcase, text_matches_or_not, 0, sizeof text_case / sizeof text_case[0]);
	tcase_add_test(tcase, nul_is_a_byte);
	tcase_add_loop_test(
		tcase, certificate_matches_or_not, 0, sizeof cert_case / sizeof cert_case[0]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
