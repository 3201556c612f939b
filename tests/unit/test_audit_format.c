/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/format.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_LEN 36
#define FIELD(member) offsetof(struct audit_event, member)

static const size_t string_field[] = {
	FIELD(program),
	FIELD(label),
	FIELD(rule),
	FIELD(direction),
	FIELD(local),
	FIELD(remote),
	FIELD(server_name),
	FIELD(version),
	FIELD(cipher),
	FIELD(group),
	FIELD(alpn),
	FIELD(verify),
	FIELD(peer_subject),
	FIELD(peer_issuer),
	FIELD(peer_serial),
	FIELD(peer_sha256),
	FIELD(plane),
	FIELD(reason),
	FIELD(cause),
};
#define STRING_COUNT (sizeof string_field / sizeof string_field[0])

static const size_t number_field[] = {
	FIELD(peer_not_after),
	FIELD(handshake_us),
	FIELD(bytes_in),
	FIELD(bytes_out),
	FIELD(duration_us),
	FIELD(lost),
};
static const uint64_t number_value[] = { 0, 127, 128, 0x5341, 0x2ff, UINT64_MAX - 1 };
#define NUMBER_COUNT (sizeof number_field / sizeof number_field[0])

static const size_t small_field[] = { FIELD(resumed), FIELD(alert_sent), FIELD(alert_received) };
#define SMALL_COUNT (sizeof small_field / sizeof small_field[0])

static const char **string_at(struct audit_event *event, size_t i)
{
	return (const char **)((char *)event + string_field[i]);
}

static uint64_t *number_at(struct audit_event *event, size_t i)
{
	return (uint64_t *)((char *)event + number_field[i]);
}

static int *small_at(struct audit_event *event, size_t i)
{
	return (int *)((char *)event + small_field[i]);
}

static void same_text(const char *got, const char *want)
{
	ck_assert_int_eq(got == NULL, want == NULL);
	if (want != NULL)
		ck_assert_str_eq(got, want);
}

static void same_event(struct audit_event *got, struct audit_event *want)
{
	ck_assert_int_eq(got->type, want->type);
	ck_assert_uint_eq(got->time_us, want->time_us);
	ck_assert_uint_eq(got->conn, want->conn);
	ck_assert_int_eq(got->pid, want->pid);
	ck_assert_uint_eq(got->uid, want->uid);
	for (size_t i = 0; i < STRING_COUNT; i++)
		same_text(*string_at(got, i), *string_at(want, i));
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		ck_assert_uint_eq(*number_at(got, i), *number_at(want, i));
	for (size_t i = 0; i < SMALL_COUNT; i++)
		ck_assert_int_eq(*small_at(got, i), *small_at(want, i));
	ck_assert_uint_eq(got->peer_san_count, want->peer_san_count);
	for (size_t i = 0; i < want->peer_san_count; i++)
		ck_assert_str_eq(got->peer_san[i], want->peer_san[i]);
}

static void init_head(struct audit_event *event)
{
	audit_event_init(event, AUDIT_OPEN);
	event->time_us = 1763900000123456;
	event->conn = 0xfffefdfcfbfaf9f8;
	event->pid = 4194304;
	event->uid = 4294967294;
}

static size_t full_record(uint8_t out[AUDIT_RECORD_MAX])
{
	struct audit_event event;

	init_head(&event);
	for (size_t i = 0; i < STRING_COUNT; i++)
		*string_at(&event, i) = "text";
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		*number_at(&event, i) = number_value[i];
	return audit_encode(&event, out);
}

/* Encodes, looks whether it is a sound record, decodes. */
static void pass_through(const struct audit_event *in, struct audit_event *out, char *text)
{
	uint8_t buf[AUDIT_RECORD_MAX];
	struct audit_frame frame;
	size_t len = audit_encode(in, buf);

	ck_assert_uint_le(len, sizeof buf);
	ck_assert_int_eq(audit_frame_check(buf, len, &frame), 0);
	ck_assert_uint_eq(frame.len, len);
	ck_assert_int_eq(frame.type, in->type);
	ck_assert_uint_eq(frame.time_us, in->time_us);
	ck_assert_int_eq(audit_decode(buf, len, out, text), 0);
	ck_assert_ptr_null(memmem(buf + 1, len - 1, buf, 4));
}

