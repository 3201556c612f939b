/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records that are not as they should be. */
#include "record_reference.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t version;
	enum record_aead aead;
} kind[] = {
	{ RECORD_TLS13, RECORD_AES_128_GCM },
	{ RECORD_TLS13, RECORD_AES_256_GCM },
	{ RECORD_TLS13, RECORD_CHACHA20_POLY1305 },
	{ RECORD_TLS12, RECORD_AES_128_GCM },
	{ RECORD_TLS12, RECORD_AES_256_GCM },
	{ RECORD_TLS12, RECORD_CHACHA20_POLY1305 },
};

#define KINDS (sizeof kind / sizeof kind[0])
#define TLS13_KINDS 3

static struct record_key key;
static uint8_t plain[RECORD_MAX_PLAINTEXT + 600];
static uint8_t record[RECORD_MAX_LEN + 600], out[RECORD_MAX_LEN + 600];
static enum record_type type;

static void choose(int which)
{
	key = reference_key(kind[which].version, kind[which].aead);
	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(i | 1);
	memset(out, 0xee, sizeof out);
}

/* An error leaves no plaintext, and the sequence number where it is. */
static void check_refused(size_t len, int want)
{
	uint64_t seq = key.seq;
	ssize_t n = record_open(&key, record, len, out, &type);

	ck_assert_msg(n == want || (want == 0 && n < 0), "%zd", n);
	ck_assert_uint_eq(key.seq, seq);
	ck_assert_ptr_null(memmem(out, sizeof out, plain, 8));
}

START_TEST(each_byte_is_authenticated)
{
	size_t len;

	choose(_i);
	len = reference_seal(&key, RECORD_APPLICATION_DATA, plain, 40, 0, record);
	for (size_t at = 0; at < len; at++)
		for (int bit = 0; bit < 8; bit++) {
			record[at] ^= (uint8_t)(1 << bit);
			check_refused(len, at >= RECORD_HEADER_LEN ? -EBADMSG : 0);
			record[at] ^= (uint8_t)(1 << bit);
		}
	ck_assert_int_eq(record_open(&key, record, len, out, &type), 40);
}
END_TEST

START_TEST(truncated_is_refused)
{
	size_t len;

	choose(_i);
	len = reference_seal(&key, RECORD_APPLICATION_DATA, plain, 40, 0, record);
	for (size_t cut = 0; cut < len; cut++) {
		check_refused(cut, -EPROTO);
		if (cut < RECORD_HEADER_LEN)
			continue;
		/* And with a header that fits. */
		record[4] = (uint8_t)(cut - RECORD_HEADER_LEN);
		check_refused(cut, cut == RECORD_HEADER_LEN + 16 && kind[_i].version == RECORD_TLS13
					   ? -EPROTO
					   : -EBADMSG);
		record[4] = (uint8_t)(len - RECORD_HEADER_LEN);
	}
	check_refused(len + 1, -EPROTO);
	record[4]++;
	check_refused(len + 1, -EBADMSG);
}
END_TEST

START_TEST(order_is_kept)
{
	uint8_t records[3][128];
	size_t len = 0;

	choose(_i);
	for (key.seq = 0; key.seq < 3; key.seq++)
		len = reference_seal(&key, RECORD_APPLICATION_DATA, plain, 40, 0, records[key.seq]);
	key.seq = 0;
	memcpy(record, records[1], len);
	check_refused(len, -EBADMSG);
	ck_assert_int_eq(record_open(&key, records[0], len, out, &type), 40);
	memset(out, 0xee, sizeof out);
	memcpy(record, records[0], len);
	check_refused(len, -EBADMSG);
	memcpy(record, records[2], len);
	check_refused(len, -EBADMSG);
	ck_assert_int_eq(record_open(&key, records[1], len, out, &type), 40);
	ck_assert_int_eq(record_open(&key, records[2], len, out, &type), 40);
}
END_TEST

START_TEST(another_key_does_not_open)
{
	size_t len;

	choose(_i);
	len = reference_seal(&key, RECORD_APPLICATION_DATA, plain, 40, 0, record);
	key.key[15] ^= 1;
	check_refused(len, -EBADMSG);
	key.key[15] ^= 1;
	key.iv[0] ^= 1;
	check_refused(len, -EBADMSG);
}
END_TEST

