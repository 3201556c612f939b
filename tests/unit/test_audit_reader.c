/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/reader.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS 5

static char path[64];
static uint8_t image[AUDIT_MAGIC_LEN + (RECORDS + 1) * AUDIT_RECORD_MAX];
static size_t image_len, record_at[RECORDS + 1]; /* of each event, and the end */

static size_t put_event(uint8_t *at, enum audit_type type, uint64_t conn)
{
	struct audit_event event;

	audit_event_init(&event, type);
	event.time_us = 1000 + conn;
	event.conn = conn;
	event.rule = "web";
	event.reason = type == AUDIT_FAIL ? "no common cipher" : NULL;
	return audit_encode(&event, at);
}

static void setup(void)
{
	int fd;

	snprintf(
		path, sizeof path, "/tmp/seamtls-test-reader-%d-%d", (int)getppid(), (int)getpid());
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	memcpy(image, AUDIT_MAGIC, AUDIT_MAGIC_LEN);
	image_len = AUDIT_MAGIC_LEN;
	image_len += put_event(image + image_len, AUDIT_FILE, 0);
	for (uint64_t i = 0; i < RECORDS; i++) {
		record_at[i] = image_len;
		image_len += put_event(image + image_len, i % 2 ? AUDIT_FAIL : AUDIT_OPEN, i + 1);
	}
	record_at[RECORDS] = image_len;
}

static void teardown(void)
{
	unlink(path);
}

