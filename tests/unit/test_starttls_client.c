/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The upgrade as a client speaks it. Each row is a whole dialogue, heard at once up to each answer,
 * and once more byte by byte. */
#include "conn/starttls.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SMTP POLICY_STARTTLS_SMTP
#define IMAP POLICY_STARTTLS_IMAP
#define POP3 POLICY_STARTTLS_POP3
#define NNTP POLICY_STARTTLS_NNTP
#define PGSQL POLICY_STARTTLS_PGSQL
#define LDAP POLICY_STARTTLS_LDAP
#define STEPS 4
#define SSL_REQUEST "\0\0\0\x08\x04\xd2\x16\x2f"
#define LDAP_REQUEST                                                                               \
	"\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                                                     \
	"1.3.6.1.4.1.1466.20037"
#define LDAP_SUCCESS "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

struct bytes {
	const char *at;
	size_t len;
};
#define B(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct {
	enum policy_starttls protocol;
	struct bytes said[STEPS];  /* by us: unasked, and after each that was heard */
	struct bytes heard[STEPS]; /* from the server */
	const char *greeting;      /* for the program */
	const char *reason;        /* NULL: it comes to the handshake */
} dialogue[] = {
	{ SMTP, { B(""), B("EHLO [192.0.2.1]\r\n"), B("STARTTLS\r\n"), B("") },
		{ B("220 mx.test ESMTP\r\n"), B("250-mx.test\r\n250-SIZE 9\r\n250 STARTTLS\r\n"),
			B("220 go\r\n") },
		"220 mx.test ESMTP\r\n", NULL },
	{ SMTP, { B(""), B("EHLO [192.0.2.1]\r\n"), B("STARTTLS\r\n"), B("") },
		{ B("220-mx.test\n220-two\n220 three\n"), B("250-mx.test\n250-starttls\n250 X\n"),
			B("220-go\n220 now\n") },
		"220-mx.test\r\n220-two\r\n220 three\r\n", NULL },
	{ SMTP, { B(""), B("EHLO [192.0.2.1]\r\n"), B("") },
		{ B("220 mx.test\r\n"), B("250-mx.test\r\n250 SIZE 9\r\n") }, NULL,
		"starttls = smtp: the server does not offer STARTTLS" },
	{ SMTP, { B(""), B("EHLO [192.0.2.1]\r\n"), B("") },
		{ B("220 mx.test\r\n"), B("250-XSTARTTLS\r\n250 STARTTLSX\r\n") }, NULL,
		"starttls = smtp: the server does not offer STARTTLS" },
	{ SMTP, { B(""), B("EHLO [192.0.2.1]\r\n"), B("") },
		{ B("220 mx.test\r\n"), B("502 no\r\n") }, NULL,
		"starttls = smtp: the server answered EHLO with '502 no'" },
	{ SMTP, { B(""), B("EHLO [192.0.2.1]\r\n"), B("STARTTLS\r\n"), B("") },
		{ B("220 mx.test\r\n"), B("250 STARTTLS\r\n"), B("454 later\x1b[1m\r\n") }, NULL,
		"starttls = smtp: the server answered STARTTLS with '454 later?[1m'" },
	{ SMTP, { B(""), B("") }, { B("554 no\r\n") }, NULL,
		"starttls = smtp: the server greeted with '554 no'" },
	{ SMTP, { B(""), B("") }, { B("SSH-2.0-x\r\n") }, NULL,
		"starttls = smtp: the server greeted with 'SSH-2.0-x'" },
	{ SMTP, { B(""), B("") }, { B("220 a\rEHLO\r\n") }, NULL,
		"starttls = smtp: the peer sent a line with a control character in it" },
	{ SMTP, { B(""), B("") }, { B("220 a\0b\r\n") }, NULL,
		"starttls = smtp: the peer sent a line with a control character in it" },
	{ IMAP, { B(""), B("S1 STARTTLS\r\n"), B("") }, { B("* OK ready\r\n"), B("S1 OK go\r\n") },
		"* OK ready\r\n", NULL },
	{ IMAP, { B(""), B("S1 STARTTLS\r\n"), B("") },
		{ B("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"),
			B("* OK wait\r\ns1 ok go\r\n") },
		"* OK ready\r\n", NULL },
	{ IMAP, { B(""), B("") }, { B("* PREAUTH welcome\r\n") }, NULL,
		"starttls = imap: the server greeted with PREAUTH, after which there is no "
		"STARTTLS" },
	{ IMAP, { B(""), B("") }, { B("* BYE busy\r\n") }, NULL,
		"starttls = imap: the server greeted with '* BYE busy'" },
	{ IMAP, { B(""), B("S1 STARTTLS\r\n"), B("") },
		{ B("* OK ready\r\n"), B("S1 BAD what\r\n") }, NULL,
		"starttls = imap: the server answered STARTTLS with 'S1 BAD what'" },
	{ IMAP, { B(""), B("S1 STARTTLS\r\n"), B("") }, { B("* OK ready\r\n"), B("S2 OK go\r\n") },
		NULL, "starttls = imap: the server answered STARTTLS with 'S2 OK go'" },
	{ POP3, { B(""), B("STLS\r\n"), B("") },
		{ B("+OK POP3 <1896.697170952@test>\r\n"), B("+OK go\r\n") },
		"+OK POP3 <1896.697170952@test>\r\n", NULL },
	{ POP3, { B(""), B("STLS\r\n"), B("") }, { B("+OK\r\n"), B("-ERR no\r\n") }, NULL,
		"starttls = pop3: the server answered STLS with '-ERR no'" },
	{ POP3, { B(""), B("") }, { B("-ERR busy\r\n") }, NULL,
		"starttls = pop3: the server greeted with '-ERR busy'" },
	{ NNTP, { B(""), B("STARTTLS\r\n"), B("") }, { B("201 no posting\r\n"), B("382 go\r\n") },
		"201 no posting\r\n", NULL },
	{ NNTP, { B(""), B("STARTTLS\r\n"), B("") }, { B("200 hi\r\n"), B("580 cannot\r\n") }, NULL,
		"starttls = nntp: the server answered STARTTLS with '580 cannot'" },
	{ NNTP, { B(""), B("") }, { B("400 later\r\n") }, NULL,
		"starttls = nntp: the server greeted with '400 later'" },
	{ PGSQL, { B(SSL_REQUEST), B("") }, { B("S") }, "", NULL },
	{ PGSQL, { B(SSL_REQUEST), B("") }, { B("N") }, NULL,
		"starttls = pgsql: the server does not offer TLS" },
	{ PGSQL, { B(SSL_REQUEST), B("") }, { B("E") }, NULL,
		"starttls = pgsql: the server answered SSLRequest with an error" },
	{ PGSQL, { B(SSL_REQUEST), B("") }, { B("\x15") }, NULL,
		"starttls = pgsql: the server answered SSLRequest with the byte 15" },
	{ LDAP, { B(LDAP_REQUEST), B("") }, { B(LDAP_SUCCESS) }, "", NULL },
	{ LDAP, { B(LDAP_REQUEST), B("") }, { B("\x30\x09\x02\x01\x01\x78\x84\0\0\0\x03") }, NULL,
		"starttls = ldap: the peer sent a malformed LDAP message" },
	{ LDAP, { B(LDAP_REQUEST), B("") },
		{ B("\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04"
		    "\x00") },
		"", NULL },
	{ LDAP, { B(LDAP_REQUEST), B("") },
		{ B("\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x34\x04\x00\x04\x02no") }, NULL,
		"starttls = ldap: the server answered StartTLS with the result 52: 'no'" },
	{ LDAP, { B(LDAP_REQUEST), B("") },
		{ B("\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00") }, NULL,
		"starttls = ldap: the server answered StartTLS with the result 0" },
	{ LDAP, { B(LDAP_REQUEST), B("") },
		{ B("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00") }, NULL,
		"starttls = ldap: the server did not answer StartTLS, but something else" },
	{ LDAP, { B(LDAP_REQUEST), B("") }, { B("HTTP") }, NULL,
		"starttls = ldap: the peer does not speak LDAP" },
	{ LDAP, { B(LDAP_REQUEST), B("") }, { B("\x30\x80\0\0") }, NULL,
		"starttls = ldap: the peer does not speak LDAP" },
	{ LDAP, { B(LDAP_REQUEST), B("") }, { B("\x30\x84\xff\xff\xff\xff") }, NULL,
		"starttls = ldap: the peer sent a message of more than 4096 bytes" },
};
#define DIALOGUES (sizeof(dialogue) / sizeof(dialogue[0]))

