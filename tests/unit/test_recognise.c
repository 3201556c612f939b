/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is told of what programs have said to each other: whole calls, and the same in pieces. */
#include "tls/recognise.h"
#include "tls/registry.h"
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPTURES "../hostile/corpus/recognise/"
#define FILE_MOST 65536
#define DETERMINED 0 /* calls as they were */

#define OPENSSL_JA4 "t13d311000_e8f1e7e78f70_1f22a2ca17c4"

/* The fingerprints are what tests/lib/ja4.py makes of the same bytes, but for the one of Chrome,
 * which FoxIO has published. NULL: not known. */
static const struct expected {
	const char *capture;
	enum recognised protocol;
	const char *application, *offered, *version, *suite, *group, *server_name, *alpn, *ja4,
		*subject, *banner;
	int resumed, received;
	bool upgraded;
} expected[] = {
	{ "tls13", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519",
		"localhost", NULL, OPENSSL_JA4, NULL, NULL, 0, -1, false },
	{ "tls13-retry", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384",
		"secp384r1", "localhost", NULL, OPENSSL_JA4, NULL, NULL, 0, -1, false },
	{ "tls13-resumed", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384",
		"x25519", "localhost", NULL, "t13d311100_e8f1e7e78f70_dbd39dd1d406", NULL, NULL, 1,
		-1, false },
	{ "tls12", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "localhost", NULL, OPENSSL_JA4,
		"CN=localhost,O=seamtls local", NULL, 0, -1, false },
	/* This side's certificate is no peer's. */
	{ "tls12-inbound", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "localhost", NULL, OPENSSL_JA4,
		NULL, NULL, 0, -1, false },
	{ "tls12-client-certificate", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "localhost", NULL, OPENSSL_JA4,
		"CN=localhost,O=seamtls local", NULL, 0, -1, false },
	{ "tls12-certificate-asked", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "localhost", NULL, OPENSSL_JA4,
		"CN=localhost,O=seamtls local", NULL, 0, -1, false },
	{ "tls12-resumed", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", NULL, "localhost", NULL, OPENSSL_JA4,
		NULL, NULL, 1, -1, false },
	{ "tls12-alpn", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "x25519", "localhost", "h2",
		"t13d3111h2_e8f1e7e78f70_1f22a2ca17c4", "CN=localhost,O=seamtls local", NULL, 0, -1,
		false },
	{ "tls12-alert", RECOGNISED_TLS, NULL, "TLSv1.3", NULL, NULL, NULL, "localhost", NULL,
		"t13d041000_16476d049b0b_78f1d400d464", NULL, NULL, -1, 70, false },
	/* A handshake, and then nothing is encrypted. */
	{ "tls12-null", RECOGNISED_CLEAR, NULL, "TLSv1.2", "TLSv1.2",
		"TLS_ECDHE_ECDSA_WITH_NULL_SHA", "x25519", "localhost", NULL,
		"t12d070700_22f58f424d9b_3c5a66c06c35", "CN=localhost,O=seamtls local", NULL, 0, -1,
		false },
	{ "gnutls", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384",
		"secp256r1", "localhost", NULL, "t13d291300_723694b0fccc_2cc26d266019", NULL, NULL,
		0, -1, false },
	{ "java", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519",
		NULL, NULL, "t13i371100_db35923f8641_7c76daad20ec", NULL, NULL, 0, -1, false },
	{ "node", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519",
		"localhost", NULL, "t13d5911h1_a33745022dd6_1f22a2ca17c4", NULL, NULL, 0, -1,
		false },
	{ "curl", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519",
		"localhost", NULL, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6", NULL, NULL, 0, -1,
		false },
	{ "chromium", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.3", "TLS_AES_128_GCM_SHA256",
		"x25519", "localhost", NULL, "t13d1517h2_8daaf6152771_cb7bf5808d99", NULL, NULL, 0,
		-1, false },
	{ "chrome-published", RECOGNISED_TLS, NULL, "TLSv1.3", NULL, NULL, NULL, "example.com",
		NULL, "t13d1516h2_8daaf6152771_e5627efa2ab1", NULL, NULL, -1, -1, false },
	{ "hello-in-records", RECOGNISED_TLS, NULL, "TLSv1.3", NULL, NULL, NULL, "example.com",
		NULL, "t13d1516h2_8daaf6152771_e5627efa2ab1", NULL, NULL, -1, -1, false },
	{ "hello-cut-extension", RECOGNISED_TLS, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, -1, -1, false },
	{ "hello-long", RECOGNISED_TLS, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		-1, -1, false },
	{ "hello-answered-in-clear", RECOGNISED_CLEAR, "http", "TLSv1.3", NULL, NULL, NULL,
		"example.com", NULL, "t13d1516h2_8daaf6152771_e5627efa2ab1", NULL, NULL, -1, -1,
		false },
	{ "certificate-empty", RECOGNISED_TLS, NULL, "TLSv1.3", "TLSv1.2",
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL, "example.com", NULL,
		"t13d1516h2_8daaf6152771_e5627efa2ab1", NULL, NULL, 0, -1, false },
	{ "alert-first", RECOGNISED_CLEAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, -1, -1, false },
	{ "sixteen-in-clear", RECOGNISED_CLEAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, -1, -1, false },
	{ "ssh", RECOGNISED_SSH, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "SSH-2.0-",
		-1, -1, false },
	{ "ssh-long-banner", RECOGNISED_SSH, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		"SSH-2.0-xxx", -1, -1, false },
	{ "curl-http", RECOGNISED_CLEAR, "http", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, -1, -1, false },
	{ "redis", RECOGNISED_CLEAR, "redis", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		-1, -1, false },
	{ "smtp-starttls", RECOGNISED_TLS, "smtp", "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384",
		"x25519", NULL, NULL, "t13i310900_e8f1e7e78f70_1f22a2ca17c4", NULL, NULL, 0, -1,
		true },
	{ "pgsql-upgrade", RECOGNISED_TLS, "pgsql", "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384",
		"x25519", NULL, NULL, "t13i310900_e8f1e7e78f70_1f22a2ca17c4", NULL, NULL, 0, -1,
		true },
	{ "http-connect", RECOGNISED_TLS, "http", "TLSv1.3", "TLSv1.3", "TLS_AES_256_GCM_SHA384",
		"x25519", "localhost", NULL, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6", NULL, NULL, 0,
		-1, true },
	{ "mysql-upgrade", RECOGNISED_TLS, "mysql", "TLSv1.3", NULL, NULL, NULL, "example.com",
		NULL, "t13d1516h2_8daaf6152771_e5627efa2ab1", NULL, NULL, -1, -1, true },
};

