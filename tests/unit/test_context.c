/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings that make a context, and ones that must not, with what the operator is told. */
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pair_settings settings;

static void teardown(void)
{
	pair_settings_clear(&settings);
}

static int context_new(enum tls_role role, struct tls_context **out, char *why, size_t why_len)
{
	why[0] = '\0';
	*out = NULL;
	return tls_context_new(&settings.tls, role, out, why, why_len);
}

static const struct {
	enum tls_role role;
	const char *cert, *key, *ca; /* files; ca "": none */
	int want;
	const char *why;
} file_case[] = {
	{ TLS_SERVER, "server.pem", "server.key", NULL, 0, "" },
	{ TLS_SERVER, "together.pem", NULL, NULL, 0, "" },
	{ TLS_SERVER, "together.pem", "server.key", NULL, 0, "" },
	{ TLS_SERVER, "rsa-server.pem", "rsa-server.key", NULL, 0, "" },
	{ TLS_SERVER, "rsa-server.pem", "rsa-traditional.key", NULL, 0, "" },
	{ TLS_SERVER, "server.pem", "traditional.key", NULL, 0, "" },
	{ TLS_SERVER, "ed-server.pem", "ed-server.key", NULL, 0, "" },
	{ TLS_SERVER, "below.pem", "below.key", NULL, 0, "" },
	{ TLS_SERVER, "server.pem", "server.key", "", 0, "" }, /* asks for no client certificates */
	{ TLS_CLIENT, NULL, NULL, NULL, 0, "" },
	{ TLS_CLIENT, "client.pem", "client.key", NULL, 0, "" },
	{ TLS_CLIENT, NULL, NULL, "both.pem", 0, "" },
	{ TLS_CLIENT, NULL, NULL, "directory", 0, "" },
	{ TLS_CLIENT, NULL, NULL, "with-expired.pem", 0, "" },
	{ TLS_SERVER, NULL, NULL, NULL, -EINVAL, "needs a certificate" },
	{ TLS_SERVER, NULL, "server.key", NULL, -EINVAL, "but no cert" },
	{ TLS_SERVER, "absent.pem", "server.key", NULL, -ENOENT,
		"absent.pem': No such file or directory" },
	{ TLS_SERVER, "server.pem", "absent.key", NULL, -ENOENT, "cannot read the key '" },
	{ TLS_SERVER, "directory", "server.key", NULL, -EISDIR, "directory': Is a directory" },
	{ TLS_SERVER, "fifo", "server.key", NULL, -EINVAL, "fifo': Invalid argument" },
	{ TLS_SERVER, "garbage.pem", "server.key", NULL, -EKEYREJECTED, "no certificate in '" },
	{ TLS_SERVER, "empty.pem", "server.key", NULL, -EKEYREJECTED, "no certificate in '" },
	{ TLS_SERVER, "broken.pem", "server.key", NULL, -EKEYREJECTED,
		"broken.pem' cannot be parsed" },
	{ TLS_SERVER, "server.key", "server.key", NULL, -EKEYREJECTED, "no certificate in '" },
	{ TLS_SERVER, "server.pem", "garbage.pem", NULL, -EKEYREJECTED, "no private key in '" },
	{ TLS_SERVER, "server.pem", "server.pem", NULL, -EKEYREJECTED, "no private key in '" },
	{ TLS_SERVER, "server.pem", NULL, NULL, -EKEYREJECTED, "no private key in '" },
	{ TLS_SERVER, "server.pem", "other-ca.key", NULL, -EKEYREJECTED,
		"other-ca.key' does not belong to the certificate '" },
	{ TLS_SERVER, "server.pem", "rsa-server.key", NULL, -EKEYREJECTED, "rsa-server.key'" },
	{ TLS_CLIENT, NULL, NULL, "", -EINVAL, "ca is empty" },
	{ TLS_CLIENT, NULL, NULL, "absent.pem", -ENOENT, "cannot read the CA file '" },
	{ TLS_CLIENT, NULL, NULL, "garbage.pem", -EINVAL, "garbage.pem': PEM is expected" },
	{ TLS_CLIENT, NULL, NULL, "empty.pem", -EINVAL, "empty.pem': PEM is expected" },
	{ TLS_CLIENT, NULL, NULL, "broken.pem", -EINVAL, "no usable certificate in the CA file '" },
	{ TLS_CLIENT, NULL, NULL, "server.key", -EINVAL, "no certificate in the CA file '" },
	{ TLS_CLIENT, NULL, NULL, "expired.pem", -EINVAL,
		"no usable certificate in the CA file '" },
	{ TLS_CLIENT, NULL, NULL, "empty-directory", -EINVAL,
		"no certificate in the CA directory '" },
	{ TLS_CLIENT, NULL, NULL, "fifo", -EINVAL, "cannot read the CA file '" },
};

