/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record layer against RFC 8448, and against the same thing written over OpenSSL's AEADs. */
#include "record_reference.h"
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t version;
	enum record_aead aead;
	size_t overhead;
} kind[] = {
	{ RECORD_TLS13, RECORD_AES_128_GCM, 22 },
	{ RECORD_TLS13, RECORD_AES_256_GCM, 22 },
	{ RECORD_TLS13, RECORD_CHACHA20_POLY1305, 22 },
	{ RECORD_TLS12, RECORD_AES_128_GCM, 29 },
	{ RECORD_TLS12, RECORD_AES_256_GCM, 29 },
	{ RECORD_TLS12, RECORD_CHACHA20_POLY1305, 21 },
};

#define KINDS (sizeof kind / sizeof kind[0])

static const size_t size_case[] = { 0, 1, 2, 15, 16, 17, 50, 255, 256, 1400, 4096, 16383, 16384 };

#define SIZES (sizeof size_case / sizeof size_case[0])

static struct record_key key_new(size_t which)
{
	return reference_key(kind[which].version, kind[which].aead);
}

/* RFC 8448 3: the records of the application data, with their traffic secrets. */
static const struct {
	const char *secret;
	uint64_t seq;
	enum record_type type;
	const char *plain, *record;
} rfc8448_case[] = {
	{ "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", 0,
		RECORD_APPLICATION_DATA,
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728"
		"292a2b2c2d2e2f3031",
		"1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395b"
		"d54a9a20441e2b62974e1f5a6292a29770"
		"14bd1e3deae63aeebb21694915e4" },
	{ "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", 1, RECORD_ALERT,
		"0100", "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3" },
	{ "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", 1,
		RECORD_APPLICATION_DATA,
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728"
		"292a2b2c2d2e2f3031",
		"17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc"
		"602dcb501a59a8fcc49c4bf2e5f0a21c00"
		"47c2abf332540dd032e167c2955d" },
	{ "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", 2, RECORD_ALERT,
		"0100", "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9" },
};

START_TEST(rfc8448_is_reproduced)
{
	uint8_t secret[32], plain[64], want[128], got[128], opened[64];
	size_t plain_len = reference_hex(rfc8448_case[_i].plain, plain);
	size_t record_len = reference_hex(rfc8448_case[_i].record, want);
	struct iovec iov = { plain, plain_len };
	struct record_key key;
	enum record_type type;

	reference_hex(rfc8448_case[_i].secret, secret);
	ck_assert_int_eq(
		record_key_from_secret(&key, RECORD_AES_128_GCM, secret, sizeof secret), 0);
	key.seq = rfc8448_case[_i].seq;
	ck_assert_int_eq(record_seal(&key, rfc8448_case[_i].type, &iov, 0, plain_len, got),
		(ssize_t)record_len);
	ck_assert_mem_eq(got, want, record_len);
	key.seq = rfc8448_case[_i].seq;
	ck_assert_int_eq(record_open(&key, want, record_len, opened, &type), (ssize_t)plain_len);
	ck_assert_mem_eq(opened, plain, plain_len);
	ck_assert_int_eq(type, rfc8448_case[_i].type);
	ck_assert_uint_eq(key.seq, rfc8448_case[_i].seq + 1);
}
END_TEST

START_TEST(keys_of_rfc8448_are_derived)
{
	uint8_t secret[32], want[16];
	struct record_key key;

	reference_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", secret);
	ck_assert_int_eq(
		record_key_from_secret(&key, RECORD_AES_128_GCM, secret, sizeof secret), 0);
	reference_hex("17422dda596ed5d9acd890e3c63f5051", want);
	ck_assert_mem_eq(key.key, want, 16);
	reference_hex("5b78923dee08579033e523d9", want);
	ck_assert_mem_eq(key.iv, want, 12);
	ck_assert_uint_eq(key.seq, 0);
	ck_assert_int_eq(record_key_from_secret(&key, RECORD_AES_128_GCM, secret, 31), -EINVAL);
	ck_assert_int_eq(record_key_from_secret(&key, RECORD_AES_128_GCM, secret, 0), -EINVAL);
}
END_TEST