static const size_t pieces[] = { DETERMINED, 1, 5, 6, 7, 100, 1400 };
#define EXPECTED (sizeof expected / sizeof expected[0])
#define PIECES (sizeof pieces / sizeof pieces[0])

static size_t read_capture(const char *name, uint8_t *data)
{
	char path[PATH_MAX];
	FILE *file;
	size_t len;

	snprintf(path, sizeof path, CAPTURES "%s", name);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s", path);
	len = fread(data, 1, FILE_MOST, file);
	fclose(file);
	return len;
}

static void take(struct recogniser *recogniser, enum recognise_way way, const uint8_t *data,
	size_t len, size_t piece)
{
	while (len > 0) {
		size_t count = piece != DETERMINED && piece < len ? piece : len;
		uint8_t *copy = malloc(count); /* so that a sanitizer sees its end */

		memcpy(copy, data, count);
		recogniser_take(recogniser, way, copy, count);
		free(copy);
		data += count;
		len -= count;
	}
}

static struct recogniser *replay(const char *name, size_t piece)
{
	static uint8_t data[FILE_MOST];
	struct recogniser *recogniser = recogniser_new();
	size_t len = read_capture(name, data), at = 0;

	while (at + 2 <= len) {
		size_t count = (size_t)(data[at] & 127) << 8 | data[at + 1];

		ck_assert(at + 2 + count <= len);
		take(recogniser, data[at] >> 7, data + at + 2, count, piece);
		at += 2 + count;
	}
	recogniser_end(recogniser);
	return recogniser;
}

