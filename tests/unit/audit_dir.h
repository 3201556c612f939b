/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A directory of audit files for a test, what the tests write to it, and what is found in it. */
#ifndef SEAMTLS_TESTS_UNIT_AUDIT_DIR_H
#define SEAMTLS_TESTS_UNIT_AUDIT_DIR_H

#include "audit/reader.h"
#include "audit/writer.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEN_MAX 20000

static char base[64], dir[96];

/* What read_dir() found. */
static unsigned files, lost_records, damaged;
static uint64_t lost_events;
static uint8_t seen[SEEN_MAX]; /* how often a connection was there */

static inline void setup(void)
{
	snprintf(base, sizeof base, "/tmp/seamtls-test-audit-%d-%d", (int)getppid(), (int)getpid());
	ck_assert_int_eq(mkdir(base, 0755), 0);
	chmod(base, 0755);
	snprintf(dir, sizeof dir, "%s/audit", base);
}

static inline int command(const char *text, const char *arg)
{
	char line[256];

	snprintf(line, sizeof line, "%s '%s'", text, arg);
	return system(line);
}

static inline void teardown(void)
{
	ck_assert_int_eq(command("rm -rf", base), 0);
}

static inline void read_file(const char *path)
{
	struct audit_reader *reader;
	struct audit_record record;
	struct audit_event event;
	char text[AUDIT_RECORD_MAX];
	int r;

	ck_assert_int_eq(audit_reader_new(path, &reader), 0);
	while ((r = audit_reader_next(reader, &record)) > 0) {
		ck_assert_int_eq(audit_decode(record.data, record.frame.len, &event, text), 0);
		if (event.type == AUDIT_LOST) {
			lost_records++;
			lost_events += event.lost;
			ck_assert_ptr_nonnull(event.reason);
		}
		if (event.conn < SEEN_MAX)
			seen[event.conn]++;
	}
	ck_assert_msg(r == 0, "%s: %s", path, strerror(-r));
	damaged += (unsigned)audit_reader_damage(reader)->places;
	audit_reader_free(reader);
}

static inline void read_dir(const char *name)
{
	DIR *d = opendir(name);
	struct dirent *entry;
	char path[512];

	ck_assert_ptr_nonnull(d);
	files = lost_records = damaged = 0;
	lost_events = 0;
	memset(seen, 0, sizeof seen);
	while ((entry = readdir(d)) != NULL) {
		if (strstr(entry->d_name, ".audit") == NULL)
			continue;
		files++;
		snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
		read_file(path);
	}
	closedir(d);
}

static inline void open_writer(void)
{
	char why[256] = "";
	int r = audit_writer_open(dir, why, sizeof why);

	ck_assert_msg(r == 0, "%s", why);
	ck_assert_str_eq(why, "");
}

static inline int write_conn(uint64_t conn)
{
	struct audit_event event;

	audit_event_init(&event, AUDIT_OPEN);
	event.conn = conn;
	event.rule = "web";
	return audit_write(&event);
}

static inline int own_descriptor(void)
{
	for (int fd = 0; fd < 4096; fd++)
		if (audit_writer_owns(fd))
			return fd;
	ck_abort_msg("the writer has no descriptor");
}

/* Runs `run` in a child; Check's own assertions end it with a status. */
static inline pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		audit_writer_after_fork();
		run();
		_exit(0);
	}
	return pid;
}

static inline void finish(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* Which connections of `from`.. were seen exactly once, from the first on. */
static inline unsigned seen_once(unsigned from, unsigned count)
{
	unsigned n = 0;

	while (n < count && seen[from + n] == 1)
		n++;
	return n;
}

static inline bool is_root(void)
{
	return geteuid() == 0;
}

static inline int run_suite(const char *name, void (*add_tests)(TCase *tests))
{
	Suite *suite = suite_create(name);
	TCase *tests = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	add_tests(tests);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