static const char *const text_case[] = {
	"",
	"a",
	"sixteen bytes at",
	"\xff",
	"\xfe\xff\xfe\x01\x01",
	"\xffSA1 a sync",
	"gr\xc3\xbc\xc3\x9f \xf0\x9f\x94\x92",
	"\x1b[2J\n\r\t\x7f",
};
#define TEXT_COUNT (sizeof text_case / sizeof text_case[0])

START_TEST(each_string_comes_back)
{
	struct audit_event in, out;
	char text[AUDIT_RECORD_MAX];

	for (size_t i = 0; i < TEXT_COUNT; i++) {
		init_head(&in);
		*string_at(&in, (size_t)_i) = text_case[i];
		pass_through(&in, &out, text);
		same_event(&out, &in);
	}
}
END_TEST

START_TEST(each_number_comes_back)
{
	struct audit_event in, out;
	char text[AUDIT_RECORD_MAX];

	for (size_t i = 0; i < NUMBER_COUNT; i++) {
		init_head(&in);
		*number_at(&in, i) = number_value[_i];
		pass_through(&in, &out, text);
		same_event(&out, &in);
	}
	for (size_t i = 0; i < SMALL_COUNT; i++) {
		init_head(&in);
		*small_at(&in, i) = _i;
		pass_through(&in, &out, text);
		same_event(&out, &in);
	}
}
END_TEST

START_TEST(each_type_comes_back)
{
	struct audit_event in, out;
	char text[AUDIT_RECORD_MAX];

	init_head(&in);
	in.type = (enum audit_type)_i;
	pass_through(&in, &out, text);
	same_event(&out, &in);
	ck_assert_ptr_nonnull(audit_type_name(in.type));
}
END_TEST

START_TEST(all_fields_come_back_together)
{
	struct audit_event in, out;
	char text[AUDIT_RECORD_MAX], value[STRING_COUNT][8], names[AUDIT_SAN_MAX][16];

	init_head(&in);
	for (size_t i = 0; i < STRING_COUNT; i++) {
		snprintf(value[i], sizeof value[i], "s%zu", i);
		*string_at(&in, i) = value[i];
	}
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		*number_at(&in, i) = number_value[i];
	for (size_t i = 0; i < SMALL_COUNT; i++)
		*small_at(&in, i) = (int)i + 40;
	in.peer_san_count = AUDIT_SAN_MAX;
	for (size_t i = 0; i < AUDIT_SAN_MAX; i++) {
		snprintf(names[i], sizeof names[i], "dns:h%zu.test", i);
		in.peer_san[i] = names[i];
	}
	pass_through(&in, &out, text);
	same_event(&out, &in);
}
END_TEST

static bool ends_in_ellipsis(const char *text)
{
	size_t len = strlen(text);

	return len >= 3 && strcmp(text + len - 3, "\xe2\x80\xa6") == 0;
}

/* A loop test: the text is shifted by _i bytes against the limits. */
START_TEST(what_is_too_long_is_cut_between_characters)
{
	static const char *const unit[] = { "x", "\xc3\xa9", "\xf0\x9f\x94\x92" };
	struct audit_event in, out;
	char text[AUDIT_RECORD_MAX], *name = calloc(1, 20000);
	const char *character = unit[_i % 3];

	memset(name, 'x', (size_t)_i);
	while (strlen(name) < 10000)
		strcat(name, character);
	init_head(&in);
	for (size_t i = 0; i < STRING_COUNT; i++)
		*string_at(&in, i) = name;
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		*number_at(&in, i) = UINT64_MAX - 1;
	for (size_t i = 0; i < SMALL_COUNT; i++)
		*small_at(&in, i) = INT32_MAX;
	in.peer_san_count = AUDIT_SAN_MAX;
	for (size_t i = 0; i < AUDIT_SAN_MAX; i++)
		in.peer_san[i] = name;
	pass_through(&in, &out, text);
	for (size_t i = 0; i < STRING_COUNT; i++) {
		const char *got = *string_at(&out, i);
		size_t len = strlen(got) - 3;

		ck_assert(ends_in_ellipsis(got));
		ck_assert_int_eq(strncmp(got, name, len), 0);
		ck_assert_uint_eq((len - (size_t)_i) % strlen(character), 0);
	}
	ck_assert_uint_gt(out.peer_san_count, 1);
	ck_assert_uint_lt(out.peer_san_count, AUDIT_SAN_MAX);
	ck_assert_str_eq(out.peer_san[out.peer_san_count - 1], "\xe2\x80\xa6");
	free(name);
}
END_TEST

