/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies in a folder of their own, for the tests of policy/. */
#ifndef SEAMTLS_TESTS_POLICY_FIXTURE_H
#define SEAMTLS_TESTS_POLICY_FIXTURE_H

#include "policy/policy.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/seamtls-policy-XXXXXX";
static char path_buf[4096];

static inline const char *in_dir(const char *name)
{
	snprintf(path_buf, sizeof path_buf, "%s/%s", dir, name);
	return path_buf;
}

static inline void put_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

static inline void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

/* A folder with the files that the policies of the tests name. */
static inline void set_up(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put("a.pem", "certificate");
	put("b.pem", "certificate");
	put("a.key", "key");
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tear_down(void)
{
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Loads DIR/name, which has to be fine. */
static inline struct policy *load_fine(const char *name)
{
	struct policy_errors errors;
	struct policy *policy;
	int r = policy_load(name != NULL ? in_dir(name) : NULL, &policy, &errors);

	ck_assert_msg(
		r == 0, "%d: %s", r, errors.count > 0 ? errors.items[0].message : "no message");
	ck_assert_uint_eq(errors.count, 0);
	policy_errors_clear(&errors);
	return policy;
}

static inline struct policy *load_text(const char *text)
{
	put("p.conf", text);
	return load_fine("p.conf");
}

static inline struct policy_address address_of(const char *text, unsigned port)
{
	struct policy_address address = { .port = (uint16_t)port };

	if (text == NULL)
		return address;
	address.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(address.family, text, address.bytes), 1);
	return address;
}

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

/* A test case whose tests each have a folder of their own. */
static inline TCase *case_new(const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	return tcase;
}

static inline int run_case(TCase *tcase)
{
	Suite *suite = suite_create("policy");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