START_TEST(files_are_read_or_refused)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];
	int r;

	pair_settings_init(&settings, NULL);
	if (file_case[_i].cert != NULL)
		pair_list_add(&settings, &settings.tls.cert, pair_path(file_case[_i].cert));
	if (file_case[_i].key != NULL)
		pair_list_add(&settings, &settings.tls.key, pair_path(file_case[_i].key));
	if (file_case[_i].ca != NULL) {
		pair_list_clear(&settings.tls.ca);
		if (file_case[_i].ca[0] != '\0')
			pair_list_add(&settings, &settings.tls.ca, pair_path(file_case[_i].ca));
	}
	r = context_new(file_case[_i].role, &context, why, sizeof why);
	ck_assert_msg(r == file_case[_i].want, "%d: %s", r, why);
	ck_assert_int_eq(context != NULL, r == 0);
	if (r < 0)
		ck_assert_msg(strstr(why, file_case[_i].why) != NULL, "'%s', not '%s'", why,
			file_case[_i].why);
	tls_context_free(context);
}
END_TEST

static const struct {
	const char *ciphers[3], *groups[3], *alpn[3];
	enum policy_version min, max;
	int want;
	const char *why;
} value_case[] = {
	{ { NULL }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS13, 0, "" },
	{ { NULL }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS12, 0, "" },
	{ { NULL }, { NULL }, { NULL }, POLICY_TLS13, POLICY_TLS13, 0, "" },
	{ { "TLS_AES_128_GCM_SHA256" }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS13, 0, "" },
	{ { "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" }, { NULL }, { NULL }, POLICY_TLS12,
		POLICY_TLS13, 0, "" },
	{ { "TLS_AES_128_GCM_SHA256" }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS12, -EINVAL,
		"no TLS version is left" },
	{ { "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" }, { NULL }, { NULL }, POLICY_TLS13,
		POLICY_TLS13, -EINVAL, "no TLS version is left" },
	{ { NULL }, { NULL }, { NULL }, POLICY_TLS13, POLICY_TLS12, -EINVAL,
		"no TLS version is left" },
	{ { "TLS_RSA_WITH_AES_128_CBC_SHA" }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS13,
		-EINVAL, "the cipher 'TLS_RSA_WITH_AES_128_CBC_SHA' is unknown" },
	{ { "TLS13-AES128-GCM-SHA256" }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS13, -EINVAL,
		"the cipher" },
	{ { "ALL" }, { NULL }, { NULL }, POLICY_TLS12, POLICY_TLS13, -EINVAL, "the cipher 'ALL'" },
	{ { NULL }, { "x25519", "secp256r1" }, { NULL }, POLICY_TLS12, POLICY_TLS13, 0, "" },
	{ { NULL }, { "sect163k1" }, { NULL }, POLICY_TLS12, POLICY_TLS13, -EINVAL,
		"the group 'sect163k1' is unknown" },
	{ { NULL }, { "" }, { NULL }, POLICY_TLS12, POLICY_TLS13, -EINVAL, "the group ''" },
	{ { NULL }, { NULL }, { "h2", "http/1.1" }, POLICY_TLS12, POLICY_TLS13, 0, "" },
	{ { NULL }, { NULL }, { "a,b" }, POLICY_TLS12, POLICY_TLS13, -EINVAL,
		"'a,b' cannot be a name in alpn" },
	{ { NULL }, { NULL }, { "" }, POLICY_TLS12, POLICY_TLS13, -EINVAL,
		"cannot be a name in alpn" },
};

