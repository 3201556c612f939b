/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is read in certificates: names and their comparison, dates, and hostile DER. */
#include "tls/alert.h"
#include "tls/name.h"
#include "tls_pair.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DNS "\x82"
#define IP "\x87"
#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

/* GeneralNames in DER: tag, length, bytes. */
static const struct {
	struct x509_bytes san;
	const char *name;
	bool want;
} name_case[] = {
	{ BYTES(DNS "\x03"
		    "a.b"),
		"a.b", true },
	{ BYTES(DNS "\x03"
		    "a.b"),
		"A.B", true },
	{ BYTES(DNS "\x03"
		    "A.b"),
		"a.b.", true },
	{ BYTES(DNS "\x03"
		    "a.b"),
		"a.bc", false },
	{ BYTES(DNS "\x03"
		    "a.b"),
		"a.", false },
	{ BYTES(DNS "\x03"
		    "a.b"),
		"", false },
	{ BYTES(DNS "\x03"
		    "a.b"),
		".", false },
	{ BYTES(DNS "\x03"
		    "a.b" DNS "\x03"
		    "c.d"),
		"c.d", true },
	{ BYTES("\x81\x03"
		"a.b" DNS "\x03"
		"c.d"),
		"a.b", false }, /* an email address */
	{ BYTES("\x86\x03"
		"a.b"),
		"a.b", false }, /* a URI */
	{ BYTES("\xa4\x03"
		"a.b" DNS "\x03"
		"c.d"),
		"c.d", true }, /* after a directoryName */
	{ BYTES(DNS "\x07"
		    "*.b.com"),
		"a.b.com", true },
	{ BYTES(DNS "\x07"
		    "*.b.com"),
		"b.com", false },
	{ BYTES(DNS "\x07"
		    "*.b.com"),
		".b.com", false },
	{ BYTES(DNS "\x07"
		    "*.b.com"),
		"a.a.b.com", false },
	{ BYTES(DNS "\x07"
		    "*.b.com"),
		"a.bXcom", false },
	{ BYTES(DNS "\x05"
		    "*.com"),
		"b.com", false },
	{ BYTES(DNS "\x01"
		    "*"),
		"com", false },
	{ BYTES(DNS "\x02"
		    "*."),
		"com.", false },
	{ BYTES(DNS "\x08"
		    "a*.b.com"),
		"ax.b.com", false },
	{ BYTES(DNS "\x08"
		    "*a.b.com"),
		"xa.b.com", false },
	{ BYTES(DNS "\x09"
		    "*.*.b.com"),
		"x.y.b.com", false },
	{ BYTES(DNS "\x09"
		    "a.*.b.com"),
		"a.x.b.com", false },
	{ BYTES(DNS "\x09"
		    "a.b\0.evil"),
		"a.b", false },
	{ BYTES(DNS "\x04"
		    "a_.b"),
		"a_.b", true },
	{ BYTES(DNS "\x09"
		    "127.0.0.1"),
		"127.0.0.1", false }, /* RFC 9525: an address is no dNSName */
	{ BYTES(IP "\x04\x7f\0\0\x01"), "127.0.0.1", true },
	{ BYTES(IP "\x04\x7f\0\0\x01"), "127.0.0.2", false },
	{ BYTES(IP "\x04\x7f\0\0\x01"), "127.1", false },
	{ BYTES(IP "\x03\x7f\0\0"), "127.0.0.1", false },
	{ BYTES(IP "\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), "::1", true },
	{ BYTES(IP "\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), "0::0:1%eth0", true },
	{ BYTES(IP "\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01"), "127.0.0.1", false },
	{ BYTES(DNS "\x7f"
		    "a.b"),
		"a.b", false }, /* longer than there is */
	{ BYTES(DNS "\x80"
		    "a.b\0\0"),
		"a.b", false }, /* of indefinite length */
	{ BYTES(DNS "\x81\x03"
		    "a.b"),
		"a.b", true }, /* a long form; DER it is not, harmful neither */
	{ BYTES(DNS "\x85\0\0\0\0\x03"
		    "a.b"),
		"a.b", false }, /* a longer one */
	{ BYTES(DNS), "a.b", false },
	{ BYTES(""), "a.b", false },
};

START_TEST(name_matches_or_not)
{
	/* An exact copy, so that the sanitizers see a byte too much. */
	uint8_t *copy = malloc(name_case[_i].san.len + 1);
	struct x509 certificate = { .san = { copy, name_case[_i].san.len } };

	memcpy(copy, name_case[_i].san.data, name_case[_i].san.len);
	copy = realloc(copy, name_case[_i].san.len > 0 ? name_case[_i].san.len : 1);
	certificate.san.data = copy;
	ck_assert_int_eq(name_matches(&certificate, name_case[_i].name), name_case[_i].want);
	free(copy);
}
END_TEST

START_TEST(host_names_are_told)
{
	char name[300];

	ck_assert(name_is_host("localhost"));
	ck_assert(name_is_host("a-b.c_d.example."));
	ck_assert(!name_is_host("a b"));
	ck_assert(!name_is_host("a..b"));
	ck_assert(!name_is_host(".a"));
	ck_assert(!name_is_host("a.."));
	ck_assert(!name_is_host("a/b"));
	ck_assert(!name_is_host("\xc3\xa4"));
	memset(name, 'a', sizeof name);
	name[253] = '\0';
	ck_assert(name_is_host(name));
	name[253] = 'a';
	name[254] = '\0';
	ck_assert(!name_is_host(name));
}
END_TEST

/* Names in DER, and as RFC 4514 writes them. */
static const struct {
	struct x509_bytes name;
	const char *want;
} text_case[] = {
	{ BYTES("\x30\x00"), "" },
	{ BYTES("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
		"a"),
		"CN=a" },
	{ BYTES("\x30\x18\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01"
		"o\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01"
		"a"),
		"CN=a,O=o" },
	{ BYTES("\x30\x16\x31\x14\x30\x08\x06\x03\x55\x04\x0a\x0c\x01"
		"o\x30\x08\x06\x03\x55\x04\x03\x13\x01"
		"a"),
		"O=o+CN=a" },
	{ BYTES("\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"#a,b\"+;<>"),
		"CN=\\#a\\,b\\\"\\+\\;\\<\\>" },
	{ BYTES("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"
		" a\\ "),
		"CN=\\ a\\\\\\ " },
	{ BYTES("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"
		"a\0\n\x7f"),
		"CN=a\\00\\0A\\7F" },
	{ BYTES("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"
		"\xc3\xa4\xff\xc3"),
		"CN=\xc3\xa4\\FF\\C3" },
	{ BYTES("\x30\x0d\x31\x0b\x30\x09\x06\x04\x2a\x03\x04\x05\x0c\x01"
		"a"),
		"1.2.3.4.5=a" },
	{ BYTES("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x1e\x02\0a"), "CN=#1E020061" },
	{ BYTES("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x05"
		"a"),
		"" }, /* longer than there is */
	{ BYTES("\x31\x00"), "" },
};

START_TEST(name_is_written)
{
	char *text = x509_name_text(text_case[_i].name);

	ck_assert_str_eq(text, text_case[_i].want);
	free(text);
}
END_TEST

START_TEST(long_name_is_cut)
{
	uint8_t der[2000] = { 0x30, 0x82, 0x07, 0xcc, 0x31, 0x82, 0x07, 0xc8, 0x30, 0x82, 0x07,
		0xc4, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x82, 0x07, 0xbb };
	char *text;

	memset(der + 21, 'a', sizeof der - 21);
	text = x509_name_text((struct x509_bytes){ der, sizeof der });
	ck_assert_uint_gt(strlen(text), 900);
	ck_assert_uint_lt(strlen(text), 1024);
	ck_assert_str_eq(text + strlen(text) - 4, "a...");
	free(text);
}
END_TEST

static const struct {
	int64_t when;
	const char *want;
} date_case[] = {
	{ 0, "1970-01-01" },
	{ -1, "1969-12-31" },
	{ 951782399, "2000-02-28" },
	{ 951782400, "2000-02-29" },
	{ 951868800, "2000-03-01" },
	{ 1704067199, "2023-12-31" },
	{ 4102444800, "2100-01-01" },
	{ 4107542400, "2100-03-01" },
	{ 253402300799, "9999-12-31" },
};

START_TEST(date_is_written)
{
	char text[X509_DATE_LEN];

	x509_date_text(date_case[_i].when, text);
	ck_assert_str_eq(text, date_case[_i].want);
}
END_TEST

static size_t read_der(const char *name, uint8_t *out, size_t room)
{
	FILE *file = fopen(pair_path(name), "re");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(out, 1, room, file);
	fclose(file);
	return len;
}

/* Everything that is done with a certificate. */
static int use(const uint8_t *der, size_t len)
{
	struct x509_bytes rest, value;
	enum x509_san_type type;
	struct x509 x509;

	if (x509_parse(der, len, &x509) < 0)
		return -EBADMSG;
	free(x509_name_text(x509.subject));
	free(x509_name_text(x509.issuer));
	free(x509_serial_text(x509.serial));
	rest = x509.san;
	while (x509_san_next(&rest, &type, &value))
		free(x509_san_text(type, value));
	name_matches(&x509, "server.test");
	return 0;
}

START_TEST(hostile_certificate_is_harmless)
{
	uint8_t der[2048];
	size_t len = read_der("server.der", der, sizeof der);

	ck_assert_int_eq(use(der, len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut > 0 ? cut : 1);

		memcpy(copy, der, cut);
		ck_assert_int_eq(use(copy, cut), -EBADMSG);
		free(copy);
	}
	for (size_t at = 0; at < len; at++)
		for (int value = 0; value < 256; value += 3) {
			uint8_t *copy = malloc(len);

			memcpy(copy, der, len);
			copy[at] = (uint8_t)value;
			use(copy, len);
			free(copy);
		}
}
END_TEST

START_TEST(certificate_is_read)
{
	uint8_t der[2048];
	size_t len = read_der("ca.der", der, sizeof der);
	struct x509 x509;

	ck_assert_int_eq(x509_parse(der, len, &x509), 0);
	ck_assert(x509.is_ca);
	ck_assert_uint_eq(x509.subject.len, x509.issuer.len);
	ck_assert_mem_eq(x509.subject.data, x509.issuer.data, x509.subject.len);
	ck_assert_int_eq(x509.not_after - x509.not_before, 30 * 86400);
	len = read_der("server.der", der, sizeof der);
	ck_assert_int_eq(x509_parse(der, len, &x509), 0);
	ck_assert(!x509.is_ca);
	ck_assert_int_eq(x509.not_before, 1577836800); /* 2020-01-01 */
}
END_TEST

START_TEST(alerts_have_names)
{
	ck_assert_str_eq(tls_alert_name(0), "close_notify");
	ck_assert_str_eq(tls_alert_name(40), "handshake_failure");
	ck_assert_str_eq(tls_alert_name(116), "certificate_required");
	ck_assert_str_eq(tls_alert_name(255), "unknown");
	ck_assert_str_eq(tls_alert_name(-1), "unknown");
	ck_assert_int_eq(alert_errno(0), -ECONNRESET);
	ck_assert_int_eq(alert_errno(48), -EKEYREJECTED);
	ck_assert_int_eq(alert_errno(70), -EPROTO);
	ck_assert_int_eq(alert_errno(200), -EPROTO);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
	Suite *suite = suite_create("handshake_names");
	TCase *tcase = tcase_create("handshake_names");
	SRunner *runner = srunner_create(suite);
	int failed;

	pair_make_certs();
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, name_matches_or_not, 0, COUNT(name_case));
	tcase_add_test(tcase, host_names_are_told);
	tcase_add_loop_test(tcase, name_is_written, 0, COUNT(text_case));
	tcase_add_test(tcase, long_name_is_cut);
	tcase_add_loop_test(tcase, date_is_written, 0, COUNT(date_case));
	tcase_add_test(tcase, hostile_certificate_is_harmless);
	tcase_add_test(tcase, certificate_is_read);
	tcase_add_test(tcase, alerts_have_names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
