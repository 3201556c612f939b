/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handshakes that must fail: with which errno on which side, for what reason, and with which alert
 * on the wire. */
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
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

/* One difference from what works, and what each side has to say about it. */
struct refusal {
	const char *server_cert, *client_cert, *name;
	const char *client_ca, *server_ca;
	const char *client_cipher, *server_cipher;
	const char *client_group, *server_group;
	const char *client_alpn, *server_alpn;
	const char *pin;
	enum policy_version client_min, client_max, server_min, server_max; /* 0: as by default */
	enum policy_verify verify;
	enum policy_client_auth client_auth;
	int client_want, server_want;
	int alert;          /* sent by the one, received by the other */
	bool client_alerts; /* which is which */
	const char *client_reason, *server_reason;
};

static const struct refusal refusal_case[] = {
	{ .name = "other.test",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "certificate is for 'dns:server.test, dns:*.wild.test, "
				 "ip:127.0.0.1, ip:::1', not for 'other.test'",
		.server_reason = "bad_certificate" },
	{ .name = "127.0.0.2",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "not for '127.0.0.2'",
		.server_reason = "bad_certificate" },
	{ .name = "wild.test",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "not for 'wild.test'",
		.server_reason = "bad_certificate" },
	{ .name = "a.b.wild.test",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "not for 'a.b.wild.test'",
		.server_reason = "bad_certificate" },
	{ .server_cert = "nameless",
		.name = "nameless.test",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "certificate has no subjectAltName",
		.server_reason = "bad_certificate" },
	{ .server_cert = "expired",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 45,
		.client_alerts = true,
		.client_reason = "certificate has expired (not after 2020-01-31)",
		.server_reason = "certificate_expired" },
	{ .server_cert = "early",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 45,
		.client_alerts = true,
		.client_reason = "certificate is not valid yet (not before 2098-01-01)",
		.server_reason = "certificate_expired" },
	{ .server_cert = "selfsigned",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.client_alerts = true,
		.client_reason = "self-signed certificate",
		.server_reason = "unknown_ca" },
	{ .server_cert = "stranger",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.client_alerts = true,
		.client_reason = "unable to find the issuer 'CN=other-ca,O=seamtls\\, test' among "
				 "the trusted CAs",
		.server_reason = "unknown_ca" },
	{ .server_cert = "below-alone",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.client_alerts = true,
		.client_reason = "unable to find the issuer 'CN=intermediate.test,O=seamtls'",
		.server_reason = "unknown_ca" },
	{ .server_cert = "below",
		.client_ca = "other-ca.pem",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.client_alerts = true,
		.client_reason = "unable to find the issuer 'CN=ca,O=seamtls\\, test'",
		.server_reason = "unknown_ca" },
	{ .server_cert = "client",
		.verify = POLICY_VERIFY_CHAIN,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "extended key usage",
		.server_reason = "bad_certificate" },
	{ .pin = "intermediate.pin",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "no key in the certificate chain is pinned",
		.server_reason = "bad_certificate" },
	{ .server_cert = "sent-along",
		.pin = "p384-server.pin",
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "no key in the certificate chain is pinned",
		.server_reason = "bad_certificate" },
	{ .pin = "intermediate.pin",
		.verify = POLICY_VERIFY_NONE,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "no key in the certificate chain is pinned",
		.server_reason = "bad_certificate" },
	{ .pin = "intermediate.pin",
		.verify = POLICY_VERIFY_CHAIN,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_alerts = true,
		.client_reason = "no key in the certificate chain is pinned",
		.server_reason = "bad_certificate" },
	{ .client_min = POLICY_TLS12,
		.client_max = POLICY_TLS12,
		.server_min = POLICY_TLS13,
		.server_max = POLICY_TLS13,
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 70,
		.client_reason = "no TLS version in common",
		.server_reason = "no TLS version in common" },
	{ .client_min = POLICY_TLS13,
		.client_max = POLICY_TLS13,
		.server_min = POLICY_TLS12,
		.server_max = POLICY_TLS12,
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 40,
		.client_reason = "handshake_failure",
		.server_reason = "no cipher suite or TLS version in common" },
	{ .client_min = POLICY_TLS13,
		.client_cipher = "TLS_AES_128_GCM_SHA256",
		.server_cipher = "TLS_AES_256_GCM_SHA384",
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 40,
		.client_reason = "handshake_failure",
		.server_reason = "no cipher suite or TLS version in common" },
	{ .client_max = POLICY_TLS12,
		.client_cipher = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		.server_cipher = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 40,
		.client_reason = "handshake_failure",
		.server_reason = "no cipher suite or TLS version in common" },
	{ .client_max = POLICY_TLS12,
		.client_cipher = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 40,
		.client_reason = "handshake_failure",
		.server_reason = "no cipher suite or TLS version in common" },
	/* wolfSSL's server would ask for its own group in a HelloRetryRequest then. */
	{ .client_min = POLICY_TLS13,
		.client_group = "x25519",
		.server_group = "secp256r1",
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 40,
		.client_reason = "handshake_failure",
		.server_reason = "no group for the key exchange in common" },
	{ .client_max = POLICY_TLS12,
		.client_group = "x25519",
		.server_group = "secp384r1",
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 40,
		.client_reason = "handshake_failure",
		.server_reason = "in common" },
	{ .client_alpn = "h2",
		.server_alpn = "http/1.1",
		.client_want = -EPROTO,
		.server_want = -EPROTO,
		.alert = 120,
		.client_reason = "no ALPN protocol in common",
		.server_reason = "no application protocol (ALPN) in common" },
	{ .client_max = POLICY_TLS12,
		.client_auth = POLICY_CLIENT_REQUIRED,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 40,
		.client_reason = "handshake_failure: it asks for a client certificate",
		.server_reason = "the peer sent no certificate, and one is required" },
	{ .client_max = POLICY_TLS12,
		.client_cert = "stranger",
		.client_auth = POLICY_CLIENT_REQUIRED,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.client_reason = "unknown_ca",
		.server_reason = "unable to find the issuer 'CN=other-ca" },
	{ .client_max = POLICY_TLS12,
		.client_cert = "stranger",
		.client_auth = POLICY_CLIENT_OPTIONAL,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.client_reason = "unknown_ca",
		.server_reason = "unable to find the issuer 'CN=other-ca" },
	{ .client_max = POLICY_TLS12,
		.client_cert = "server",
		.client_auth = POLICY_CLIENT_REQUIRED,
		.client_want = -EKEYREJECTED,
		.server_want = -EKEYREJECTED,
		.alert = 42,
		.client_reason = "bad_certificate",
		.server_reason = "extended key usage" },
	/* TLS 1.3: the client is through before the server has seen its certificate; it
	   hears of it afterwards. */
	{ .client_auth = POLICY_CLIENT_REQUIRED,
		.client_want = 0,
		.server_want = -EKEYREJECTED,
		.alert = 116,
		.server_reason = "the peer sent no certificate, and one is required" },
	{ .client_cert = "stranger",
		.client_auth = POLICY_CLIENT_REQUIRED,
		.client_want = 0,
		.server_want = -EKEYREJECTED,
		.alert = 48,
		.server_reason = "unable to find the issuer 'CN=other-ca" },
};