START_TEST(values_are_used_or_refused)
{
	for (int role = TLS_CLIENT; role <= TLS_SERVER; role++) {
		struct tls_context *context;
		char why[TLS_REASON_MAX];
		int r;

		pair_settings_init(&settings, "server");
		settings.tls.min_version = value_case[_i].min;
		settings.tls.max_version = value_case[_i].max;
		for (int i = 0; i < 3 && value_case[_i].ciphers[i] != NULL; i++)
			pair_list_add(&settings, &settings.tls.ciphers, value_case[_i].ciphers[i]);
		for (int i = 0; i < 3 && value_case[_i].groups[i] != NULL; i++)
			pair_list_add(&settings, &settings.tls.groups, value_case[_i].groups[i]);
		for (int i = 0; i < 3 && value_case[_i].alpn[i] != NULL; i++)
			pair_list_add(&settings, &settings.tls.alpn, value_case[_i].alpn[i]);
		r = context_new(role, &context, why, sizeof why);
		ck_assert_msg(r == value_case[_i].want, "%d: %s", r, why);
		if (r < 0)
			ck_assert_msg(strstr(why, value_case[_i].why) != NULL, "'%s'", why);
		tls_context_free(context);
		teardown();
	}
}
END_TEST

/* What a password opens; a handshake shows that it is the right key. */
static const struct {
	const char *cert, *key, *password; /* files */
	int want;
	const char *why; /* or, if it is opened, whose certificate it is */
} locked_case[] = {
	{ "server.pem", "locked.key", "password", 0, "server" },
	{ "server.pem", "locked.key", "password-crlf", 0, "server" },
	{ "server.pem", "locked-aes256.key", "password", 0, "server" },
	{ "server.pem", "locked-des3.key", "password", 0, "server" },
	{ "server.pem", "locked8.key", "password", 0, "server" },
	{ "server.pem", "locked8-aes128.key", "password", 0, "server" },
	{ "server.pem", "locked8-sha512.key", "password", -ENOTSUP,
		"locked8-sha512.key' is encrypted in a way" },
	{ "server.pem", "locked8-des3.key", "password", 0, "server" },
	{ "server.pem", "locked8-pbes1.key", "password", 0, "server" },
	{ "rsa-server.pem", "rsa-locked8.key", "password", 0, "rsa-server" },
	{ "rsa-server.pem", "rsa-locked.key", "password", 0, "rsa-server" },
	{ "ed-server.pem", "ed-locked8.key", "password", 0, "ed-server" },
	{ "server.pem", "server.key", "password", 0, "server" }, /* it needs none */
	{ "server.p12", NULL, "password", 0, "server" },
	{ "server.p12", "server.p12", "password", 0, "server" },
	{ "server.p12", "server.key", "password", 0, "server" },
	{ "server.pem", "server.p12", "password", 0, "server" },
	{ "pkcs12-without-a-name", NULL, "password", 0, "server" },
	{ "rsa-server.p12", NULL, "password", 0, "rsa-server" },
	{ "ed-server.p12", NULL, "password", 0, "ed-server" },
	{ "p384-server.p12", NULL, "password", 0, "p384-server" },
	{ "open.p12", NULL, NULL, 0, "server" },
	{ "below.p12", NULL, "password", 0, "below" },
	{ "more.p12", NULL, "password", 0, "below" },
	{ "legacy.p12", NULL, "password", 0, "server" },
	{ "server.pem", "locked.key", NULL, -EKEYREJECTED,
		"locked.key' is encrypted: set password_file" },
	{ "server.pem", "locked8.key", NULL, -EKEYREJECTED,
		"locked8.key' is encrypted: set password_file" },
	{ "server.p12", NULL, NULL, -EKEYREJECTED,
		"server.p12' has a password: set password_file" },
	{ "server.pem", "locked.key", "password-wrong", -EKEYREJECTED,
		"password-wrong' is not that of the key" },
	{ "server.pem", "locked8.key", "password-wrong", -EKEYREJECTED,
		"password-wrong' is not that of the key" },
	{ "server.pem", "locked8-pbes1.key", "password-wrong", -EKEYREJECTED,
		"password-wrong' is not that of the key" },
	{ "server.p12", NULL, "password-wrong", -EKEYREJECTED, "password-wrong' is not that of '" },
	{ "server.pem", "locked8-broken.key", "password", -EKEYREJECTED, "locked8-broken.key'" },
	{ "server.pem", "locked-camellia.key", "password", -ENOTSUP,
		"locked-camellia.key' is encrypted in a way" },
	{ "server.pem", "locked8-scrypt.key", "password", -ENOTSUP,
		"locked8-scrypt.key' is encrypted in a way" },
	{ "rc2.p12", NULL, "password", -ENOTSUP,
		"rc2.p12' is encrypted in a way that is not supported, RC2 perhaps" },
	{ "keyonly.p12", NULL, "password", -EKEYREJECTED, "keyonly.p12' does not belong to any" },
	{ "certonly.p12", NULL, "password", -EKEYREJECTED, "no private key in '" },
	{ "cut.p12", NULL, "password", -EKEYREJECTED, "PEM or PKCS#12 is expected" },
	{ "server.p12", "rsa-server.p12", "password", -EKEYREJECTED,
		"rsa-server.p12' does not belong to the certificate" },
	{ "server.pem", "locked.key", "absent", -ENOENT, "cannot read the password file '" },
	{ "server.pem", "locked.key", "password-empty", -EKEYREJECTED,
		"has to be a password of 1 to 127 bytes" },
	{ "server.pem", "locked.key", "password-long", -EKEYREJECTED,
		"has to be a password of 1 to 127 bytes" },
	{ "server.der", "server.key", NULL, -EKEYREJECTED, "PEM or PKCS#12 is expected" },
};

