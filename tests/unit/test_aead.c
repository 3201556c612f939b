/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The expanded keys that are kept between records: more of them than there is room for, used by
 * threads at once, inherited, forgotten. */
#include "record_reference.h"
#include "tls/aead.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 100
#define THREADS 4

static const enum record_aead aead_case[] = { RECORD_AES_128_GCM, RECORD_AES_256_GCM,
	RECORD_CHACHA20_POLY1305 };

#define AEADS (sizeof aead_case / sizeof aead_case[0])

/* Keys of which many share some of their bytes. */
static struct record_key key_number(enum record_aead aead, unsigned number)
{
	struct record_key key = reference_key(RECORD_TLS13, aead);

	key.key[0] = (uint8_t)(number % 7);
	key.key[15] = (uint8_t)number;
	key.key[14] = (uint8_t)(number >> 8);
	return key;
}

static bool round_trip(struct record_key key)
{
	char text[] = "some text that is not very long";
	struct iovec iov = { text, sizeof text };
	struct record_key receiver = key, reference = key;
	uint8_t record[128], want[128], out[128];
	enum record_type type;
	ssize_t n = record_seal(&key, RECORD_APPLICATION_DATA, &iov, 0, sizeof text, record);

	reference_seal(
		&reference, RECORD_APPLICATION_DATA, (const uint8_t *)text, sizeof text, 0, want);
	return n > 0 && memcmp(record, want, (size_t)n) == 0 &&
	       record_open(&receiver, record, (size_t)n, out, &type) == (ssize_t)sizeof text &&
	       memcmp(out, text, sizeof text) == 0;
}

START_TEST(many_keys_do_not_mix)
{
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned number = 0; number < MANY; number++)
			ck_assert(round_trip(key_number(aead_case[_i], number)));
}
END_TEST

START_TEST(one_key_of_two_lengths_does_not_mix)
{
	struct record_key half = key_number(RECORD_AES_128_GCM, 1);
	struct record_key whole = key_number(RECORD_AES_256_GCM, 1);

	memcpy(whole.key, half.key, sizeof whole.key);
	for (unsigned turn = 0; turn < 3; turn++) {
		ck_assert(round_trip(half));
		ck_assert(round_trip(whole));
	}
}
END_TEST

START_TEST(a_forgotten_key_still_works)
{
	struct record_key key = key_number(aead_case[_i], 1), other = key_number(aead_case[_i], 8);

	ck_assert(round_trip(key));
	record_key_forget(&other); /* not there, but its place is */
	ck_assert(round_trip(key));
	record_key_forget(&key);
	record_key_forget(&key);
	ck_assert(round_trip(key));
}
END_TEST

static void *use_keys(void *arg)
{
	const enum record_aead *aead = arg;

	for (unsigned i = 0; i < 20 * MANY; i++) {
		struct record_key key = key_number(*aead, i % 21);

		if (!round_trip(key))
			return arg;
		if (i % 5 == 0)
			record_key_forget(&key);
	}
	return NULL;
}

START_TEST(threads_share_what_is_kept)
{
	enum record_aead aead = aead_case[_i];
	pthread_t thread[THREADS];
	void *failed;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, use_keys, &aead), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

START_TEST(a_child_goes_on)
{
	enum record_aead aead = aead_case[_i];
	int status = -1;
	pid_t pid;

	ck_assert_ptr_null(use_keys(&aead));
	pid = fork();
	if (pid == 0)
		_exit(use_keys(&aead) == NULL ? EXIT_SUCCESS : EXIT_FAILURE);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(the_choice_stays)
{
	const struct aead *fastest = aead_ipsec_mb() != NULL ? aead_ipsec_mb() : aead_wolfcrypt();

	aead_choose(NULL);
	ck_assert_ptr_eq(aead_chosen(), fastest);
	ck_assert_ptr_eq(aead_chosen(), fastest);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, many_keys_do_not_mix, 0, AEADS);
	tcase_add_test(tcase, one_key_of_two_lengths_does_not_mix);
	tcase_add_loop_test(tcase, a_forgotten_key_still_works, 0, AEADS);
	tcase_add_loop_test(tcase, threads_share_what_is_kept, 0, AEADS);
	tcase_add_loop_test(tcase, a_child_goes_on, 0, AEADS);
	tcase_add_test(tcase, the_choice_stays);
}

int main(void)
{
	Suite *suite = suite_create("aead");
	SRunner *runner = srunner_create(suite);
	int failed;

	reference_add_each_aead(suite, add_tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
