/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may begin under `require`. */
#include "tls/gate.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SENT 0
#define RECEIVED 1
#define BOTH (GATE_TLS | GATE_SSH)

#define CLIENT "\x16\x03\x01\0\x05\x01"
#define RANDOM "0123456789abcdef0123456789abcdef"
/* The record's first bytes, and the rest; its version, its suite, extensions. */
#define SERVER "\x16\x03\x03\0\x36\x02"
#define HELLO(version, suite, extensions) "\0\0\x32" version RANDOM "\0" suite "\0" extensions
#define NO_EXTENSIONS "\0\x0a\0\0\0\0\0\0\0\2xy"
#define AEAD "\xc0\x2f"
#define SERVER10 SERVER HELLO("\x03\x01", AEAD, NO_EXTENSIONS)
#define SERVER12 SERVER HELLO("\x03\x03", AEAD, NO_EXTENSIONS)
#define SERVER13 SERVER HELLO("\x03\x03", "\x13\x01", "\0\x0a\0\0\0\0\0\x2b\0\2\3\4")
#define SERVER_NULL SERVER HELLO("\x03\x03", "\xc0\x10", NO_EXTENSIONS)
/* In two records, without extensions at all; and what cannot be one. */
#define SERVER_CUT "\x16\x03\x01\0\x05\x02\0\0\x26\x03"
#define SERVER_END "\x16\x03\x01\0\x25\x01" RANDOM "\0" AEAD "\0"
#define SERVER_LONG SERVER HELLO("\x03\x03", AEAD, "\0\x0a\0\0\0\x07\0\0\0\0\0\0")
#define SERVER_EMPTY "\x16\x03\x03\0\x04\x02\0\0\0"
#define ALERT "\x15\x03\x03\0\x02\x02\x28"
#define REST "1234"
#define DATA "\x17\x03\x03\0\x03xyz"

#define S(way, text)                                                                               \
	{                                                                                          \
		way, text, sizeof(text) - 1                                                        \
	}