static void put_file(const void *data, size_t len, int flags)
{
	int fd = open(path, O_WRONLY | flags);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

static void replace_file(const void *data, size_t len)
{
	put_file(data, len, O_TRUNC);
}

static struct audit_reader *new_reader(void)
{
	struct audit_reader *reader;

	ck_assert_int_eq(audit_reader_new(path, &reader), 0);
	return reader;
}

/* The connections in the file as bits; every record must be one of those that were written. */
static unsigned read_conns(struct audit_reader *reader, int *end)
{
	struct audit_record record;
	struct audit_event event;
	char text[AUDIT_RECORD_MAX];
	unsigned seen = 0;

	while ((*end = audit_reader_next(reader, &record)) > 0) {
		size_t at, len = record.frame.len;

		ck_assert_int_eq(audit_decode(record.data, len, &event, text), 0);
		ck_assert(event.conn >= 1 && event.conn <= RECORDS);
		at = record_at[event.conn - 1];
		ck_assert_uint_eq(len, record_at[event.conn] - at);
		ck_assert_mem_eq(record.data, image + at, len);
		ck_assert_msg((seen & 1u << event.conn) == 0, "a record came twice");
		seen |= 1u << event.conn;
	}
	return seen;
}

#define ALL_CONNS (((1u << RECORDS) - 1) << 1)

START_TEST(a_sound_file_is_read)
{
	struct audit_reader *reader = new_reader();
	uint64_t begin = 0;
	int end;

	replace_file(image, image_len);
	ck_assert_int_eq(audit_reader_begin(reader, &begin), 1);
	ck_assert_uint_eq(begin, 1000);
	ck_assert_uint_eq(read_conns(reader, &end), ALL_CONNS);
	ck_assert_int_eq(end, 0);
	ck_assert_uint_eq(audit_reader_damage(reader)->places, 0);
	ck_assert_uint_eq(audit_reader_tail(reader), 0);
	audit_reader_free(reader);
}
END_TEST

/* As a reader finds it that comes while it is written: never an error, never half a record. */
START_TEST(a_file_cut_anywhere_is_read_and_goes_on)
{
	for (size_t len = 0; len <= image_len; len++) {
		struct audit_reader *reader = new_reader();
		unsigned seen;
		int end;

		replace_file(image, len);
		seen = read_conns(reader, &end);
		ck_assert_int_eq(end, 0);
		for (size_t i = 0; i < RECORDS; i++)
			ck_assert_int_eq((seen >> (i + 1)) & 1, record_at[i + 1] <= len);
		ck_assert_uint_eq(audit_reader_damage(reader)->places, 0);
		put_file(image + len, image_len - len, O_APPEND);
		ck_assert_uint_eq(seen | read_conns(reader, &end), ALL_CONNS);
		ck_assert_int_eq(end, 0);
		audit_reader_free(reader);
	}
}
END_TEST

/* A loop test over the records: each byte of record _i is changed; the others must still be there.
 */
START_TEST(damage_costs_the_damaged_record_only)
{
	for (size_t at = record_at[_i]; at < record_at[_i + 1]; at++) {
		static const uint8_t change[] = { 1, 0x80, 0xff };

		for (size_t j = 0; j < sizeof change; j++) {
			struct audit_reader *reader = new_reader();
			const struct audit_damage *damage = audit_reader_damage(reader);
			uint8_t saved = image[at];
			unsigned seen;
			int end;

			image[at] ^= change[j];
			replace_file(image, image_len);
			image[at] = saved;
			seen = read_conns(reader, &end);
			ck_assert_int_eq(end, 0);
			ck_assert_uint_eq(seen, ALL_CONNS & ~(1u << (_i + 1)));
			/* The last one may also look as if it were still being written. */
			if (audit_reader_tail(reader) == 0 || _i < RECORDS - 1) {
				ck_assert_uint_eq(damage->places, 1);
				ck_assert_uint_eq(damage->first, record_at[_i]);
				ck_assert_uint_eq(damage->bytes, record_at[_i + 1] - record_at[_i]);
			}
			audit_reader_free(reader);
		}
	}
}
END_TEST

START_TEST(a_changed_head_costs_nothing)
{
	for (size_t at = 0; at < record_at[0]; at++) {
		struct audit_reader *reader = new_reader();
		int end;

		image[at] ^= 0x10;
		replace_file(image, image_len);
		image[at] ^= 0x10;
		ck_assert_uint_eq(read_conns(reader, &end), ALL_CONNS);
		ck_assert_int_eq(end, 0);
		ck_assert_uint_eq(audit_reader_damage(reader)->places, 1);
		audit_reader_free(reader);
	}
}
END_TEST

/* A full disk: the beginning of a record, then whole ones behind it. */
START_TEST(a_torn_record_in_the_middle_is_skipped)
{
	size_t torn_len = record_at[2] - record_at[1];

	for (size_t torn = 1; torn < torn_len; torn++) {
		struct audit_reader *reader = new_reader();
		int end;

		replace_file(image, record_at[1] + torn);
		put_file(image + record_at[2], image_len - record_at[2], O_APPEND);
		ck_assert_uint_eq(read_conns(reader, &end), ALL_CONNS & ~(1u << 2));
		ck_assert_int_eq(end, 0);
		ck_assert_uint_eq(audit_reader_damage(reader)->places, 1);
		ck_assert_uint_eq(audit_reader_damage(reader)->bytes, torn);
		audit_reader_free(reader);
	}
}
END_TEST

/* A peer that names itself like a record hopes for its own record to be torn. */
START_TEST(text_in_a_torn_record_is_no_record)
{
	struct audit_reader *reader = new_reader();
	struct audit_event event;
	uint8_t buf[AUDIT_RECORD_MAX];
	char forged[128] = "";
	size_t len;
	int end;

	/* A record without zeroes, which a C string can hold, would begin like this. */
	memset(forged, 0xff, sizeof forged - 1);
	for (size_t i = 0; i + 4 < sizeof forged; i += 36)
		memcpy(forged + i, image + record_at[0], 4);
	audit_event_init(&event, AUDIT_FAIL);
	event.server_name = event.peer_subject = forged;
	len = audit_encode(&event, buf);
	ck_assert_ptr_null(memmem(buf + 1, len - 1, image + record_at[0], 4));
	replace_file(image, record_at[1]);
	put_file(buf, len - 1, O_APPEND);
	put_file(image + record_at[1], image_len - record_at[1], O_APPEND);
	ck_assert_uint_eq(read_conns(reader, &end), ALL_CONNS);
	ck_assert_uint_eq(audit_reader_damage(reader)->bytes, len - 1);
	audit_reader_free(reader);
}
END_TEST

START_TEST(a_file_longer_than_the_buffer_is_read)
{
	struct audit_reader *reader = new_reader();
	uint8_t junk[300];
	struct audit_record record;
	unsigned count = 0;
	int end;

	memset(junk, 0xff, sizeof junk);
	replace_file(image, record_at[0]);
	for (int i = 0; i < 1000; i++) {
		put_file(image + record_at[0], image_len - record_at[0], O_APPEND);
		if (i % 10 == 0)
			put_file(junk, sizeof junk, O_APPEND);
	}
	while ((end = audit_reader_next(reader, &record)) > 0)
		count++;
	ck_assert_int_eq(end, 0);
	ck_assert_uint_eq(count, 1000 * RECORDS);
	ck_assert_uint_eq(audit_reader_damage(reader)->places, 100);
	ck_assert_uint_eq(audit_reader_damage(reader)->bytes, 100 * sizeof junk);
	audit_reader_free(reader);
}
END_TEST

static const struct {
	const char *name, *data;
	size_t len; /* repeated up to `size` bytes */
	size_t size;
	int want;
} foreign_case[] = {
	{ "empty", "", 0, 0, 0 },
	{ "text", "hello\n", 6, 6, -EBADMSG },
	{ "much text", "hello\n", 6, 600000, -EBADMSG },
	{ "zeroes", "\0", 1, 100000, -EBADMSG },
	{ "syncs", "\xffSA1", 4, 100000, -EBADMSG },
	{ "other magic", "\x89PNG\r\n\x1a\n", 8, 8, -EBADMSG },
	{ "later version", "\x89SEAMAU\x02", 8, 8, -EPROTONOSUPPORT },
	{ "magic alone", AUDIT_MAGIC, 8, 8, 0 },
};

START_TEST(what_is_no_audit_file_is_refused)
{
	struct audit_reader *reader = new_reader();
	size_t size = foreign_case[_i].size;
	char *data = malloc(size + 1);
	int end;

	for (size_t i = 0; i < size; i++)
		data[i] = foreign_case[_i].data[i % foreign_case[_i].len];
	replace_file(data, size);
	ck_assert_uint_eq(read_conns(reader, &end), 0);
	ck_assert_msg(end == foreign_case[_i].want, "%s: %d", foreign_case[_i].name, end);
	ck_assert_int_eq(read_conns(reader, &end), 0);
	ck_assert_int_eq(end, foreign_case[_i].want);
	free(data);
	audit_reader_free(reader);
}
END_TEST

START_TEST(a_file_that_is_not_there_or_no_file_is_an_error)
{
	struct audit_reader *reader = new_reader();
	struct audit_record record;

	unlink(path);
	ck_assert_int_eq(audit_reader_next(reader, &record), -ENOENT);
	audit_reader_free(reader);
	reader = new_reader();
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(audit_reader_next(reader, &record), -EINVAL);
	audit_reader_free(reader);
}
END_TEST

START_TEST(a_file_that_was_replaced_is_noticed)
{
	struct audit_reader *reader = new_reader();
	struct audit_record record;
	int end;

	replace_file(image, image_len);
	ck_assert_uint_eq(read_conns(reader, &end), ALL_CONNS);
	replace_file(image, record_at[1]);
	ck_assert_int_eq(audit_reader_next(reader, &record), -ESTALE);
	audit_reader_free(reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit_reader");
	TCase *tests = tcase_create("files");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_sound_file_is_read);
	tcase_add_test(tests, a_file_cut_anywhere_is_read_and_goes_on);
	tcase_add_loop_test(tests, damage_costs_the_damaged_record_only, 0, RECORDS);
	tcase_add_test(tests, a_changed_head_costs_nothing);
	tcase_add_test(tests, a_torn_record_in_the_middle_is_skipped);
	tcase_add_test(tests, text_in_a_torn_record_is_no_record);
	tcase_add_test(tests, a_file_longer_than_the_buffer_is_read);
	tcase_add_loop_test(tests, what_is_no_audit_file_is_refused, 0,
		sizeof foreign_case / sizeof foreign_case[0]);
	tcase_add_test(tests, a_file_that_is_not_there_or_no_file_is_an_error);
	tcase_add_test(tests, a_file_that_was_replaced_is_noticed);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