static void check_text(const char *found, const char *want)
{
	if (want == NULL)
		ck_assert_msg(found == NULL || found[0] == '\0', "%s", found);
	else
		ck_assert_str_eq(found, want);
}

static void check(const struct recognition *found, const struct expected *want)
{
	char number[REGISTRY_NUMBER_LEN];

	ck_assert_str_eq(recognised_name(found->protocol), recognised_name(want->protocol));
	check_text(found->application, want->application);
	check_text(registry_version(found->offered), want->offered);
	check_text(registry_version(found->version), want->version);
	check_text(found->suite != 0 ? registry_suite(found->suite, number) : NULL, want->suite);
	check_text(found->group != 0 ? registry_group(found->group, number) : NULL, want->group);
	check_text(found->server_name, want->server_name);
	check_text(found->alpn, want->alpn);
	check_text(found->ja4, want->ja4);
	check_text(found->peer.subject, want->subject);
	ck_assert_int_eq(found->resumed, want->resumed);
	ck_assert_int_eq(found->alert[RECOGNISE_RECEIVED], want->received);
	ck_assert_int_eq(found->upgraded, want->upgraded);
	if (want->banner != NULL)
		ck_assert_int_eq(strncmp(found->banner[RECOGNISE_RECEIVED], want->banner,
					 strlen(want->banner)),
			0);
}

START_TEST(captures_are_recognised)
{
	const struct expected *want = &expected[_i / (int)PIECES];
	struct recogniser *recogniser = replay(want->capture, pieces[_i % (int)PIECES]);

	check(recogniser_result(recogniser), want);
	recogniser_free(recogniser);
}
END_TEST

/* Who comes to see only one side says what that one said. */
START_TEST(one_direction_alone_is_tls)
{
	static uint8_t data[FILE_MOST];
	struct recogniser *recogniser = recogniser_new();
	size_t len = read_capture("tls13", data);

	for (size_t at = 0; at + 2 <= len;) {
		size_t count = (size_t)(data[at] & 127) << 8 | data[at + 1];

		if (data[at] >> 7 == RECOGNISE_RECEIVED)
			take(recogniser, RECOGNISE_RECEIVED, data + at + 2, count, DETERMINED);
		at += 2 + count;
	}
	recogniser_end(recogniser);
	ck_assert_int_eq(recogniser_result(recogniser)->protocol, RECOGNISED_TLS);
	ck_assert_uint_eq(recogniser_result(recogniser)->version, 0x0304);
	recogniser_free(recogniser);
}
END_TEST

START_TEST(nothing_is_nothing)
{
	struct recogniser *recogniser = recogniser_new();

	recogniser_end(recogniser);
	ck_assert_int_eq(recogniser_result(recogniser)->protocol, RECOGNISED_NOTHING);
	recogniser_free(recogniser);
}
END_TEST

START_TEST(what_is_not_seen_is_unknown)
{
	struct recogniser *recogniser = recogniser_new();

	ck_assert(!recogniser_take(recogniser, RECOGNISE_SENT, (const uint8_t *)"hello", 5));
	recogniser_gap(recogniser, RECOGNISE_SENT);
	ck_assert_int_eq(recogniser_result(recogniser)->protocol, RECOGNISED_UNKNOWN);
	recogniser_free(recogniser);
	/* Too little to say that it is in the clear. */
	recogniser = recogniser_new();
	recogniser_take(recogniser, RECOGNISE_SENT, (const uint8_t *)"\x16\x03", 2);
	recogniser_end(recogniser);
	ck_assert_int_eq(recogniser_result(recogniser)->protocol, RECOGNISED_UNKNOWN);
	recogniser_free(recogniser);
}
END_TEST

#define HELLO "\x16\x03\x03\x00\x30\x02"
#define DATA "\x17\x03\x03\x00\x30xxxx"
#define ONE(text) text, sizeof text - 1

