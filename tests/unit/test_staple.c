/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stapled OCSP responses: what a client makes of them, what a server sends, and hostile ones. */
#include "cert_chain.h"
#include "tls/context_private.h"
#include "tls/ocsp.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

static struct pair_settings client, server;
static struct pem stapled; /* what the server of a test sends, whatever it is */

static void setup(void)
{
	pair_settings_init(&client, NULL);
	pair_settings_init(&server, "server");
}

static void teardown(void)
{
	pair_settings_clear(&client);
	pair_settings_clear(&server);
	pem_clear(&stapled);
}

static int staple_anything(WOLFSSL *ssl, void *arg)
{
	unsigned char *copy = wolfSSL_Malloc(stapled.len);

	(void)arg;
	memcpy(copy, stapled.text, stapled.len);
	wolfSSL_set_tlsext_status_ocsp_resp(ssl, copy, (int)stapled.len);
	return WOLFSSL_OCSP_STATUS_CB_OK;
}

static const struct {
	const char *cert, *response; /* NULL: none is sent */
	bool must_staple;
	int alert; /* 0: it is trusted */
	const char *why;
} case_of_client[] = {
	{ "server", NULL, false, 0, "ok" },
	{ "server", "server.ocsp", false, 0, "ok" },
	{ "server", "server.ocsp", true, 0, "ok" },
	{ "server", "server-responder.ocsp", true, 0, "ok" },
	{ "server", "server-endless.ocsp", true, 0, "ok" },
	{ "stapler", "stapler.ocsp", false, 0, "ok" },
	{ "below", "below.ocsp", true, 0, "ok" },
	{ "server", NULL, true, 113,
		"there is no stapled OCSP response, and must_staple asks for one" },
	{ "stapler", NULL, false, 113, "and the certificate asks for one" },
	{ "server", "server-revoked.ocsp", false, 44,
		"the stapled OCSP response says that it is revoked: serial number " },
	{ "server", "server-revoked.ocsp", true, 44, ", on 2026-01-02" },
	{ "server", "server-expired.ocsp", false, 113,
		"the stapled OCSP response has expired on 2020-01-22" },
	{ "server", "server-forged.ocsp", false, 113, "is not signed by" },
	{ "server", "server-not-responder.ocsp", false, 113, "is not signed by" },
	{ "server", "server-unknown.ocsp", false, 113, "does not know the certificate" },
	{ "server", "p384-server.ocsp", false, 113, "is not about this certificate" },
	{ "below", "server.ocsp", false, 113, "is not about this certificate" },
	{ "server", "later.ocsp", false, 113, "or is an error of the responder" },
	{ "server", "server.pem", false, 113, "cannot be parsed" },
};

/* In TLS 1.2 the server is through when it turns out that nothing came. */
static void check_alert(struct pair *pair, int alert)
{
	struct record_key send, receive;
	uint8_t plain[64];
	enum record_type type;

	if (pair->server_result != 0) {
		ck_assert_int_eq(tls_handshake_result(pair->server)->alert_received, alert);
		return;
	}
	ck_assert_int_eq(tls_handshake_keys(pair->server, &send, &receive), 0);
	ck_assert_int_eq(record_open(&receive, pair->to_server.bytes + pair->to_server.head,
				 pair->to_server.tail - pair->to_server.head, plain, &type),
		2);
	ck_assert_int_eq(type, RECORD_ALERT);
	ck_assert_int_eq(plain[1], alert);
}

START_TEST(client_judges_what_is_stapled)
{
	for (int version = POLICY_TLS12; version <= POLICY_TLS13; version++) {
		const struct tls_result *result;
		struct pair *pair;

		teardown();
		setup();
		pair_settings_clear(&server);
		pair_settings_init(&server, case_of_client[_i].cert);
		client.tls.max_version = version;
		client.tls.must_staple = case_of_client[_i].must_staple;
		pair = pair_new(&client, &server, "server.test");
		if (case_of_client[_i].response != NULL) {
			ck_assert_int_eq(
				pem_read(pair_path(case_of_client[_i].response), &stapled), 0);
			wolfSSL_CTX_set_tlsext_status_cb(
				pair->server_context->ctx, staple_anything);
			tls_handshake_free(pair->server);
			tls_handshake_new(pair->server_context, NULL,
				&(struct tls_transport){ pair_recv, pair_send, &pair->server_end },
				&pair->server);
		}
		pair_run(pair);
		result = tls_handshake_result(pair->client);
		ck_assert_msg(strstr(result->verify, case_of_client[_i].why) != NULL,
			"%x: '%s' '%s'", version, result->verify, result->reason);
		ck_assert_int_eq(
			pair->client_result, case_of_client[_i].alert == 0 ? 0 : -EKEYREJECTED);
		if (case_of_client[_i].alert == 0) {
			pair_check_data(pair);
		} else {
			ck_assert_int_eq(result->alert_sent, case_of_client[_i].alert);
			check_alert(pair, case_of_client[_i].alert);
		}
		pair_free(pair);
	}
}
END_TEST

/* What is not verified is not asked. */
START_TEST(response_is_not_asked_for_without_verification)
{
	struct pair *pair;

	client.tls.verify = POLICY_VERIFY_NONE;
	pair = pair_new(&client, &server, "server.test");
	ck_assert_int_eq(pem_read(pair_path("server-revoked.ocsp"), &stapled), 0);
	wolfSSL_CTX_set_tlsext_status_cb(pair->server_context->ctx, staple_anything);
	pair_run(pair);
	ck_assert_int_eq(pair->client_result, 0);
	pair_free(pair);
}
END_TEST

