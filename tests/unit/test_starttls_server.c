/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The upgrade as a server speaks it: rows are the program's greeting, what a client says, and what
 * it hears of both. */
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
#define OID "1.3.6.1.4.1.1466.20037"
#define LDAP_STARTTLS "\x30\x1d\x02\x01\x07\x77\x18\x80\x16" OID
#define LDAP_SUCCESS "\x30\x24\x02\x01\x07\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x16" OID
#define REQUIRED "\x0a\x01\x0d\x04\x00\x04\x0fTLS is required"
#define PG_ERROR                                                                                   \
	"E\0\0\0\x44"                                                                              \
	"SFATAL\0VFATAL\0"                                                                         \
	"C28000\0Mconnections without TLS are not accepted\0\0"

struct bytes {
	const char *at;
	size_t len;
};
#define B(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

enum end { UPGRADES, GOES_ON, LEAVES, REFUSED };

static const struct {
	enum policy_starttls protocol;
	struct bytes greeting, hears_of_it; /* the client */
	struct bytes says, hears;
	enum end end;
} dialogue[] = {
	{ SMTP, B("220 mx.test ESMTP\r\n"), B("220 mx.test ESMTP\r\n"), B("EHLO c\r\nSTARTTLS\r\n"),
		B("250-mx.test\r\n250 STARTTLS\r\n220 2.0.0 Ready to start TLS\r\n"), UPGRADES },
	{ SMTP, B("220-mx.test\r\n220 two\r\n"), B("220-mx.test\r\n220 two\r\n"),
		B("ehlo c\nstarttls \n"),
		B("250-two\r\n250 STARTTLS\r\n220 2.0.0 Ready to start TLS\r\n"), UPGRADES },
	{ SMTP, B("220 \r\n"), B("220 \r\n"), B("HELO c\r\nNOOP\r\nSTARTTLS now\r\n"),
		B("250 localhost\r\n250 2.0.0 OK\r\n501 5.5.4 Syntax error (no parameters "
		  "allowed)\r\n"),
		GOES_ON },
	{ SMTP, B("220 a\r\n"), B("220 a\r\n"),
		B("MAIL FROM:<x@y>\r\nAUTH PLAIN AHgAeQ==\r\nSTARTTLSX\r\n\r\n"),
		B("530 5.7.0 Must issue a STARTTLS command first\r\n"
		  "530 5.7.0 Must issue a STARTTLS command first\r\n"
		  "530 5.7.0 Must issue a STARTTLS command first\r\n"
		  "530 5.7.0 Must issue a STARTTLS command first\r\n"),
		GOES_ON },
	{ SMTP, B("554 no\r\n"), B("554 no\r\n"), B("QUIT\r\n"), B("221 2.0.0 Bye\r\n"), LEAVES },
	{ SMTP, B("220 a\r\n"), B("220 a\r\n"), B("STARTTLS\r\nMAIL FROM:<x@y>\r\n"), B(""),
		REFUSED },
	{ SMTP, B("220 a\r\n"), B("220 a\r\n"), B("NOOP a\rSTARTTLS\r\n"), B(""), REFUSED },
	{ SMTP, B("220 a\r\n"), B("220 a\r\n"), B("\x16\x03\x01\x02\n"),
		B("530 5.7.0 Must issue a STARTTLS command first\r\n"), GOES_ON },
	{ IMAP, B("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"),
		B("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n"),
		B("a1 CAPABILITY\r\na.2 STARTTLS\r\n"),
		B("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK CAPABILITY completed\r\n"
		  "a.2 OK Begin TLS negotiation now\r\n"),
		UPGRADES },
	{ IMAP, B("* OK hi\r\n"), B("* OK hi\r\n"),
		B("a login {4}\r\nb AUTHENTICATE PLAIN x\r\nc ID NIL\r\n{ "
		  "STARTTLS\r\nSTARTTLS\r\n"),
		B("a NO [PRIVACYREQUIRED] Issue STARTTLS first\r\n"
		  "b NO [PRIVACYREQUIRED] Issue STARTTLS first\r\n"
		  "c NO [PRIVACYREQUIRED] Issue STARTTLS first\r\n"
		  "* BAD no tag\r\n* BAD no tag\r\n"),
		GOES_ON },
	{ IMAP, B("* OK hi\r\n"), B("* OK hi\r\n"), B("a LOGOUT\r\n"),
		B("* BYE Logging out\r\na OK LOGOUT completed\r\n"), LEAVES },
	{ IMAP, B("* PREAUTH hi\r\n"), B("* BYE TLS is required\r\n"), B(""), B(""), REFUSED },
	{ POP3, B("+OK <1@test>\r\n"), B("+OK <1@test>\r\n"), B("CAPA\r\nUSER x\r\nstls\r\n"),
		B("+OK Capability list follows\r\nSTLS\r\n.\r\n-ERR Issue STLS first\r\n"
		  "+OK Begin TLS negotiation\r\n"),
		UPGRADES },
	{ POP3, B("+OK\r\n"), B("+OK\r\n"), B("QUIT\r\n"), B("+OK Bye\r\n"), LEAVES },
	{ NNTP, B("200 hi\r\n"), B("200 hi\r\n"), B("CAPABILITIES\r\nMODE READER\r\nSTARTTLS\r\n"),
		B("101 Capability list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"
		  "483 Issue STARTTLS first\r\n382 Continue with TLS negotiation\r\n"),
		UPGRADES },
	{ PGSQL, B(""), B(""), B("\0\0\0\x08\x04\xd2\x16\x2f"), B("S"), UPGRADES },
	{ PGSQL, B(""), B(""), B("\0\0\0\x08\x04\xd2\x16\x30\0\0\0\x08\x04\xd2\x16\x2f"), B("NS"),
		UPGRADES },
	{ PGSQL, B(""), B(""), B("\0\0\0\x08\x04\xd2\x16\x2f\0\0\0\x20"), B(""), REFUSED },
	{ PGSQL, B(""), B(""), B("\0\0\0\x20\0\x03\0\0user\0x\0\0"), B(PG_ERROR), REFUSED },
	{ PGSQL, B(""), B(""), B("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"), B(""),
		REFUSED },
	{ PGSQL, B(""), B(""), B("\x16\x03\x01\x02\0\x01\0\x01"), B(""), REFUSED },
	{ LDAP, B(""), B(""), B(LDAP_STARTTLS), B(LDAP_SUCCESS), UPGRADES },
	{ LDAP, B(""), B(""), B(LDAP_STARTTLS "0"), B(""), REFUSED },
	{ LDAP, B(""), B(""),
		B("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"
		  "\x30\x06\x02\x02\x01\x00\x4a\x00\x30\x06\x02\x01\x05\x50\x01\x01"),
		B("\x30\x1b\x02\x01\x01\x61\x16" REQUIRED
		  "\x30\x1c\x02\x02\x01\x00\x6b\x16" REQUIRED),
		GOES_ON },
	{ LDAP, B(""), B(""), B("\x30\x09\x02\x01\x01\x77\x04\x80\x02\x31\x2e"),
		B("\x30\x1b\x02\x01\x01\x78\x16" REQUIRED), GOES_ON },
	{ LDAP, B(""), B(""), B("\x30\x05\x02\x01\x01\x42\x00"), B(""), LEAVES },
	{ LDAP, B(""), B(""), B("\x30\x05\x02\x01\x01\x99\x00"), B(""), REFUSED },
	{ LDAP, B(""), B(""), B("\x30\x05\x02\x01\x01\x77\x01"), B(""), REFUSED },
	{ LDAP, B(""), B(""), B("\x30\x02\x02\x00"), B(""), REFUSED },
	{ LDAP, B(""), B(""), B("\x30\x82\xff\xff"), B(""), REFUSED },
};
#define DIALOGUES (sizeof(dialogue) / sizeof(dialogue[0]))