static struct starttls *starttls;

static void check_said(const struct bytes *want)
{
	size_t len;
	const uint8_t *said = starttls_pending(starttls, &len);

	ck_assert_uint_eq(len, want->len);
	ck_assert_int_eq(memcmp(said, want->at, len), 0);
	starttls_sent(starttls, len);
}

static void hear(const struct bytes *what, size_t at_a_time)
{
	for (size_t at = 0; at < what->len && starttls_state(starttls) == STARTTLS_PEER;) {
		size_t len = what->len - at < at_a_time ? what->len - at : at_a_time;

		at += starttls_hear(starttls, (const uint8_t *)what->at + at, len);
	}
}

static void converse(int row, size_t at_a_time)
{
	const uint8_t *greeting;
	size_t len;

	starttls = starttls_new(dialogue[row].protocol, false, "192.0.2.1");
	check_said(&dialogue[row].said[0]);
	for (int i = 0; i < STEPS && dialogue[row].heard[i].at != NULL; i++) {
		ck_assert_int_eq(starttls_state(starttls), STARTTLS_PEER);
		hear(&dialogue[row].heard[i], at_a_time);
		check_said(&dialogue[row].said[i + 1]);
	}
	if (dialogue[row].reason != NULL) {
		ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
		ck_assert_str_eq(starttls_reason(starttls), dialogue[row].reason);
		ck_assert(!starttls_left(starttls));
	} else {
		ck_assert_int_eq(starttls_state(starttls), STARTTLS_UPGRADE);
		greeting = starttls_greeting(starttls, &len);
		ck_assert_uint_eq(len, strlen(dialogue[row].greeting));
		ck_assert_int_eq(memcmp(greeting, dialogue[row].greeting, len), 0);
	}
	starttls_free(starttls);
}