static const struct {
	unsigned type;
	size_t len;
	int want13, want12;
} content_case[] = {
	{ RECORD_APPLICATION_DATA, 0, 0, 0 },
	{ RECORD_HANDSHAKE, 0, -EPROTO, -EPROTO },
	{ RECORD_ALERT, 0, -EPROTO, -EPROTO },
	{ RECORD_ALERT, 2, 2, 2 },
	{ RECORD_HANDSHAKE, 100, 100, 100 },
	{ RECORD_CHANGE_CIPHER_SPEC, 1, -EPROTO, -EPROTO },
	{ 24, 5, -EPROTO, -EPROTO },
	{ 0, 0, -EPROTO, -EPROTO },
	{ 255, 5, -EPROTO, -EPROTO },
	{ RECORD_APPLICATION_DATA, 16384, 16384, 16384 },
	{ RECORD_APPLICATION_DATA, 16385, -EMSGSIZE, -EPROTO },
	{ RECORD_APPLICATION_DATA, 16384 + 239, -EMSGSIZE, -EPROTO },
	{ RECORD_APPLICATION_DATA, 16384 + 240, -EPROTO, -EPROTO },
};

START_TEST(content_is_checked)
{
	int want = 0;
	size_t len;

	choose(_i % (int)KINDS);
	want = kind[_i % (int)KINDS].version == RECORD_TLS13 ? content_case[_i / (int)KINDS].want13
							     : content_case[_i / (int)KINDS].want12;
	len = reference_seal(&key, content_case[_i / (int)KINDS].type, plain,
		content_case[_i / (int)KINDS].len, 0, record);
	if (want < 0) {
		check_refused(len, want);
		return;
	}
	ck_assert_int_eq(record_open(&key, record, len, out, &type), want);
	ck_assert_uint_eq(type, content_case[_i / (int)KINDS].type);
	ck_assert_mem_eq(out, plain, (size_t)want);
}
END_TEST

/* RFC 8446 5.4. In place and elsewhere, into a buffer that has the room that is asked for and no
 * more. */
static const struct {
	unsigned type;
	size_t len, padding;
	int want;
} padding_case[] = {
	{ RECORD_APPLICATION_DATA, 2, 1, 2 },
	{ RECORD_APPLICATION_DATA, 0, 1, 0 },
	{ RECORD_APPLICATION_DATA, 0, 16383, 0 },
	{ RECORD_APPLICATION_DATA, 100, 16284, 100 },
	{ RECORD_APPLICATION_DATA, 100, 16285, -EMSGSIZE },
	{ RECORD_APPLICATION_DATA, 16384, 1, -EMSGSIZE },
	{ RECORD_HANDSHAKE, 24, 100, 24 },
	{ RECORD_ALERT, 0, 10, -EPROTO },
	{ 0, 0, 50, -EPROTO },
	{ 0, 0, 0, -EPROTO },
};

START_TEST(padding_is_stripped)
{
	size_t len, room;
	uint8_t *exact;
	int want = padding_case[_i / TLS13_KINDS].want;

	choose(_i % TLS13_KINDS);
	len = reference_seal(&key, padding_case[_i / TLS13_KINDS].type, plain,
		padding_case[_i / TLS13_KINDS].len, padding_case[_i / TLS13_KINDS].padding, record);
	room = record_plaintext_max(&key, len - RECORD_HEADER_LEN);
	exact = malloc(room > 0 ? room : 1);
	ck_assert_int_eq(record_open(&key, record, len, exact, &type), want);
	if (want >= 0) {
		ck_assert_mem_eq(exact, plain, (size_t)want);
		ck_assert_uint_eq(type, padding_case[_i / TLS13_KINDS].type);
	}
	free(exact);
	key.seq = 0;
	ck_assert_int_eq(record_open(&key, record, len, record + RECORD_HEADER_LEN, &type), want);
	if (want >= 0)
		ck_assert_mem_eq(record + RECORD_HEADER_LEN, plain, (size_t)want);
}
END_TEST