static void set(struct pair_settings *settings, struct policy_list *list, const char *item)
{
	if (item != NULL)
		pair_list_add(settings, list, item);
}

static void apply(const struct refusal *c)
{
	teardown();
	pair_settings_init(&client, c->client_cert);
	pair_settings_init(&server, c->server_cert != NULL ? c->server_cert : "server");
	client.tls.min_version = c->client_min;
	client.tls.max_version = c->client_max;
	server.tls.min_version = c->server_min;
	server.tls.max_version = c->server_max;
	client.tls.verify = c->verify;
	server.tls.client_auth = c->client_auth;
	if (c->client_ca != NULL) {
		pair_list_clear(&client.tls.ca);
		pair_list_add(&client, &client.tls.ca, pair_path(c->client_ca));
	}
	set(&client, &client.tls.ciphers, c->client_cipher);
	set(&server, &server.tls.ciphers, c->server_cipher);
	set(&client, &client.tls.groups, c->client_group);
	set(&server, &server.tls.groups, c->server_group);
	set(&client, &client.tls.alpn, c->client_alpn);
	set(&server, &server.tls.alpn, c->server_alpn);
	if (c->pin != NULL)
		pair_pin(&client, c->pin);
}

static const struct {
	const char *in; /* the reason */
	enum cause cause;
} of_reason[] = {
	{ "not for '", CAUSE_NAME },
	{ "no subjectAltName", CAUSE_NAME },
	{ "has expired", CAUSE_EXPIRED },
	{ "not valid yet", CAUSE_EXPIRED },
	{ "self-signed", CAUSE_CHAIN },
	{ "unable to find the issuer", CAUSE_CHAIN },
	{ "extended key usage", CAUSE_CHAIN },
	{ "is pinned", CAUSE_NOT_ALLOWED },
	{ "in common", CAUSE_NOTHING_IN_COMMON },
	{ "handshake_failure: it asks for", CAUSE_CERTIFICATE_REFUSED },
	{ "handshake_failure", CAUSE_NOTHING_IN_COMMON },
	{ "no certificate, and one is required", CAUSE_NO_CERTIFICATE },
	{ "bad_certificate", CAUSE_CERTIFICATE_REFUSED },
	{ "certificate_expired", CAUSE_CERTIFICATE_REFUSED },
	{ "unknown_ca", CAUSE_CERTIFICATE_REFUSED },
	{ "illegal_parameter", CAUSE_ALERT },
};