/* Exact buffers from malloc(), so that the sanitizers see a byte too much. */
static void check_open(struct record_key key, const uint8_t *record, size_t record_len,
	const uint8_t *plain, size_t len, bool in_place)
{
	size_t room = record_plaintext_max(&key, record_len - RECORD_HEADER_LEN);
	uint8_t *copy = malloc(record_len),
		*out = in_place ? copy + RECORD_HEADER_LEN : malloc(room > 0 ? room : 1);
	enum record_type type = 0;

	memcpy(copy, record, record_len);
	ck_assert_uint_eq(room, len);
	ck_assert_int_eq(record_open(&key, copy, record_len, out, &type), (ssize_t)len);
	ck_assert_mem_eq(out, plain, len);
	ck_assert_int_eq(type, RECORD_APPLICATION_DATA);
	if (!in_place)
		free(out);
	free(copy);
}

START_TEST(every_size_is_as_openssl_has_it)
{
	struct record_key key = key_new((size_t)_i / SIZES);
	size_t len = size_case[(size_t)_i % SIZES], overhead = kind[(size_t)_i / SIZES].overhead;
	uint8_t *plain = malloc(len + 1), *record = malloc(len + overhead);
	struct iovec iov = { plain, len };
	uint8_t want[RECORD_MAX_LEN];

	for (size_t i = 0; i < len; i++)
		plain[i] = (uint8_t)(i * 7);
	for (key.seq = 0; key.seq < 3;) {
		struct record_key before = key;

		ck_assert_uint_eq(record_overhead(&key), overhead);
		ck_assert_int_eq(record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, len, record),
			(ssize_t)(len + overhead));
		ck_assert_uint_eq(key.seq, before.seq + 1);
		ck_assert_uint_eq(
			reference_seal(&before, RECORD_APPLICATION_DATA, plain, len, 0, want),
			len + overhead);
		ck_assert_mem_eq(record, want, len + overhead);
		check_open(before, record, len + overhead, plain, len, false);
		check_open(before, record, len + overhead, plain, len, true);
	}
	free(plain);
	free(record);
}
END_TEST

/* The plaintext is gathered from anywhere in the pieces. */
START_TEST(pieces_are_gathered)
{
	struct record_key key = key_new((size_t)_i), again;
	uint8_t plain[100], record[160], want[160];
	struct iovec iov[] = { { plain, 1 }, { NULL, 0 }, { plain + 1, 30 }, { plain + 31, 0 },
		{ plain + 31, 69 } };

	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)i;
	for (size_t offset = 0; offset < sizeof plain; offset += 3)
		for (size_t len = 0; offset + len <= sizeof plain; len += 7) {
			struct iovec whole = { plain + offset, len };

			again = key;
			record_seal(&key, RECORD_APPLICATION_DATA, iov, offset, len, record);
			record_seal(&again, RECORD_APPLICATION_DATA, &whole, 0, len, want);
			ck_assert_mem_eq(record, want, len + record_overhead(&key));
		}
}
END_TEST

START_TEST(pieces_of_any_size_are_gathered)
{
	static uint8_t plain[RECORD_MAX_PLAINTEXT], record[RECORD_MAX_LEN], want[RECORD_MAX_LEN];
	struct record_key key = key_new((size_t)_i), again = key;
	struct iovec iov[1024];
	size_t count = 0, at = 0;

	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(i * 5);
	for (; at < sizeof plain; at += iov[count++].iov_len) {
		size_t len = count * 7 % 67;

		iov[count] = (struct iovec){ plain + at,
			len < sizeof plain - at ? len : sizeof plain - at };
	}
	record_seal(&key, RECORD_APPLICATION_DATA, iov, 0, sizeof plain, record);
	reference_seal(&again, RECORD_APPLICATION_DATA, plain, sizeof plain, 0, want);
	ck_assert_mem_eq(record, want, sizeof plain + record_overhead(&key));
}
END_TEST

START_TEST(more_than_a_record_is_refused)
{
	struct record_key key = key_new((size_t)_i);
	uint8_t plain[RECORD_MAX_PLAINTEXT + 1] = { 0 }, out[2 * RECORD_MAX_LEN];
	struct iovec iov = { plain, sizeof plain };

	ck_assert_int_eq(
		record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof plain, out), -EINVAL);
	ck_assert_uint_eq(key.seq, 0);
}
END_TEST