START_TEST(bytes_that_take_two_do_not_overflow)
{
	struct audit_event in, out;
	char text[AUDIT_RECORD_MAX], bytes[600];

	memset(bytes, 0xff, sizeof bytes);
	bytes[sizeof bytes - 1] = '\0';
	init_head(&in);
	for (size_t i = 0; i < STRING_COUNT; i++)
		*string_at(&in, i) = bytes;
	pass_through(&in, &out, text);
	ck_assert_uint_eq(strlen(out.program), (512 - 3) / 2 + 3);
}
END_TEST

START_TEST(a_cut_record_is_never_whole)
{
	uint8_t buf[AUDIT_RECORD_MAX];
	struct audit_frame frame;
	size_t len = full_record(buf);

	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(audit_frame_check(buf, i, &frame), -EAGAIN);
}
END_TEST

START_TEST(a_changed_byte_is_noticed)
{
	uint8_t buf[AUDIT_RECORD_MAX];
	struct audit_frame frame;
	size_t len = full_record(buf);

	for (size_t i = 0; i < len; i++) {
		for (unsigned change = 1; change < 256; change++) {
			buf[i] ^= (uint8_t)change;
			ck_assert_int_lt(audit_frame_check(buf, len, &frame), 0);
			buf[i] ^= (uint8_t)change;
		}
	}
	ck_assert_int_eq(audit_frame_check(buf, len, &frame), 0);
}
END_TEST