START_TEST(dialogue_ends_as_it_should)
{
	converse(_i, 4096);
	converse(_i, 1);
}
END_TEST

static const struct bytes agreement[] = {
	[SMTP] = B("220 a\r\n|250 STARTTLS\r\n|220 go\r\n"),
	[IMAP] = B("* OK a\r\n|S1 OK go\r\n"),
	[POP3] = B("+OK a\r\n|+OK go\r\n"),
	[LDAP] = B(LDAP_SUCCESS),
	[PGSQL] = B("S"),
	[NNTP] = B("200 a\r\n|382 go\r\n"),
};

/* Up to the agreement, `behind` comes in one go with it. */
static size_t hear_agreement(enum policy_starttls protocol, const char *behind, size_t behind_len)
{
	const char *at = agreement[protocol].at, *end = at + agreement[protocol].len, *bar;
	uint8_t last[256];
	size_t len;

	starttls = starttls_new(protocol, false, "::1");
	while (protocol != LDAP && (bar = memchr(at, '|', (size_t)(end - at))) != NULL) {
		const struct bytes part = { at, (size_t)(bar - at) };

		hear(&part, part.len);
		at = bar + 1;
	}
	len = (size_t)(end - at);
	memcpy(last, at, len);
	memcpy(last + len, behind, behind_len);
	ck_assert_uint_eq(starttls_hear(starttls, last, len + behind_len), len);
	return len;
}

START_TEST(what_comes_behind_the_agreement_is_refused)
{
	size_t len;

	hear_agreement((enum policy_starttls)_i, "", 0);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_UPGRADE);
	starttls_free(starttls);
	hear_agreement((enum policy_starttls)_i, "2", 1);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
	ck_assert_ptr_nonnull(
		strstr(starttls_reason(starttls), "in the clear behind its agreement"));
	starttls_pending(starttls, &len);
	ck_assert_uint_eq(len, 0);
	starttls_free(starttls);
}
END_TEST

/* Commands and replies that are not one for one. */
START_TEST(what_comes_before_we_ask_is_the_answer_to_nothing)
{
	starttls = starttls_new(SMTP, false, "192.0.2.1");
	starttls_hear(starttls, (const uint8_t *)"220 a\r\n220 go\r\n", 15);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
	starttls_free(starttls);
}
END_TEST

static void flood(enum policy_starttls protocol, const char *line, size_t lines)
{
	starttls = starttls_new(protocol, false, "192.0.2.1");
	for (size_t i = 0; i < lines && starttls_state(starttls) == STARTTLS_PEER; i++) {
		size_t len;

		starttls_hear(starttls, (const uint8_t *)line, strlen(line));
		starttls_pending(starttls, &len);
		starttls_sent(starttls, len);
	}
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
	starttls_free(starttls);
}

START_TEST(floods_are_ended)
{
	static char line[1024];

	memset(line, 'x', sizeof(line) - 1);
	flood(SMTP, line, 10); /* one line */
	memcpy(line, "220-", 4);
	line[sizeof(line) - 2] = '\n';
	flood(SMTP, line, 10);
	flood(SMTP, "220-\r\n", 100);
	flood(IMAP, "* OK more\r\n", 100);
}
END_TEST

START_TEST(an_ipv6_client_says_so)
{
	static const struct bytes want = B("EHLO [IPv6:2001:db8::1]\r\n");

	starttls = starttls_new(SMTP, false, "2001:db8::1");
	starttls_hear(starttls, (const uint8_t *)"220 a\r\n", 7);
	check_said(&want);
	starttls_free(starttls);
}
END_TEST

static const struct {
	struct bytes bytes;
	bool is;
} request[] = {
	{ B("\0\0\0\x08\x04\xd2\x16\x2f"), true },
	{ B("\0\0\0\x08\x04\xd2\x16\x30"), true },
	{ B("\0\0\0\x08\x04\xd2\x16\x2e"), false },
	{ B("\0\0\0\x08\x04\xd2\x16"), false },
	{ B("\0\0\0\x08\x04\xd2\x16\x2f\0"), false },
	{ B("\0\0\0\x09\x04\xd2\x16\x2f"), false },
	{ B(""), false },
};

START_TEST(requests_are_known)
{
	ck_assert(starttls_is_request((const uint8_t *)request[_i].bytes.at,
			  request[_i].bytes.len) == request[_i].is);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("starttls_client");
	TCase *tcase = tcase_create("client");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, dialogue_ends_as_it_should, 0, DIALOGUES);
	tcase_add_loop_test(tcase, what_comes_behind_the_agreement_is_refused, SMTP, NNTP + 1);
	tcase_add_test(tcase, what_comes_before_we_ask_is_the_answer_to_nothing);
	tcase_add_test(tcase, floods_are_ended);
	tcase_add_test(tcase, an_ipv6_client_says_so);
	tcase_add_loop_test(tcase, requests_are_known, 0, sizeof(request) / sizeof(request[0]));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
