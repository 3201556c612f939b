/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Revocation lists: which are taken, what they say of a chain, and hostile ones. */
#include "cert_chain.h"
#include "tls/judge.h"
#include "tls/revocation.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>

static struct pair_settings settings;

static void teardown(void)
{
	pair_settings_clear(&settings);
}

static const struct {
	const char *crl[2];
	int want;
	const char *why;
} load_case[] = {
	{ { "ca-empty.crl" }, 0, "" },
	{ { "ca-expired.crl" }, 0, "" }, /* it is refused when it is needed */
	{ { "ca-server.der" }, 0, "" },
	{ { "both.crl" }, 0, "" },
	{ { "with-ca.crl" }, 0, "" },
	{ { "crls" }, 0, "" },
	{ { "crls", "ca-server.crl" }, 0, "" },
	{ { "ca.pem" }, -EINVAL, "no revocation list in '" },
	{ { "empty.pem" }, -EINVAL, "no revocation list in '" },
	{ { "garbage.pem" }, -EINVAL, "PEM or DER is expected" },
	{ { "server.der" }, -EINVAL, "no revocation list in '" },
	{ { "no-crls" }, -EINVAL, "no revocation list in the directory '" },
	{ { "empty-directory" }, -EINVAL, "no revocation list in the directory '" },
	{ { "missing.crl" }, -ENOENT, "cannot read the revocation list" },
	{ { "fifo" }, -EINVAL, "cannot read the revocation list" },
	{ { "broken.crl" }, -EINVAL, "broken.crl' cannot be parsed" },
	/* half written: what is missing may name the peer */
	{ { "cut.crl" }, -EINVAL, "cut.crl' is cut short" },
	{ { "second-cut.crl" }, -EINVAL, "second-cut.crl' is cut short" },
	{ { "behind-nul.crl" }, -EINVAL, "behind-nul.crl' is cut short" },
	{ { "crls-cut" }, -EINVAL, "two.crl', as it is called" },
	{ { "crls-dangling" }, -ENOENT, "9d66eef0.r0': " },
	{ { "ca-delta.crl" }, -ENOTSUP, "ca-delta.crl' is a delta: a whole one" },
	{ { "deltas" }, -ENOTSUP, "ca-delta.crl' is a delta" },
	{ { "ca-indirect.crl" }, -ENOTSUP, "is an indirect one" },
	{ { "ca-some.crl" }, -ENOTSUP, "is one of some reasons only" },
	{ { "ca-unknown.crl" }, -ENOTSUP, "critical extension that is not known" },
};

START_TEST(lists_are_loaded_or_refused)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX] = "";
	int r;

	pair_settings_init(&settings, NULL);
	for (size_t i = 0; i < 2 && load_case[_i].crl[i] != NULL; i++)
		pair_list_add(&settings, &settings.tls.crl, pair_path(load_case[_i].crl[i]));
	r = tls_context_new(&settings.tls, TLS_CLIENT, &context, why, sizeof why);
	ck_assert_msg(r == load_case[_i].want, "%d: %s", r, why);
	if (r < 0)
		ck_assert_msg(strstr(why, load_case[_i].why) != NULL, "'%s'", why);
	tls_context_free(context);
}
END_TEST