static struct starttls *starttls;

static void check_heard(const struct bytes *want)
{
	size_t len;
	const uint8_t *said = starttls_pending(starttls, &len);

	ck_assert_msg(len == want->len && memcmp(said, want->at, len) == 0, "got %zu bytes '%.*s'",
		len, (int)len, (const char *)said);
	starttls_sent(starttls, len);
}

static void hear(const struct bytes *what, size_t at_a_time, enum starttls_state state,
	size_t (*by)(struct starttls *starttls, const uint8_t *data, size_t len))
{
	for (size_t at = 0; at < what->len && starttls_state(starttls) == state;) {
		size_t len = what->len - at < at_a_time ? what->len - at : at_a_time;

		at += by(starttls, (const uint8_t *)what->at + at, len);
	}
}

static void check_end(enum end end)
{
	static const enum starttls_state states[] = { [UPGRADES] = STARTTLS_UPGRADE,
		[GOES_ON] = STARTTLS_PEER,
		[LEAVES] = STARTTLS_OVER,
		[REFUSED] = STARTTLS_OVER };

	ck_assert_int_eq(starttls_state(starttls), states[end]);
	ck_assert(starttls_left(starttls) == (end == LEAVES));
	ck_assert((starttls_reason(starttls)[0] != '\0') == (states[end] == STARTTLS_OVER));
}