/* The explicit nonce of TLS 1.2 is the peer's choice; ours follows the one in the key. */
START_TEST(explicit_nonce_is_the_senders)
{
	static const uint8_t want[8] = { 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e ^ 1, 0x3f ^ 2 };
	struct record_key theirs;
	struct iovec iov = { plain, 40 };
	size_t len;

	choose(3);
	theirs = key;
	memset(theirs.iv + 4, 0x5a, 8);
	len = reference_seal(&theirs, RECORD_APPLICATION_DATA, plain, 40, 0, record);
	ck_assert_int_eq(record_open(&key, record, len, out, &type), 40);
	ck_assert_mem_eq(out, plain, 40);
	memcpy(key.iv + 4, (const uint8_t[]){ 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f }, 8);
	key.seq = 0x102;
	ck_assert_int_gt(record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, 40, record), 0);
	ck_assert_mem_eq(record + RECORD_HEADER_LEN, want, sizeof want);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	int want13, want12, chacha12;
} header_case[] = {
	{ "", 0, -EAGAIN, -EAGAIN, -EAGAIN },
	{ "\x17\x03\x03\x00", 4, -EAGAIN, -EAGAIN, -EAGAIN },
	{ "\x17\x03\x03\x00\x00", 5, 0, 0, 0 },
	{ "\x17\x03\x03\x40\x10", 5, 0, 0, 0 },
	{ "\x17\x03\x03\x40\x11", 5, 0, 0, -EMSGSIZE },
	{ "\x17\x03\x03\x40\x18", 5, 0, 0, -EMSGSIZE },
	{ "\x17\x03\x03\x40\x19", 5, 0, -EMSGSIZE, -EMSGSIZE },
	{ "\x17\x03\x03\x41\x00", 5, 0, -EMSGSIZE, -EMSGSIZE },
	{ "\x17\x03\x03\x41\x01", 5, -EMSGSIZE, -EMSGSIZE, -EMSGSIZE },
	{ "\x17\x03\x03\xff\xff", 5, -EMSGSIZE, -EMSGSIZE, -EMSGSIZE },
	{ "\x14\x03\x03\x00\x01", 5, -EPROTO, -EPROTO, -EPROTO },
	{ "\x15\x03\x03\x00\x1a", 5, -EPROTO, 0, 0 },
	{ "\x16\x03\x03\x00\x28", 5, -EPROTO, 0, 0 },
	{ "\x18\x03\x03\x00\x28", 5, -EPROTO, -EPROTO, -EPROTO },
	{ "\x17\x03\x01\x00\x28", 5, 0, -EPROTO, -EPROTO },
	{ "\x17\x02\x03\x00\x28", 5, -EPROTO, -EPROTO, -EPROTO },
	{ "HTTP/", 5, -EPROTO, -EPROTO, -EPROTO },
};

START_TEST(header_is_parsed_or_refused)
{
	const uint8_t *bytes = (const uint8_t *)header_case[_i].bytes;
	struct record_header header;

	for (int which = 0; which < (int)KINDS; which++) {
		int want = which < TLS13_KINDS ? header_case[_i].want13
			   : which == 5        ? header_case[_i].chacha12
					       : header_case[_i].want12;

		choose(which);
		ck_assert_int_eq(
			record_parse_header(&key, bytes, header_case[_i].len, &header), want);
		if (want != 0)
			continue;
		ck_assert_uint_eq(header.type, bytes[0]);
		ck_assert_uint_eq(header.length, (unsigned)(bytes[3] << 8 | bytes[4]));
	}
}
END_TEST

START_TEST(room_is_told)
{
	size_t added = record_overhead(&key) - RECORD_HEADER_LEN;

	choose(_i);
	added = record_overhead(&key) - RECORD_HEADER_LEN;
	ck_assert_uint_eq(record_plaintext_max(&key, 0), 0);
	ck_assert_uint_eq(record_plaintext_max(&key, added - 1), 0);
	ck_assert_uint_eq(record_plaintext_max(&key, added), 0);
	ck_assert_uint_eq(record_plaintext_max(&key, added + 1), 1);
	ck_assert_uint_eq(record_plaintext_max(&key, added + 16384), 16384);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, each_byte_is_authenticated, 0, KINDS);
	tcase_add_loop_test(tcase, truncated_is_refused, 0, KINDS);
	tcase_add_loop_test(tcase, order_is_kept, 0, KINDS);
	tcase_add_loop_test(tcase, another_key_does_not_open, 0, KINDS);
	tcase_add_loop_test(
		tcase, content_is_checked, 0, KINDS * sizeof content_case / sizeof content_case[0]);
	tcase_add_loop_test(tcase, padding_is_stripped, 0,
		TLS13_KINDS * sizeof padding_case / sizeof padding_case[0]);
	tcase_add_test(tcase, explicit_nonce_is_the_senders);
	tcase_add_loop_test(
		tcase, header_is_parsed_or_refused, 0, sizeof header_case / sizeof header_case[0]);
	tcase_add_loop_test(tcase, room_is_told, 0, KINDS);
}

int main(void)
{
	Suite *suite = suite_create("record_hostile");
	SRunner *runner = srunner_create(suite);
	int failed;

	reference_add_each_aead(suite, add_tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