static const struct {
	const char *cert;
	const char *crl[2];
	enum policy_crl_check check;
	int alert;
	const char *why;
} check_case[] = {
	{ "server", { "ca-empty.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "server", { "ca-crl-number.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "server", { "ca-intermediate.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "server", { "ca-users.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "server", { "ca-server.crl" }, POLICY_CRL_REQUIRED, 44,
		"certificate is revoked: serial number " },
	{ "server", { "ca-server.crl" }, POLICY_CRL_AVAILABLE, 44,
		", on 2026-01-02 (key compromise)" },
	{ "server", { "ca-server.der" }, POLICY_CRL_REQUIRED, 44, "certificate is revoked" },
	{ "server", { "ca-many.crl" }, POLICY_CRL_REQUIRED, 44, "certificate is revoked" },
	{ "p384-server", { "ca-many.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "server", { "with-ca.crl" }, POLICY_CRL_REQUIRED, 44, "certificate is revoked" },
	/* several of one CA: what any of them says */
	{ "server", { "ca-empty.crl", "ca-server.crl" }, POLICY_CRL_REQUIRED, 44, "is revoked" },
	{ "server", { "ca-server-expired.crl", "ca-empty.crl" }, POLICY_CRL_REQUIRED, 44,
		"is revoked" },
	{ "server", { "ca-expired.crl", "ca-empty.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "server", { "ca-server-expired.crl" }, POLICY_CRL_AVAILABLE, 44, "is revoked" },
	{ "server", { "ca-expired.crl" }, POLICY_CRL_REQUIRED, 46,
		"the revocation list of 'CN=ca,O=seamtls\\, test' has expired on 2020-02-01" },
	{ "server", { "ca-expired.crl" }, POLICY_CRL_AVAILABLE, 0, "ok, revocation unknown" },
	{ "server", { "ca-early.crl" }, POLICY_CRL_REQUIRED, 46, "is not valid before 2098-01-01" },
	{ "server", { "other-empty.crl" }, POLICY_CRL_REQUIRED, 46,
		"there is no revocation list of 'CN=ca,O=seamtls\\, test' in crl" },
	{ "server", { "other-empty.crl" }, POLICY_CRL_AVAILABLE, 0, "ok, revocation unknown" },
	{ "server", { "ca-authorities.crl" }, POLICY_CRL_REQUIRED, 46, "there is no" },
	{ "server", { "ca-point.crl" }, POLICY_CRL_REQUIRED, 46, "there is no" },
	{ "server", { "ca-sha1.crl" }, POLICY_CRL_REQUIRED, 46, "is signed with SHA-1" },
	{ "server", { "forged.crl" }, POLICY_CRL_REQUIRED, 46, "is not signed by it" },
	{ "server", { "forged-server.crl", "ca-empty.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	/* intermediates too, each by its own issuer */
	{ "below", { "both.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "below", { "crls" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "below", { "ca-users.crl", "below-empty.crl" }, POLICY_CRL_REQUIRED, 46,
		"there is no revocation list of 'CN=ca," },
	{ "below", { "ca-authorities.crl", "below-empty.crl" }, POLICY_CRL_REQUIRED, 0, "ok" },
	{ "below", { "ca-empty.crl" }, POLICY_CRL_REQUIRED, 46,
		"no revocation list of 'CN=intermediate.test,O=seamtls'" },
	{ "below", { "ca-empty.crl" }, POLICY_CRL_AVAILABLE, 0, "ok, revocation unknown" },
	{ "below", { "ca-intermediate.crl", "below-empty.crl" }, POLICY_CRL_REQUIRED, 44,
		"the CA certificate 'CN=intermediate.test,O=seamtls' is revoked: serial" },
	{ "below", { "ca-empty.crl", "below-below.crl" }, POLICY_CRL_REQUIRED, 44,
		"certificate is revoked" },
};

START_TEST(chains_are_looked_up)
{
	struct tls_context *context;
	struct cert_chain sent;
	struct chain *chain = malloc(sizeof *chain);
	char why[TLS_REASON_MAX] = "", path[64];
	struct evidence evidence;
	struct why say = { why, sizeof why, NULL };
	int alert;

	pair_settings_init(&settings, NULL);
	settings.tls.crl_check = check_case[_i].check;
	for (size_t i = 0; i < 2 && check_case[_i].crl[i] != NULL; i++)
		pair_list_add(&settings, &settings.tls.crl, pair_path(check_case[_i].crl[i]));
	snprintf(path, sizeof path, "%s.pem", check_case[_i].cert);
	cert_chain_read(&sent, pair_path(path));
	evidence = (struct evidence){ sent.sent, sent.count, "server.test" };
	ck_assert_msg(tls_context_new(&settings.tls, TLS_CLIENT, &context, why, sizeof why) == 0,
		"%s", why);
	/* Twice: a list's signature is checked once. */
	for (int i = 0; i < 2; i++) {
		alert = judge_peer(context, &evidence, chain, &say);
		ck_assert_msg(alert == check_case[_i].alert, "alert %d: %s", alert, why);
		ck_assert_msg(strstr(why, check_case[_i].why) != NULL, "'%s'", why);
		ck_assert_msg(alert != 0 || strcmp(why, check_case[_i].why) == 0, "'%s'", why);
	}
	cert_chain_clear(&sent);
	free(chain);
	tls_context_free(context);
}
END_TEST

/* In both roles, over the wire. */
START_TEST(handshake_is_refused)
{
	bool of_client = _i % 2 == 1;
	struct pair_settings client, server;
	const struct tls_result *result;
	struct pair *pair;

	pair_settings_init(&client, of_client ? "client" : NULL);
	pair_settings_init(&server, "server");
	client.tls.max_version = server.tls.max_version = _i / 2 == 0 ? POLICY_TLS12 : POLICY_TLS13;
	server.tls.client_auth = of_client ? POLICY_CLIENT_REQUIRED : POLICY_CLIENT_NONE;
	if (of_client)
		pair_list_add(&server, &server.tls.crl, pair_path("ca-client.crl"));
	else
		pair_list_add(&client, &client.tls.crl, pair_path("ca-server.crl"));
	pair = pair_new(&client, &server, "server.test");
	pair_run(pair);
	result = tls_handshake_result(of_client ? pair->server : pair->client);
	ck_assert_int_eq(of_client ? pair->server_result : pair->client_result, -EKEYREJECTED);
	ck_assert_msg(strstr(result->reason, "certificate is revoked: serial number ") != NULL,
		"%s", result->reason);
	ck_assert_int_eq(result->alert_sent, 44);
	if (pair->client_result != 0)
		ck_assert_int_eq(tls_handshake_result(of_client ? pair->client : pair->server)
					 ->alert_received,
			44);
	pair_free(pair);
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}
END_TEST

static size_t read_file(const char *name, uint8_t *out, size_t room)
{
	FILE *file = fopen(pair_path(name), "re");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(out, 1, room, file);
	fclose(file);
	return len;
}

static void use(const uint8_t *der, size_t len)
{
	static const uint8_t serial[] = { 1, 2, 3 };
	struct x509 certificate = { .serial = { serial, sizeof serial } };
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct crl_entry entry;
	const char *what;
	struct crl crl;

	memcpy(copy, der, len);
	if (crl_init(&crl, copy, len, &what) < 0)
		return;
	certificate.issuer = crl.issuer;
	crl_covers(&crl, &certificate);
	crl_find(&crl, certificate.serial, &entry);
	crl_clear(&crl);
}

START_TEST(hostile_list_is_harmless)
{
	uint8_t der[2048];
	size_t len = read_file("ca-server.der", der, sizeof der);

	for (size_t cut = 0; cut < len; cut++)
		use(der, cut);
	for (size_t at = 0; at < len; at++) {
		uint8_t was = der[at];

		for (int value = 0; value < 256; value += 5) {
			der[at] = (uint8_t)value;
			use(der, len);
		}
		der[at] = was;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("revocation");
	TCase *tcase = tcase_create("revocation");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	pair_make_more("./make_crls.sh");
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(
		tcase, lists_are_loaded_or_refused, 0, sizeof load_case / sizeof load_case[0]);
	tcase_add_loop_test(
		tcase, chains_are_looked_up, 0, sizeof check_case / sizeof check_case[0]);
	tcase_add_loop_test(tcase, handshake_is_refused, 0, 4);
	tcase_add_test(tcase, hostile_list_is_harmless);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
