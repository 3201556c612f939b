/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names that were looked up, by address. */
#include "conn/internal.h"
#include "conn/lookups.h"
#include "conn/names.h"
#include "conn/names_table.h"
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MOST_KB 13000
/* What the tests use themselves; a sanitizer gives nothing back for long. */
#ifdef __SANITIZE_ADDRESS__
#define OTHERS_MOST_KB 300000
#else
#define OTHERS_MOST_KB 4000
#endif

struct found {
	struct sockaddr_storage at;
	struct addrinfo info;
};

static struct addrinfo *found_at(struct found *found, const char *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&found->at;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&found->at;
	bool v6 = strchr(address, ':') != NULL;

	memset(found, 0, sizeof *found);
	found->at.ss_family = v6 ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(found->at.ss_family, address,
				 v6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr),
		1);
	found->info.ai_family = found->at.ss_family;
	found->info.ai_addr = (struct sockaddr *)&found->at;
	found->info.ai_addrlen = v6 ? sizeof *in6 : sizeof *in;
	return &found->info;
}

static void learn(const char *name, const char *address)
{
	struct found found;

	names_learn(name, found_at(&found, address));
}

/* The names of an address, newest first, with blanks between. */
static const char *names_of(const char *address)
{
	static char text[2048];
	char memory[1024];
	const char *names[8];
	struct found found;
	struct policy_address at;
	size_t count;

	found_at(&found, address);
	ck_assert_int_eq(address_from_sockaddr(found.info.ai_addr, found.info.ai_addrlen, &at), 0);
	at.port = 0;
	count = names_find(&at, names, 8, memory, sizeof memory);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		sprintf(text + strlen(text), "%s%s", i > 0 ? " " : "", names[i]);
	return text;
}

START_TEST(newest_name_comes_first)
{
	learn("a.test", "192.0.2.1");
	learn("b.test", "192.0.2.1");
	learn("c.test", "192.0.2.2");
	ck_assert_str_eq(names_of("192.0.2.1"), "b.test a.test");
	ck_assert_str_eq(names_of("192.0.2.2"), "c.test");
	/* Asked again, a name is the newest again. */
	learn("a.test", "192.0.2.1");
	ck_assert_str_eq(names_of("192.0.2.1"), "a.test b.test");
	ck_assert_str_eq(names_of("192.0.2.3"), "");
}
END_TEST

START_TEST(addresses_are_no_names)
{
	learn("192.0.2.1", "192.0.2.1");
	learn("2001:db8::1", "2001:db8::1");
	learn("", "192.0.2.1");
	names_learn(NULL, NULL);
	ck_assert_str_eq(names_of("192.0.2.1"), "");
	ck_assert_str_eq(names_of("2001:db8::1"), "");
}
END_TEST

START_TEST(mapped_addresses_are_ipv4)
{
	learn("a.test", "::ffff:192.0.2.1");
	ck_assert_str_eq(names_of("192.0.2.1"), "a.test");
	learn("b.test", "192.0.2.1");
	ck_assert_str_eq(names_of("::ffff:192.0.2.1"), "b.test a.test");
}
END_TEST

/* 10.x.y.z */
static const char *address_at(unsigned i)
{
	static char text[32];

	snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
	return text;
}

static void learn_number(unsigned i)
{
	char name[32];

	snprintf(name, sizeof name, "n%u.test", i);
	learn(name, address_at(i));
}

static void check_number(unsigned i)
{
	char name[32];

	snprintf(name, sizeof name, "n%u.test", i);
	ck_assert_str_eq(names_of(address_at(i)), name);
}