static void check_identity(const char *name)
{
	struct pair_settings client;
	char subject[64];
	struct pair *pair;

	pair_settings_init(&client, NULL);
	pair = pair_new(&client, &settings, "server.test");
	pair_run(pair);
	ck_assert_msg(pair->client_result == 0, "%s", tls_handshake_result(pair->client)->reason);
	snprintf(subject, sizeof subject, "CN=%s.test,O=seamtls", name);
	ck_assert_str_eq(tls_handshake_result(pair->client)->peer.subject, subject);
	pair_free(pair);
	pair_settings_clear(&client);
}

START_TEST(passwords_open_what_is_locked)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];
	int r;

	pair_settings_init(&settings, NULL);
	pair_list_add(&settings, &settings.tls.cert, pair_path(locked_case[_i].cert));
	if (locked_case[_i].key != NULL)
		pair_list_add(&settings, &settings.tls.key, pair_path(locked_case[_i].key));
	if (locked_case[_i].password != NULL)
		pair_list_add(&settings, &settings.tls.password_file,
			pair_path(locked_case[_i].password));
	r = context_new(TLS_SERVER, &context, why, sizeof why);
	ck_assert_msg(r == locked_case[_i].want, "%d: %s", r, why);
	tls_context_free(context);
	if (r == 0)
		check_identity(locked_case[_i].why);
	else
		ck_assert_msg(strstr(why, locked_case[_i].why) != NULL, "'%s', not '%s'", why,
			locked_case[_i].why);
}
END_TEST

START_TEST(system_trust_is_found)
{
	static const char bundle[] = "/etc/ssl/certs/ca-certificates.crt";
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	pair_settings_init(&settings, NULL);
	pair_list_clear(&settings.tls.ca);
	pair_list_add(&settings, &settings.tls.ca, "system");
	ck_assert_int_eq(access(bundle, R_OK), 0);
	ck_assert_int_eq(context_new(TLS_CLIENT, &context, why, sizeof why), 0);
	tls_context_free(context);
}
END_TEST

