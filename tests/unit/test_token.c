/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pkcs11: URIs, and keys and certificates in tokens of SoftHSM, also in forked children. */
#include "tls/pkcs11_uri.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE "?module-path=/usr/lib/softhsm/libsofthsm2.so"
#define PIN MODULE "&pin-value=1234"

static struct pair_settings client, server;

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
}

static const struct {
	const char *uri;
	int want;
	const char *token, *object, *id, *pin;
} uri_case[] = {
	{ "pkcs11:", 0, "", "", "", "" },
	{ "pkcs11:token=a;object=b", 0, "a", "b", "", "" },
	{ "pkcs11:token=The%20token;id=%01%ff;type=private?pin-value=1%3b2", 0, "The token", "",
		"\x01\xff", "1;2" },
	{ "pkcs11:token=a?module-path=/a/b.so&pin-source=file:/c", 0, "a", "", "", "" },
	{ "pkcs11:object=a;serial=1;manufacturer=m;model=n;type=cert", 0, "", "a", "", "" },
	{ "pkcs11:token=%", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:token=%g0", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:token=%00", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:token=", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:token", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:token=a;token=b", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:colour=red", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:pin-value=1", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:token=a?token=b", -EINVAL, NULL, NULL, NULL, NULL },
	{ "pkcs11:type=public", -EINVAL, NULL, NULL, NULL, NULL },
};

START_TEST(uris_are_read_or_refused)
{
	char text[256] = "";
	struct why why = { text, sizeof text, NULL };
	struct pkcs11_uri uri;

	ck_assert_int_eq(pkcs11_uri_parse(uri_case[_i].uri, &uri, &why), uri_case[_i].want);
	if (uri_case[_i].want < 0) {
		ck_assert_str_ne(text, "");
		return;
	}
	ck_assert_str_eq(uri.token, uri_case[_i].token);
	ck_assert_str_eq(uri.object, uri_case[_i].object);
	ck_assert_str_eq(uri.pin_value, uri_case[_i].pin);
	ck_assert_uint_eq(uri.id_len, strlen(uri_case[_i].id));
	ck_assert_mem_eq(uri.id, uri_case[_i].id, uri.id_len);
}
END_TEST

static const struct {
	const char *cert, *key, *password; /* "@": a file of the tests; NULL: the same, none */
	int want;
	const char *why; /* or whose certificate is shown */
} token_case[] = {
	{ "@server.pem", "pkcs11:token=first;object=server" PIN, NULL, 0, "server" },
	{ "@server.pem", "pkcs11:token=first;id=%01;type=private" PIN, NULL, 0, "server" },
	{ "@server.pem", "pkcs11:token=first;object=server" MODULE, "@pin", 0, "server" },
	{ "@rsa-server.pem", "pkcs11:token=first;object=rsa-server" PIN, NULL, 0, "rsa-server" },
	{ "@p384-server.pem", "pkcs11:token=first;object=p384-server" PIN, NULL, 0, "p384-server" },
	{ "@p384-server.pem", "pkcs11:token=second" PIN, NULL, 0, "p384-server" },
	{ "pkcs11:token=first;object=p384-server" PIN, NULL, NULL, 0, "p384-server" },
	{ "pkcs11:token=first;id=%03;type=cert" PIN, "@p384-server.key", NULL, 0, "p384-server" },
	{ "@server.pem", "pkcs11:token=first;object=rsa-server" PIN, NULL, -EKEYREJECTED,
		"does not belong to the certificate" },
	{ "@server.pem", "pkcs11:token=first;object=p384-server" PIN, NULL, -EKEYREJECTED,
		"does not belong to the certificate" },
	{ "@server.pem", "pkcs11:token=first;object=none" PIN, NULL, -EKEYREJECTED,
		"the token 'first' has no private key that the URI means" },
	{ "@server.pem", "pkcs11:token=first" PIN, NULL, -EKEYREJECTED,
		"has more than one private key" },
	{ "@server.pem", "pkcs11:token=first;object=server" MODULE, NULL, -EKEYREJECTED,
		"seen without a PIN" },
	{ "@server.pem", "pkcs11:token=first;object=server" MODULE "&pin-value=9999", NULL,
		-EKEYREJECTED, "the PIN of the token 'first' is wrong" },
	{ "@server.pem", "pkcs11:token=first;object=server" MODULE, "@pin-wrong", -EKEYREJECTED,
		"the PIN of the token 'first' is wrong" },
	{ "@server.pem", "pkcs11:token=third;object=server" PIN, NULL, -ENODEV,
		"has no token 'third'" },
	{ "@server.pem", "pkcs11:object=server" PIN, NULL, -EINVAL, "more than one token" },
	{ "@server.pem", "pkcs11:token=first?module-path=/absent.so", NULL, -ELIBACC,
		"cannot load the PKCS#11 module '/absent.so'" },
	{ "@server.pem", "pkcs11:token=first?module-path=libm.so.6", NULL, -ELIBBAD,
		"'libm.so.6' is no PKCS#11 module" },
	{ "@server.pem", "pkcs11:token=first;object=server" MODULE "&pin-source=relative", NULL,
		-EINVAL, "pin-source is 'relative'" },
	{ "pkcs11:token=first;object=server" PIN, NULL, NULL, -EKEYREJECTED,
		"has no certificate that the URI means" },
};