/* What is taken each way, 's' or 'r', where "" is a gap. */
static const struct {
	const char *name;
	struct {
		char way;
		const char *data;
		size_t len;
	} steps[4];
	enum recognised want;
} gaps[] = {
	{ "peer's hello", { { 's', ONE("") }, { 'r', ONE(HELLO) } }, RECOGNISED_TLS },
	{ "peer's banner", { { 's', ONE("") }, { 'r', ONE("SSH-2.0-x\r\n") } }, RECOGNISED_SSH },
	{ "peer's answer", { { 's', ONE("") }, { 'r', ONE("HTTP/1.1 200 OK\r\n") } },
		RECOGNISED_CLEAR },
	{ "peer says anything", { { 's', ONE("") }, { 'r', ONE("welcome") } }, RECOGNISED_CLEAR },
	{ "peer says data", { { 's', ONE("") }, { 'r', ONE(DATA) } }, RECOGNISED_UNKNOWN },
	{ "data at once", { { 's', ONE(DATA) }, { 'r', ONE(DATA) } }, RECOGNISED_UNKNOWN },
	{ "data behind a hello", { { 'r', ONE(HELLO) }, { 's', ONE(DATA) } }, RECOGNISED_TLS },
	{ "both", { { 's', ONE("") }, { 'r', ONE("") }, { 'r', ONE("welcome") } },
		RECOGNISED_UNKNOWN },
	{ "both, hello", { { 's', ONE("") }, { 'r', ONE("") }, { 'r', ONE(HELLO) } },
		RECOGNISED_TLS },
	{ "both, word", { { 's', ONE("") }, { 'r', ONE("") }, { 's', ONE("GET / ") } },
		RECOGNISED_CLEAR },
	{ "may have upgraded", { { 'r', ONE("220 ESMTP") }, { 's', ONE("") }, { 'r', ONE("") } },
		RECOGNISED_UNKNOWN },
	{ "answers are seen", { { 'r', ONE("220 ESMTP") }, { 's', ONE("") }, { 'r', ONE("250 ") } },
		RECOGNISED_CLEAR },
	{ "binary is no word", { { 's', ONE("") }, { 's', ONE("\x05\x01\x00") } },
		RECOGNISED_UNKNOWN },
	{ "hello goes on unseen",
		{ { 's', ONE("\x16\x03\x01\x02\x00\x01") }, { 's', ONE("") },
			{ 's', ONE("more") } },
		RECOGNISED_TLS },
};
#define GAPS (sizeof gaps / sizeof gaps[0])

START_TEST(behind_a_gap_only_what_is_certain_counts)
{
	struct recogniser *recogniser = recogniser_new();

	for (size_t i = 0; i < 4 && gaps[_i].steps[i].way != 0; i++) {
		enum recognise_way way =
			gaps[_i].steps[i].way == 's' ? RECOGNISE_SENT : RECOGNISE_RECEIVED;

		if (gaps[_i].steps[i].len == 0)
			recogniser_gap(recogniser, way);
		else
			recogniser_take(recogniser, way, (const uint8_t *)gaps[_i].steps[i].data,
				gaps[_i].steps[i].len);
	}
	recogniser_end(recogniser);
	ck_assert_msg(recogniser_result(recogniser)->protocol == gaps[_i].want, "%s: %s",
		gaps[_i].name, recognised_name(recogniser_result(recogniser)->protocol));
	recogniser_free(recogniser);
}
END_TEST

/* An upgrade may come for a while, and not for ever. */
START_TEST(what_stays_in_the_clear_is_decided)
{
	static const uint8_t some[1000] = "EHLO me";
	struct recogniser *recogniser = recogniser_new();
	size_t calls = 1;

	while (!recogniser_take(recogniser, RECOGNISE_SENT, some, sizeof some))
		ck_assert_uint_lt(++calls, 100);
	ck_assert_uint_gt(calls, 8);
	ck_assert_int_eq(recogniser_result(recogniser)->protocol, RECOGNISED_CLEAR);
	recogniser_free(recogniser);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recognise");
	TCase *tcase = tcase_create("recognise");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, captures_are_recognised, 0, (int)(EXPECTED * PIECES));
	tcase_add_test(tcase, one_direction_alone_is_tls);
	tcase_add_test(tcase, nothing_is_nothing);
	tcase_add_test(tcase, what_is_not_seen_is_unknown);
	tcase_add_loop_test(tcase, behind_a_gap_only_what_is_certain_counts, 0, GAPS);
	tcase_add_test(tcase, what_stays_in_the_clear_is_decided);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