/* RFC 8446 7.2, with the HKDF of another hand. */
START_TEST(key_update_is_a_chain)
{
	struct record_key key = key_new((size_t)_i), want;
	char text[] = "text";
	struct iovec iov = { text, sizeof text };
	uint8_t record[64], old[64];

	if (kind[_i].version == RECORD_TLS12) {
		ck_assert_int_eq(record_key_update(&key), -EPROTO);
		return;
	}
	for (int i = 0; i < 5; i++) {
		uint64_t seq = key.seq;

		record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, old);
		ck_assert_uint_eq(key.seq, seq + 1);
		want = key;
		reference_update(&want);
		ck_assert_int_eq(record_key_update(&key), 0);
		ck_assert_uint_eq(key.seq, 0);
		ck_assert_mem_eq(key.secret, want.secret, key.hash_len);
		ck_assert_mem_eq(key.key, want.key, kind[_i].aead == RECORD_AES_128_GCM ? 16 : 32);
		ck_assert_mem_eq(key.iv, want.iv, sizeof key.iv);
		record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, record);
		ck_assert_mem_ne(record, old, sizeof text + 22);
	}
}
END_TEST

START_TEST(limits_are_kept)
{
	struct record_key key = key_new((size_t)_i);
	bool limited =
		kind[_i].version == RECORD_TLS13 && kind[_i].aead != RECORD_CHACHA20_POLY1305;
	uint64_t max = limited ? 23726566 : UINT64_MAX; /* 2^24.5 */
	char text[] = "text";
	struct iovec iov = { text, sizeof text };
	uint8_t record[64], plain[64];
	enum record_type type;

	ck_assert_uint_eq(record_key_left(&key), max);
	key.seq = max - 1;
	ck_assert_uint_eq(record_key_left(&key), 1);
	ck_assert_int_gt(
		record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, record), 0);
	ck_assert_uint_eq(record_key_left(&key), 0);
	for (int i = 0; limited && i < RECORD_GCM_SPARE; i++)
		ck_assert_int_gt(
			record_seal(&key, RECORD_HANDSHAKE, &iov, 0, sizeof text, record), 0);
	ck_assert_uint_eq(record_key_left(&key), 0);
	max = key.seq;
	ck_assert_int_eq(record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, record),
		-EOVERFLOW);
	ck_assert_uint_eq(key.seq, max);
	/* What is received has no limit but the number itself. */
	key.seq = UINT64_MAX;
	ck_assert_int_eq(
		record_open(&key, record, sizeof text + record_overhead(&key), plain, &type),
		-EOVERFLOW);
	if (kind[_i].version == RECORD_TLS13 && record_key_update(&key) == 0)
		ck_assert_uint_eq(record_key_left(&key), limited ? RECORD_GCM_LIMIT : UINT64_MAX);
}
END_TEST

START_TEST(a_record_can_be_taken_back)
{
	struct record_key key = key_new((size_t)_i);
	char text[] = "text";
	struct iovec iov = { text, sizeof text };
	uint8_t first[64], second[64];
	ssize_t n = record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, first);

	key.seq--;
	ck_assert_int_eq(
		record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, second), n);
	ck_assert_mem_eq(first, second, (size_t)n);
}
END_TEST

START_TEST(key_is_wiped)
{
	static const struct record_key none;
	struct record_key key = key_new((size_t)_i);

	record_key_clear(&key);
	ck_assert_mem_eq(&key, &none, sizeof key);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(
		tcase, rfc8448_is_reproduced, 0, sizeof rfc8448_case / sizeof rfc8448_case[0]);
	tcase_add_test(tcase, keys_of_rfc8448_are_derived);
	tcase_add_loop_test(tcase, every_size_is_as_openssl_has_it, 0, KINDS * SIZES);
	tcase_add_loop_test(tcase, pieces_are_gathered, 0, KINDS);
	tcase_add_loop_test(tcase, pieces_of_any_size_are_gathered, 0, KINDS);
	tcase_add_loop_test(tcase, more_than_a_record_is_refused, 0, KINDS);
	tcase_add_loop_test(tcase, key_update_is_a_chain, 0, KINDS);
	tcase_add_loop_test(tcase, limits_are_kept, 0, KINDS);
	tcase_add_loop_test(tcase, a_record_can_be_taken_back, 0, KINDS);
	tcase_add_loop_test(tcase, key_is_wiped, 0, KINDS);
}

int main(void)
{
	Suite *suite = suite_create("record");
	SRunner *runner = srunner_create(suite);
	int failed;

	reference_add_each_aead(suite, add_tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