static const char *place(const char *name)
{
	return name[0] == '@' ? pair_path(name + 1) : name;
}

static void use_token(size_t i)
{
	pair_settings_init(&client, NULL);
	pair_settings_init(&server, NULL);
	pair_list_add(&server, &server.tls.cert, place(token_case[i].cert));
	if (token_case[i].key != NULL)
		pair_list_add(&server, &server.tls.key, place(token_case[i].key));
	if (token_case[i].password != NULL)
		pair_list_add(&server, &server.tls.password_file, place(token_case[i].password));
}

static void check_handshake(enum policy_version version, const char *name)
{
	char subject[64];
	struct pair *pair;

	client.tls.max_version = version;
	pair = pair_new(&client, &server, "server.test");
	pair_run(pair);
	ck_assert_msg(pair->client_result == 0 && pair->server_result == 0, "%s; %s",
		tls_handshake_result(pair->client)->reason,
		tls_handshake_result(pair->server)->reason);
	snprintf(subject, sizeof subject, "CN=%s.test,O=seamtls", name);
	ck_assert_str_eq(tls_handshake_result(pair->client)->peer.subject, subject);
	pair_check_data(pair);
	pair_free(pair);
}

START_TEST(tokens_sign_or_are_refused)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX] = "";
	int r;

	use_token((size_t)_i);
	r = tls_context_new(&server.tls, TLS_SERVER, &context, why, sizeof why);
	ck_assert_msg(r == token_case[_i].want, "%d: %s", r, why);
	tls_context_free(context);
	if (r < 0) {
		ck_assert_msg(strstr(why, token_case[_i].why) != NULL, "'%s', not '%s'", why,
			token_case[_i].why);
		ck_assert_ptr_null(strstr(why, "1234"));
		return;
	}
	check_handshake(POLICY_TLS12, token_case[_i].why);
	check_handshake(POLICY_TLS13, token_case[_i].why);
}
END_TEST

/* As prefork servers do: the context is the parent's. */
START_TEST(children_sign)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];
	struct pair *pair;
	int status;

	use_token(0);
	ck_assert_int_eq(tls_context_new(&server.tls, TLS_SERVER, &context, why, sizeof why), 0);
	pair = pair_new(&client, &server, "server.test");
	for (int child = 0; child < 2; child++) {
		pid_t pid = fork();

		if (pid == 0) {
			pair_run(pair);
			_exit(pair->client_result == 0 && pair->server_result == 0 ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	}
	pair_run(pair);
	ck_assert_int_eq(pair->server_result, 0);
	pair_check_data(pair);
	pair_free(pair);
	tls_context_free(context);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token");
	TCase *tcase = tcase_create("token");
	SRunner *runner = srunner_create(suite);
	char command[128];
	bool has_tokens;
	int failed;

	pair_make_certs();
	setenv("SOFTHSM2_CONF", pair_path("softhsm2.conf"), 1);
	snprintf(command, sizeof command, "./make_tokens.sh %s", pair_path("."));
	has_tokens = access("/usr/bin/softhsm2-util", X_OK) == 0 && system(command) == 0;
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(
		tcase, uris_are_read_or_refused, 0, sizeof uri_case / sizeof uri_case[0]);
	if (has_tokens) {
		tcase_add_loop_test(tcase, tokens_sign_or_are_refused, 0,
			sizeof token_case / sizeof token_case[0]);
		tcase_add_test(tcase, children_sign);
	}
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