/* CRC-32 bit by bit, from the standard and not from the code under test. */
static void seal(uint8_t *buf, size_t len)
{
	uint32_t crc = UINT32_MAX;

	buf[4] = (uint8_t)len;
	buf[5] = (uint8_t)(len >> 8);
	for (size_t i = 0; i < len; i++) {
		if (i >= 8 && i < 12)
			continue;
		crc ^= buf[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	for (size_t i = 0; i < 4; i++)
		buf[8 + i] = (uint8_t)(~crc >> (8 * i));
}

static const struct {
	const char *name;
	size_t len;
	uint8_t fields[24];
	int want;
} fields_case[] = {
	{ "none", 0, { 0 }, 0 },
	{ "tag alone", 1, { 2 }, -EBADMSG },
	{ "length beyond the end", 2, { 2, 1 }, -EBADMSG },
	{ "length without end", 3, { 2, 0xff, 0xff }, -EBADMSG },
	{ "length of 70 bits", 12, { 2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0 },
		-EBADMSG },
	{ "zero in a string", 3, { 2, 1, 0 }, -EBADMSG },
	{ "bare ff in a string", 3, { 2, 1, 0xff }, -EBADMSG },
	{ "fe at the end", 3, { 2, 1, 0xfe }, -EBADMSG },
	{ "fe 02", 4, { 2, 2, 0xfe, 2 }, -EBADMSG },
	{ "fe 01", 4, { 2, 2, 0xfe, 1 }, 0 },
	{ "empty number", 2, { 33, 0 }, -EBADMSG },
	{ "number and more", 4, { 33, 2, 1, 1 }, -EBADMSG },
	{ "number without end", 3, { 33, 1, 0x80 }, -EBADMSG },
	{ "number of all ones", 12, { 33, 10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 },
		-EBADMSG },
	{ "alert beyond int", 7, { 49, 5, 0x80, 0x80, 0x80, 0x80, 8 }, -EBADMSG },
	{ "unknown tag", 5, { 60, 3, 0xff, 0xff, 0 }, 0 },
	{ "unknown tag, too long", 3, { 60, 3, 0xff }, -EBADMSG },
};

START_TEST(fields_are_read_or_refused)
{
	uint8_t buf[AUDIT_RECORD_MAX];
	char text[AUDIT_RECORD_MAX];
	struct audit_event event;
	struct audit_frame frame;
	size_t len = HEAD_LEN + fields_case[_i].len;

	init_head(&event);
	ck_assert_uint_eq(audit_encode(&event, buf), HEAD_LEN);
	memcpy(buf + HEAD_LEN, fields_case[_i].fields, fields_case[_i].len);
	seal(buf, len);
	ck_assert_int_eq(audit_frame_check(buf, len, &frame), 0);
	ck_assert_msg(audit_decode(buf, len, &event, text) == fields_case[_i].want, "%s",
		fields_case[_i].name);
}
END_TEST

START_TEST(seventeen_names_are_refused)
{
	uint8_t buf[AUDIT_RECORD_MAX];
	char text[AUDIT_RECORD_MAX];
	struct audit_event event;
	size_t len = HEAD_LEN;

	init_head(&event);
	audit_encode(&event, buf);
	for (size_t i = 0; i <= AUDIT_SAN_MAX; i++) {
		memcpy(buf + len, "\x01\x01x", 3);
		len += 3;
	}
	ck_assert_int_eq(audit_decode(buf, len - 3, &event, text), 0);
	ck_assert_int_eq(audit_decode(buf, len, &event, text), -EBADMSG);
}
END_TEST

/* What a record with a right CRC may hold is up to who wrote it: nothing is read beyond it. */
START_TEST(any_fields_are_survived)
{
	struct audit_event event;
	char text[AUDIT_RECORD_MAX];
	uint8_t head[AUDIT_RECORD_MAX];

	srandom((unsigned)_i);
	init_head(&event);
	audit_encode(&event, head);
	for (int i = 0; i < 2000; i++) {
		size_t len = HEAD_LEN + (size_t)random() % 64;
		uint8_t *buf = malloc(len);

		memcpy(buf, head, HEAD_LEN);
		for (size_t j = HEAD_LEN; j < len; j++)
			buf[j] = (uint8_t)(random() % (j % 3 == 0 ? 256 : 52));
		if (audit_decode(buf, len, &event, text) == 0)
			ck_assert_uint_le(event.peer_san_count, AUDIT_SAN_MAX);
		free(buf);
	}
}
END_TEST

START_TEST(alerts_have_names)
{
	ck_assert_str_eq(audit_alert_name(0), "close_notify");
	ck_assert_str_eq(audit_alert_name(42), "bad_certificate");
	ck_assert_str_eq(audit_alert_name(120), "no_application_protocol");
	ck_assert_ptr_null(audit_alert_name(1));
	ck_assert_ptr_null(audit_alert_name(-1));
	ck_assert_ptr_null(audit_type_name(AUDIT_SEAL + 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit_format");
	TCase *tests = tcase_create("records");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tests, each_string_comes_back, 0, STRING_COUNT);
	tcase_add_loop_test(tests, each_number_comes_back, 0, NUMBER_COUNT);
	tcase_add_loop_test(tests, each_type_comes_back, AUDIT_FILE, AUDIT_LOST + 1);
	tcase_add_test(tests, all_fields_come_back_together);
	tcase_add_loop_test(tests, what_is_too_long_is_cut_between_characters, 0, 12);
	tcase_add_test(tests, bytes_that_take_two_do_not_overflow);
	tcase_add_test(tests, a_cut_record_is_never_whole);
	tcase_add_test(tests, a_changed_byte_is_noticed);
	tcase_add_loop_test(
		tests, fields_are_read_or_refused, 0, sizeof fields_case / sizeof fields_case[0]);
	tcase_add_test(tests, seventeen_names_are_refused);
	tcase_add_loop_test(tests, any_fields_are_survived, 0, 4);
	tcase_add_test(tests, alerts_have_names);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