/* Every one of several has to be good. */
START_TEST(each_certificate_needs_its_key)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	pair_settings_init(&settings, "server");
	pair_list_add(&settings, &settings.tls.cert, pair_path("rsa-server.pem"));
	pair_list_add(&settings, &settings.tls.key, pair_path("ed-server.key"));
	ck_assert_int_eq(context_new(TLS_SERVER, &context, why, sizeof why), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(why, "ed-server.key' does not belong"));
}
END_TEST

START_TEST(keys_need_a_certificate_each)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	pair_settings_init(&settings, "server");
	pair_list_add(&settings, &settings.tls.key, pair_path("rsa-server.key"));
	ck_assert_int_eq(context_new(TLS_SERVER, &context, why, sizeof why), -EINVAL);
}
END_TEST

/* The reason is cut to its buffer, and none is needed. */
START_TEST(reason_fits_its_buffer)
{
	char why[16] = "unchanged......";
	struct tls_context *context;

	pair_settings_init(&settings, NULL);
	ck_assert_int_eq(tls_context_new(&settings.tls, TLS_SERVER, &context, why, 8), -EINVAL);
	ck_assert_uint_lt(strlen(why), 8);
	ck_assert_int_eq(why[8], 'd');
	ck_assert_int_eq(tls_context_new(&settings.tls, TLS_SERVER, &context, NULL, 0), -EINVAL);
}
END_TEST

static const struct {
	const char *cert;
	int low, high;
} days_case[] = {
	{ NULL, INT_MAX, INT_MAX },
	{ "selfsigned", 29, 30 },
	{ "server", 365, 80 * 366 },
	{ "expired", -80 * 366, -365 },
};

START_TEST(days_are_counted)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];
	int days;

	pair_settings_init(&settings, days_case[_i].cert);
	ck_assert_int_eq(context_new(TLS_CLIENT, &context, why, sizeof why), 0);
	days = tls_context_days_left(context);
	ck_assert_int_ge(days, days_case[_i].low);
	ck_assert_int_le(days, days_case[_i].high);
	tls_context_free(context);
}
END_TEST

/* The chain counts: the intermediate here ends before the certificate below it. */
START_TEST(first_to_expire_is_counted)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	pair_settings_init(&settings, NULL);
	pair_list_add(&settings, &settings.tls.cert, pair_path("with-expired-chain.pem"));
	pair_list_add(&settings, &settings.tls.key, pair_path("server.key"));
	ck_assert_int_eq(context_new(TLS_CLIENT, &context, why, sizeof why), 0);
	ck_assert_int_lt(tls_context_days_left(context), 0);
	tls_context_free(context);
}
END_TEST

static void *make_contexts(void *failures)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	for (int i = 0; i < 20; i++) {
		if (tls_context_new(&settings.tls, TLS_SERVER, &context, why, sizeof why) != 0)
			++*(int *)failures;
		tls_context_free(context);
	}
	return NULL;
}

/* The first contexts of a process, from several threads at once. */
START_TEST(threads_may_make_contexts)
{
	pthread_t thread[4];
	int failures[4] = { 0 };

	pair_settings_init(&settings, "server");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, make_contexts, &failures[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		ck_assert_int_eq(failures[i], 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("context");
	TCase *tcase = tcase_create("context");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_loop_test(
		tcase, files_are_read_or_refused, 0, sizeof file_case / sizeof file_case[0]);
	tcase_add_loop_test(
		tcase, values_are_used_or_refused, 0, sizeof value_case / sizeof value_case[0]);
	tcase_add_loop_test(tcase, passwords_open_what_is_locked, 0,
		sizeof locked_case / sizeof locked_case[0]);
	tcase_add_test(tcase, system_trust_is_found);
	tcase_add_test(tcase, each_certificate_needs_its_key);
	tcase_add_test(tcase, keys_need_a_certificate_each);
	tcase_add_test(tcase, reason_fits_its_buffer);
	tcase_add_loop_test(tcase, days_are_counted, 0, sizeof days_case / sizeof days_case[0]);
	tcase_add_test(tcase, first_to_expire_is_counted);
	tcase_add_test(tcase, threads_may_make_contexts);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