static size_t resident_kb(void)
{
	unsigned long all = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu %lu", &all, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

START_TEST(many_are_remembered_in_bounded_memory)
{
	const unsigned many = 100000, most = NAMES_TABLE_MOST;
	size_t before = resident_kb();

	for (unsigned i = 0; i < many; i++)
		learn_number(i);
	for (unsigned i = 0; i < many; i += 7)
		check_number(i);
	for (unsigned i = many; i < 2 * most; i++)
		learn_number(i);
	for (unsigned i = most; i < 2 * most; i += 7)
		check_number(i);
	ck_assert_str_eq(names_of(address_at(most - 1)), "");
	ck_assert_uint_lt(resident_kb() - before, TABLE_MOST_KB + OTHERS_MOST_KB);
}
END_TEST

START_TEST(what_is_asked_for_again_stays)
{
	const unsigned most = NAMES_TABLE_MOST;

	learn("old.test", "192.0.2.1");
	learn("often.test", "192.0.2.1");
	learn("new.test", "192.0.2.1");
	for (unsigned i = 0; i < 2 * most; i++) {
		learn_number(i);
		if (i % 1000 == 0)
			learn("often.test", "192.0.2.1");
	}
	ck_assert_str_eq(names_of("192.0.2.1"), "often.test");
}
END_TEST

START_TEST(order_stays_when_one_stays)
{
	const unsigned most = NAMES_TABLE_MOST;

	learn("a.test", "192.0.2.1");
	learn("b.test", "192.0.2.1");
	learn("c.test", "192.0.2.1");
	for (unsigned i = 0; i < most - 3; i++)
		learn_number(i);
	learn("a.test", "192.0.2.1");
	learn("c.test", "192.0.2.1");
	ck_assert_str_eq(names_of("192.0.2.1"), "c.test a.test b.test");
	/* The ring is full: a.test gets its second round, b.test has to go. */
	learn_number(most);
	ck_assert_str_eq(names_of("192.0.2.1"), "c.test a.test");
	learn_number(most + 1);
	ck_assert_str_eq(names_of("192.0.2.1"), "c.test a.test");
}
END_TEST

/* The bound of the text is reached before that of the names. */
START_TEST(long_names_are_bounded_too)
{
	char name[CONN_NAME_LEN];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (unsigned i = 0; i < 3 * (NAMES_TABLE_TEXT_MOST / sizeof name); i++) {
		snprintf(name, 12, "%010u.", i);
		name[11] = 'x';
		name[200 + i % 55] = '\0';
		learn(name, address_at(i));
		ck_assert_str_eq(names_of(address_at(i)), name);
		name[200 + i % 55] = 'x';
	}
	ck_assert_str_eq(names_of(address_at(0)), "");
}
END_TEST

START_TEST(address_of_many_names_has_the_newest)
{
	char name[32], want[128] = "";

	for (int i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "n%d.test", i);
		learn(name, "192.0.2.1");
	}
	for (int i = 49999; i > 49991; i--)
		sprintf(want + strlen(want), "%sn%d.test", want[0] != '\0' ? " " : "", i);
	ck_assert_str_eq(names_of("192.0.2.1"), want);
}
END_TEST

START_TEST(hosts_are_learnt)
{
	struct in_addr v4[2];
	struct in6_addr v6;
	char *v4_list[] = { (char *)&v4[0], (char *)&v4[1], NULL };
	char *v6_list[] = { (char *)&v6, NULL };
	struct hostent host = { .h_addrtype = AF_INET, .h_length = 4, .h_addr_list = v4_list };

	inet_pton(AF_INET, "192.0.2.1", &v4[0]);
	inet_pton(AF_INET, "192.0.2.2", &v4[1]);
	inet_pton(AF_INET6, "2001:db8::1", &v6);
	names_learn_host("a.test", &host);
	host = (struct hostent){ .h_addrtype = AF_INET6, .h_length = 16, .h_addr_list = v6_list };
	names_learn_host("b.test", &host);
	names_learn_host("c.test", NULL);
	ck_assert_str_eq(names_of("192.0.2.1"), "a.test");
	ck_assert_str_eq(names_of("192.0.2.2"), "a.test");
	ck_assert_str_eq(names_of("2001:db8::1"), "b.test");
}
END_TEST

START_TEST(lookup_is_told_of_once)
{
	struct found found;
	struct gaicb request = { .ar_name = "a.test", .ar_result = found_at(&found, "192.0.2.1") };
	struct gaicb *list[] = { NULL, &request };

	/* Not one of ours: what it points to is not looked at. */
	lookups_found(&request);
	ck_assert_str_eq(names_of("192.0.2.1"), "");
	lookups_begin(list, 2);
	lookups_found(&request);
	ck_assert_str_eq(names_of("192.0.2.1"), "a.test");
	request.ar_result = NULL;
	request.ar_name = "gone";
	lookups_found(&request);
	ck_assert_str_eq(names_of("192.0.2.1"), "a.test");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, newest_name_comes_first);
	tcase_add_test(tcase, addresses_are_no_names);
	tcase_add_test(tcase, mapped_addresses_are_ipv4);
	tcase_add_test(tcase, many_are_remembered_in_bounded_memory);
	tcase_add_test(tcase, what_is_asked_for_again_stays);
	tcase_add_test(tcase, order_stays_when_one_stays);
	tcase_add_test(tcase, long_names_are_bounded_too);
	tcase_add_test(tcase, address_of_many_names_has_the_newest);
	tcase_add_test(tcase, hosts_are_learnt);
	tcase_add_test(tcase, lookup_is_told_of_once);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