static const struct {
	const char *cert, *files[2];
	bool stapled;
	const char *warning;
} case_of_server[] = {
	{ "server", { NULL }, false, "" },
	{ "server", { "server.ocsp" }, true, "" },
	{ "server", { "server-responder.ocsp" }, true, "" },
	{ "below", { "below.ocsp" }, true, "" },
	{ "p384-server", { "server.ocsp", "p384-server.ocsp" }, true,
		"server.ocsp' is not stapled: it is not about a certificate of the rule" },
	{ "server", { "server-expired.ocsp" }, false,
		"server-expired.ocsp' is not stapled: it has expired on 2020-01-22" },
	{ "server", { "server-revoked.ocsp" }, false,
		"is not stapled: it says that it is revoked" },
	{ "server", { "p384-server.ocsp" }, false, "is not stapled: it is not about a" },
	{ "server", { "later.ocsp" }, false, "is not stapled: it is an error of the responder" },
	{ "server", { "garbage.pem" }, false, "is not stapled: it cannot be parsed" },
	{ "below", { "server.ocsp" }, false, "is not stapled: it is not about a" },
};

START_TEST(server_staples_what_is_good)
{
	for (int version = POLICY_TLS12; version <= POLICY_TLS13; version++) {
		struct pair *pair;

		teardown();
		setup();
		pair_settings_clear(&server);
		pair_settings_init(&server, case_of_server[_i].cert);
		for (int i = 0; i < 2 && case_of_server[_i].files[i] != NULL; i++)
			pair_list_add(&server, &server.tls.ocsp_staple,
				pair_path(case_of_server[_i].files[i]));
		client.tls.max_version = version;
		client.tls.must_staple = true;
		pair = pair_new(&client, &server, "server.test");
		ck_assert_msg(strstr(tls_context_warning(pair->server_context),
				      case_of_server[_i].warning) != NULL,
			"'%s'", tls_context_warning(pair->server_context));
		ck_assert_int_eq(tls_context_warning(pair->server_context)[0] == '\0',
			case_of_server[_i].warning[0] == '\0');
		pair_run(pair);
		ck_assert_msg(
			pair->client_result == (case_of_server[_i].stapled ? 0 : -EKEYREJECTED),
			"%s", tls_handshake_result(pair->client)->reason);
		pair_free(pair);
	}
}
END_TEST

/* Each certificate gets its own. */
START_TEST(certificates_have_responses_each)
{
	for (int i = 0; i < 2; i++) {
		struct pair *pair;

		teardown();
		setup();
		pair_list_clear(&server.tls.cert);
		pair_list_clear(&server.tls.key);
		for (int j = 0; j < 2; j++) {
			pair_list_add(&server, &server.tls.cert,
				pair_path(i == j ? "server.pem" : "p384-server.pem"));
			pair_list_add(&server, &server.tls.key,
				pair_path(i == j ? "server.key" : "p384-server.key"));
		}
		pair_list_add(&server, &server.tls.ocsp_staple, pair_path("server.ocsp"));
		pair_list_add(&server, &server.tls.ocsp_staple, pair_path("p384-server.ocsp"));
		client.tls.must_staple = true;
		pair = pair_new(&client, &server, "server.test");
		ck_assert_str_eq(tls_context_warning(pair->server_context), "");
		pair_run(pair);
		ck_assert_msg(
			pair->client_result == 0, "%s", tls_handshake_result(pair->client)->reason);
		pair_free(pair);
	}
}
END_TEST

START_TEST(missing_file_is_an_error)
{
	struct tls_context *context;
	char why[TLS_REASON_MAX];

	pair_list_add(&server, &server.tls.ocsp_staple, pair_path("missing.ocsp"));
	ck_assert_int_eq(
		tls_context_new(&server.tls, TLS_SERVER, &context, why, sizeof why), -ENOENT);
	ck_assert_ptr_nonnull(strstr(why, "cannot read the OCSP response '"));
}
END_TEST

static void use(const uint8_t *der, size_t len, const struct ocsp_subject *subject)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	char why[128];

	memcpy(copy, der, len);
	ocsp_check((struct x509_bytes){ copy, len }, subject, (int64_t)time(NULL),
		&(struct why){ why, sizeof why, NULL });
	free(copy);
}

START_TEST(hostile_response_is_harmless)
{
	struct ocsp_subject subject;
	struct cert_chain sent;
	struct x509 x509;
	struct pem file;
	uint8_t *der;

	cert_chain_read(&sent, pair_path("server.pem"));
	ck_assert_int_eq(x509_parse(sent.sent[0].data, sent.sent[0].len, &x509), 0);
	subject = (struct ocsp_subject){ x509.serial, { x509.issuer, { NULL, 0 }, 0 } };
	ck_assert_int_eq(pem_read(pair_path("server-responder.ocsp"), &file), 0);
	der = (uint8_t *)file.text;
	for (size_t cut = 0; cut < file.len; cut++)
		use(der, cut, &subject);
	for (size_t at = 0; at < file.len; at++) {
		uint8_t was = der[at];

		for (int value = 0; value < 256; value += 5) {
			der[at] = (uint8_t)value;
			use(der, file.len, &subject);
		}
		der[at] = was;
	}
	pem_clear(&file);
	cert_chain_clear(&sent);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("staple");
	TCase *tcase = tcase_create("staple");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	pair_make_more("./make_responses.sh");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, client_judges_what_is_stapled, 0,
		sizeof case_of_client / sizeof case_of_client[0]);
	tcase_add_test(tcase, response_is_not_asked_for_without_verification);
	tcase_add_loop_test(tcase, server_staples_what_is_good, 0,
		sizeof case_of_server / sizeof case_of_server[0]);
	tcase_add_test(tcase, certificates_have_responses_each);
	tcase_add_test(tcase, missing_file_is_an_error);
	tcase_add_test(tcase, hostile_response_is_harmless);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