static void begin(int row, size_t at_a_time)
{
	starttls = starttls_new(dialogue[row].protocol, true, "localhost");
	ck_assert(starttls_greets(dialogue[row].protocol) ==
		  (starttls_state(starttls) == STARTTLS_PROGRAM));
	hear(&dialogue[row].greeting, at_a_time, STARTTLS_PROGRAM, starttls_hear_program);
	check_heard(&dialogue[row].hears_of_it);
}

START_TEST(dialogue_ends_as_it_should)
{
	begin(_i, 4096);
	hear(&dialogue[_i].says, 4096, STARTTLS_PEER, starttls_hear);
	check_heard(&dialogue[_i].hears);
	check_end(dialogue[_i].end);
	starttls_free(starttls);
}
END_TEST

/* The same byte by byte, where nothing can come in one go with what ends it. */
START_TEST(dialogue_comes_byte_by_byte)
{
	begin(_i, 1);
	hear(&dialogue[_i].says, 1, STARTTLS_PEER, starttls_hear);
	if (dialogue[_i].end != REFUSED) {
		check_heard(&dialogue[_i].hears);
		check_end(dialogue[_i].end);
	}
	starttls_free(starttls);
}
END_TEST

START_TEST(what_the_program_says_behind_its_greeting_is_left)
{
	starttls = starttls_new(SMTP, true, "localhost");
	ck_assert_uint_eq(
		starttls_hear_program(starttls, (const uint8_t *)"220 a\r\n421 b\r\n", 14), 7);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_PEER);
	starttls_free(starttls);
}
END_TEST

START_TEST(a_client_has_to_come_to_the_point)
{
	starttls = starttls_new(SMTP, true, "localhost");
	starttls_hear_program(starttls, (const uint8_t *)"220 a\r\n", 7);
	for (int i = 0; i < 16; i++)
		starttls_hear(starttls, (const uint8_t *)"NOOP\r\n", 6);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_PEER);
	starttls_hear(starttls, (const uint8_t *)"NOOP\r\n", 6);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
	starttls_free(starttls);
}
END_TEST

START_TEST(long_lines_are_refused)
{
	static uint8_t line[5000];

	memset(line, 'x', sizeof(line));
	starttls = starttls_new(SMTP, true, "localhost");
	starttls_hear_program(starttls, (const uint8_t *)"220 a\r\n", 7);
	for (int i = 0; i < 5 && starttls_state(starttls) == STARTTLS_PEER; i++)
		starttls_hear(starttls, line, 1000);
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
	starttls_free(starttls);
	starttls = starttls_new(SMTP, true, "localhost");
	starttls_hear_program(starttls, line, sizeof(line));
	ck_assert_int_eq(starttls_state(starttls), STARTTLS_OVER);
	starttls_free(starttls);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("starttls_server");
	TCase *tcase = tcase_create("server");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, dialogue_ends_as_it_should, 0, DIALOGUES);
	tcase_add_loop_test(tcase, dialogue_comes_byte_by_byte, 0, DIALOGUES);
	tcase_add_test(tcase, what_the_program_says_behind_its_greeting_is_left);
	tcase_add_test(tcase, a_client_has_to_come_to_the_point);
	tcase_add_test(tcase, long_lines_are_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