static const char *cause_for(const char *reason)
{
	for (size_t i = 0; i < sizeof of_reason / sizeof of_reason[0]; i++)
		if (strstr(reason, of_reason[i].in) != NULL)
			return cause_name(of_reason[i].cause);
	return "";
}

static void check_side(const char *side, const struct tls_result *result, int got, int want,
	const char *reason, int sent, int received)
{
	ck_assert_msg(got == want, "%s: %d, not %d: %s", side, got, want, result->reason);
	if (want == 0)
		return;
	ck_assert_msg(strstr(result->reason, reason) != NULL, "%s: '%s', not '%s'", side,
		result->reason, reason);
	ck_assert_msg(
		result->alert_sent == sent, "%s: sent %d, not %d", side, result->alert_sent, sent);
	ck_assert_msg(result->alert_received == received, "%s: received %d, not %d", side,
		result->alert_received, received);
	ck_assert_int_eq(result->by_peer, received >= 0);
	ck_assert_str_eq(cause_name(result->cause), cause_for(result->reason));
}

START_TEST(refusal_says_why)
{
	const struct refusal *c = &refusal_case[_i];
	struct refusal one = *c;
	enum policy_version low, high;

	one.client_min = c->client_min != 0 ? c->client_min : POLICY_TLS12;
	one.client_max = c->client_max != 0 ? c->client_max : POLICY_TLS13;
	one.server_min = c->server_min != 0 ? c->server_min : POLICY_TLS12;
	one.server_max = c->server_max != 0 ? c->server_max : POLICY_TLS13;
	low = one.client_min > one.server_min ? one.client_min : one.server_min;
	high = one.client_max < one.server_max ? one.client_max : one.server_max;
	/* Where both versions would do, both are tried, unless TLS 1.3's client has to be through.
	 */
	for (enum policy_version version = high; version >= low || version == high; version--) {
		struct pair *pair;

		if (low < high)
			one.client_max = version;
		if (c->client_want == 0)
			one.client_min = one.client_max;
		apply(&one);
		pair = pair_new(&client, &server, c->name != NULL ? c->name : "server.test");
		pair_run(pair);
		check_side("client", tls_handshake_result(pair->client), pair->client_result,
			c->client_want, c->client_reason, c->client_alerts ? c->alert : -1,
			c->client_alerts ? -1 : c->alert);
		check_side("server", tls_handshake_result(pair->server), pair->server_result,
			c->server_want, c->server_reason, c->client_alerts ? -1 : c->alert,
			c->client_alerts ? c->alert : -1);
		pair_free(pair);
		if (c->client_want == 0)
			return;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake_refused");
	TCase *tcase = tcase_create("handshake_refused");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(
		tcase, refusal_says_why, 0, sizeof refusal_case / sizeof refusal_case[0]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