static const struct gate_case {
	unsigned allowed;
	enum gate_verdict want;
	struct {
		unsigned way;
		const char *data;
		size_t len;
	} steps[5];
} cases[] = {
	{ GATE_TLS, GATE_OPEN, { S(SENT, CLIENT REST), S(RECEIVED, SERVER12) } },
	{ GATE_TLS, GATE_OPEN, { S(RECEIVED, CLIENT REST), S(SENT, SERVER13) } },
	/* Two threads: heard of in the other order. */
	{ GATE_TLS, GATE_OPEN, { S(RECEIVED, SERVER12), S(SENT, CLIENT REST) } },
	/* A warning, and then it goes on. */
	{ GATE_TLS, GATE_OPEN,
		{ S(SENT, CLIENT REST), S(RECEIVED, ALERT), S(RECEIVED, SERVER12) } },
	{ GATE_TLS, GATE_OPEN,
		{ S(SENT, CLIENT REST), S(RECEIVED, SERVER_CUT), S(RECEIVED, SERVER_END) } },
	/* Versions. */
	{ GATE_TLS, GATE_OPEN, { S(SENT, CLIENT REST), S(RECEIVED, SERVER10) } },
	{ GATE_TLS12, GATE_TOO_OLD, { S(SENT, CLIENT REST), S(RECEIVED, SERVER10) } },
	{ GATE_TLS12, GATE_TOO_OLD,
		{ S(SENT, CLIENT REST), S(RECEIVED, SERVER_CUT), S(RECEIVED, SERVER_END) } },
	{ GATE_TLS12, GATE_OPEN, { S(SENT, CLIENT REST), S(RECEIVED, SERVER12) } },
	{ GATE_TLS12, GATE_OPEN, { S(SENT, CLIENT REST), S(RECEIVED, SERVER13) } },
	{ GATE_TLS13, GATE_TOO_OLD, { S(SENT, CLIENT REST), S(RECEIVED, SERVER12) } },
	{ GATE_TLS13, GATE_OPEN, { S(SENT, CLIENT REST), S(RECEIVED, SERVER13) } },
	{ GATE_TLS13, GATE_TOO_OLD, { S(RECEIVED, CLIENT REST), S(SENT, SERVER12) } },
	{ GATE_TLS12 | GATE_TLS13, GATE_OPEN, { S(SENT, CLIENT REST), S(RECEIVED, SERVER12) } },
	{ GATE_TLS13 | GATE_SSH, GATE_OPEN,
		{ S(SENT, "SSH-2.0-x\r\n"), S(RECEIVED, "SSH-2.0-y\r\n") } },
	{ GATE_TLS, GATE_UNSAFE, { S(SENT, CLIENT REST), S(RECEIVED, SERVER_NULL) } },
	{ BOTH, GATE_OPEN, { S(SENT, "SSH-2.0-x\r\n"), S(RECEIVED, "SSH-2.0-y\r\n") } },
	{ GATE_SSH, GATE_OPEN, { S(SENT, "SS"), S(SENT, "H-"), S(RECEIVED, "SSH-") } },
	/* Not yet. */
	{ GATE_TLS, GATE_CLOSED, { S(SENT, CLIENT REST), S(SENT, DATA) } },
	{ GATE_TLS, GATE_CLOSED, { S(SENT, "\x16\x03\x01\0\x05") } },
	{ GATE_TLS, GATE_CLOSED, { S(SENT, CLIENT REST), S(RECEIVED, "\x16\x03\x03\0\x05") } },
	{ BOTH, GATE_CLOSED, { S(SENT, "SSH-2.0-x\r\nmore"), S(RECEIVED, "S") } },
	{ GATE_TLS, GATE_CLOSED, { S(RECEIVED, ALERT) } },
	{ GATE_TLS, GATE_CLOSED, { S(SENT, CLIENT REST), S(RECEIVED, ALERT) } },
	{ GATE_TLS, GATE_CLOSED, { S(SENT, ALERT), S(RECEIVED, SERVER12) } },
	{ GATE_TLS, GATE_CLOSED, { S(SENT, CLIENT REST), S(RECEIVED, SERVER) } },
	{ GATE_TLS, GATE_CLOSED, { S(SENT, CLIENT REST), S(RECEIVED, SERVER_CUT) } },
	/* Never. */
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "GET / HTTP/1.0\r\n") } },
	{ GATE_TLS, GATE_REFUSED, { S(RECEIVED, "220 hello\r\n") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x16"), S(SENT, "x") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x16\x03\x05") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x16\x03\x01\x80") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x16\x03\x01\0\0\x01") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x16\x03\x01\0\x05\x0b") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, DATA) } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x14\x03\x03\0\1\1") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "\x15\x03\x03\0\x03\x02\x28x") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST), S(SENT, "password") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST "secret") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST), S(RECEIVED, "HTTP/1.1 400") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST), S(RECEIVED, CLIENT REST) } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, SERVER12), S(RECEIVED, SERVER12) } },
	{ GATE_TLS, GATE_REFUSED,
		{ S(SENT, CLIENT REST), S(RECEIVED, ALERT), S(RECEIVED, "HTTP") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST), S(RECEIVED, ALERT), S(SENT, "GET ") } },
	{ BOTH, GATE_REFUSED, { S(SENT, ALERT), S(SENT, "SSH-2.0-x") } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST), S(RECEIVED, SERVER_LONG) } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, CLIENT REST), S(RECEIVED, SERVER_EMPTY) } },
	{ GATE_TLS, GATE_REFUSED,
		{ S(SENT, CLIENT REST), S(RECEIVED, SERVER_CUT), S(RECEIVED, DATA) } },
	{ GATE_TLS, GATE_REFUSED, { S(SENT, "SSH-2.0-x\r\n") } },
	{ GATE_SSH, GATE_REFUSED, { S(SENT, CLIENT) } },
	{ GATE_SSH, GATE_REFUSED, { S(RECEIVED, "Hello\r\nSSH-2.0-x\r\n") } },
	{ BOTH, GATE_REFUSED, { S(SENT, "SSH-2.0-x\r\n"), S(RECEIVED, SERVER12) } },
	{ BOTH, GATE_REFUSED, { S(SENT, "SSx") } },
};
#define CASES (sizeof cases / sizeof cases[0])

static enum gate_verdict run(const struct gate_case *row, size_t piece)
{
	struct gate gate = { .allowed = (uint8_t)row->allowed };
	enum gate_verdict verdict = GATE_CLOSED;

	for (size_t i = 0; i < 5 && row->steps[i].data != NULL; i++)
		for (size_t at = 0; at < row->steps[i].len && verdict == GATE_CLOSED;) {
			size_t left = row->steps[i].len - at, count = piece < left ? piece : left;

			verdict = gate_take(&gate, row->steps[i].way,
				(const uint8_t *)row->steps[i].data + at, count);
			at += count;
		}
	return verdict;
}

START_TEST(what_may_begin)
{
	static const size_t pieces[] = { 1, 2, 5, 6, 7, 1000 };

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		ck_assert_int_eq(run(&cases[_i], pieces[i]), cases[_i].want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("gate");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, what_may_begin, 0, (int)CASES);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
