/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the writer's file is, and what a program may do to it. */
#include "audit_dir.h"
#include <fcntl.h>
#include <sys/resource.h>

#define NOBODY 65534

START_TEST(an_event_is_written_and_filled_in)
{
	struct audit_event event;
	struct stat st;
	int fd;

	setenv("SEAMTLS_LABEL", "nightly", 1);
	umask(077);
	errno = E2BIG;
	open_writer();
	open_writer();
	audit_event_init(&event, AUDIT_OPEN);
	event.conn = 7;
	ck_assert_int_eq(audit_write(&event), 0);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(event.pid, getpid());
	ck_assert_uint_eq(event.uid, getuid());
	ck_assert_str_eq(event.label, "nightly");
	ck_assert_ptr_nonnull(strstr(event.program, "test_audit_place"));
	ck_assert_uint_gt(event.time_us, 1700000000000000);
	fd = own_descriptor();
	ck_assert_int_gt(fd, 99);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen[7], 1);
}
END_TEST

START_TEST(the_directory_is_made_with_its_parents)
{
	struct stat st;

	umask(022);
	snprintf(dir, sizeof dir, "%s/a/b/c", base);
	open_writer();
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0750);
}
END_TEST

START_TEST(a_relative_directory_stays_where_it_was)
{
	ck_assert_int_eq(chdir(base), 0);
	strcpy(dir, "audit");
	open_writer();
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(close(own_descriptor()), 0);
	ck_assert_int_eq(write_conn(1), 0);
	snprintf(dir, sizeof dir, "%s/audit", base);
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen[1], 1);
}
END_TEST

START_TEST(a_symbolic_link_is_refused)
{
	char why[256], link[96];

	snprintf(link, sizeof link, "%s/link", base);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(symlink(dir, link), 0);
	ck_assert_int_lt(audit_writer_open(link, why, sizeof why), 0);
	ck_assert_msg(strstr(why, "symbolic link") != NULL, "%s", why);
}
END_TEST

START_TEST(a_file_in_the_way_is_refused)
{
	char why[256];
	int fd = open(dir, O_CREAT | O_WRONLY, 0600);

	close(fd);
	ck_assert_int_eq(audit_writer_open(dir, why, sizeof why), -ENOTDIR);
	ck_assert_int_eq(write_conn(1), -ENOTDIR);
	ck_assert_int_eq(audit_writer_open(dir, why, sizeof why), -ENOTDIR);
	ck_assert_str_eq(why, "");
}
END_TEST

static const struct {
	size_t len; /* of the name */
	char first;
	int want;
} name_case[] = {
	{ 0, '\0', -ENOENT }, { 600, '/', -ENAMETOOLONG },
	{ 505, 'x', -ENAMETOOLONG }, /* with the working directory before it */
};

START_TEST(a_name_that_cannot_be_is_refused)
{
	char name[700] = "", why[900];

	memset(name, 'x', name_case[_i].len);
	name[0] = name_case[_i].first;
	ck_assert_int_eq(mkdir(dir, 0755) | chdir(dir), 0);
	ck_assert_int_eq(audit_writer_open(name, why, sizeof why), name_case[_i].want);
	ck_assert_int_lt(write_conn(1), 0);
	read_dir(dir);
	ck_assert_uint_eq(files, 0);
}
END_TEST

START_TEST(without_a_file_nothing_is_written)
{
	ck_assert_int_eq(write_conn(1), -EBADF);
	ck_assert(!audit_writer_owns(-1));
	ck_assert(!audit_writer_owns(0));
}
END_TEST

START_TEST(a_closed_descriptor_is_opened_again)
{
	open_writer();
	ck_assert_int_eq(write_conn(1), 0);
	/* More often than the writer has places to remember files in. */
	for (uint64_t i = 2; i < 50; i++) {
		ck_assert_int_eq(close(own_descriptor()), 0);
		ck_assert_int_eq(write_conn(i), 0);
	}
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen_once(1, 49), 49);
	ck_assert_uint_eq(lost_records, 0);
}
END_TEST

START_TEST(a_file_with_our_old_number_is_not_touched)
{
	char path[96];
	struct stat st;
	int fd, other;

	open_writer();
	fd = own_descriptor();
	snprintf(path, sizeof path, "%s/precious", base);
	other = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	ck_assert_int_eq(dup2(other, fd), fd);
	ck_assert_int_eq(write_conn(1), 0);
	ck_assert_int_eq(fstat(other, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert(!audit_writer_owns(fd));
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0); /* still the program's */
	read_dir(dir);
	ck_assert_uint_eq(seen[1], 1);
	ck_assert_uint_eq(lost_records, 0);
}
END_TEST

START_TEST(a_deleted_file_is_followed_by_a_new_one)
{
	open_writer();
	for (uint64_t i = 1; i <= 40; i++) {
		ck_assert_int_eq(command("rm -rf", dir), 0);
		ck_assert_int_eq(write_conn(i), 0);
		read_dir(dir);
		ck_assert_uint_eq(files, 1);
		ck_assert_uint_eq(seen[i], 1);
	}
	ck_assert_int_eq(own_descriptor() < 1024, 1);
	read_dir("/proc/self/fd"); /* names without .audit: only that it can be read */
}
END_TEST

static void drop_privileges(void)
{
	ck_assert_int_eq(setgid(NOBODY), 0);
	ck_assert_int_eq(setuid(NOBODY), 0);
	ck_assert_int_eq(write_conn(2), 0);
}

START_TEST(it_goes_on_without_privileges)
{
	pid_t child;

	if (!is_root())
		return;
	open_writer();
	ck_assert_int_eq(write_conn(1), 0);
	child = start(drop_privileges);
	finish(child);
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen_once(1, 2), 2);
}
END_TEST

static void change_root(void)
{
	char why[256];

	ck_assert_int_eq(chroot("/proc/self/fdinfo"), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(write_conn(2), 0);
	ck_assert_int_eq(audit_writer_open(dir, why, sizeof why), 0);
	/* Without the descriptor there is no way back: the event is counted, the call does not
	 * hang. */
	close(own_descriptor());
	ck_assert_int_lt(write_conn(3), 0);
}

START_TEST(it_goes_on_in_another_root)
{
	pid_t child;

	if (!is_root())
		return;
	open_writer();
	ck_assert_int_eq(write_conn(1), 0);
	child = start(change_root);
	finish(child);
	ck_assert_int_eq(write_conn(4), 0);
	read_dir(dir);
	ck_assert_uint_eq(files, 1);
	ck_assert_uint_eq(seen_once(1, 2), 2);
	ck_assert_uint_eq(seen[3], 0);
	ck_assert_uint_eq(seen[4], 1);
}
END_TEST

static void write_where_forbidden(void)
{
	char why[256];

	ck_assert_int_eq(setgid(NOBODY), 0);
	ck_assert_int_eq(setuid(NOBODY), 0);
	ck_assert_int_eq(audit_writer_open(dir, why, sizeof why), -EACCES);
	ck_assert_msg(strstr(why, dir) != NULL, "%s", why);
	ck_assert_int_eq(write_conn(1), -EACCES);
	ck_assert_int_eq(write_conn(1), -EACCES);
	/* The administrator opens the directory meanwhile. */
	ck_assert_int_eq(write(STDOUT_FILENO, "", 1), 1);
	ck_assert_int_eq(read(STDIN_FILENO, why, 1), 1);
	ck_assert_int_eq(write_conn(2), 0);
	ck_assert_int_eq(audit_writer_open(dir, why, sizeof why), 0);
}

START_TEST(a_directory_that_becomes_writable_is_used)
{
	int done[2], go[2], saved_in = dup(STDIN_FILENO), saved_out = dup(STDOUT_FILENO);
	pid_t child;
	char byte;

	if (!is_root())
		return;
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	ck_assert_int_eq(pipe(done) | pipe(go), 0);
	dup2(done[1], STDOUT_FILENO);
	dup2(go[0], STDIN_FILENO);
	child = start(write_where_forbidden);
	dup2(saved_in, STDIN_FILENO);
	dup2(saved_out, STDOUT_FILENO);
	close(done[1]);
	ck_assert_int_eq(read(done[0], &byte, 1), 1);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	finish(child);
	read_dir(dir);
	ck_assert_uint_eq(seen[1], 0);
	ck_assert_uint_eq(seen[2], 1);
	ck_assert_uint_eq(lost_events, 2);
}
END_TEST

START_TEST(few_descriptors_are_enough)
{
	const struct rlimit limit = { 16 + (rlim_t)_i, 1024 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	open_writer();
	ck_assert_int_gt(own_descriptor(), 2);
	ck_assert_int_eq(write_conn(1), 0);
}
END_TEST

static const struct {
	uid_t uid;
	const char *state_home, *home, *want;
	size_t len;
	int result;
} place_case[] = {
	{ 0, "/x", "/h", "/var/log/seamtls", 100, 0 },
	{ NOBODY, "/x", "/h", "/x/seamtls", 100, 0 },
	{ NOBODY, "x", "/h", "/h/.local/state/seamtls", 100, 0 },
	{ NOBODY, "", "/h", "/h/.local/state/seamtls", 100, 0 },
	{ NOBODY, NULL, "/h", "/h/.local/state/seamtls", 100, 0 },
	{ NOBODY, NULL, "h", NULL, 100, -ENOENT },
	{ NOBODY, NULL, NULL, NULL, 100, -ENOENT },
	{ NOBODY, "/x", NULL, "/x/seamtls", 11, 0 },
	{ NOBODY, "/x", NULL, NULL, 10, -ENAMETOOLONG },
};

START_TEST(the_default_place_is_as_documented)
{
	char got[100];

	uid_t saved = geteuid();

	if (saved != place_case[_i].uid && seteuid(place_case[_i].uid) < 0)
		return;
	ck_assert_int_eq(audit_default_dir(place_case[_i].state_home, place_case[_i].home, got,
				 place_case[_i].len),
		place_case[_i].result);
	if (place_case[_i].want != NULL)
		ck_assert_str_eq(got, place_case[_i].want);
	ck_assert_int_eq(seteuid(saved), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
	tcase_add_test(tests, an_event_is_written_and_filled_in);
	tcase_add_test(tests, the_directory_is_made_with_its_parents);
	tcase_add_test(tests, a_relative_directory_stays_where_it_was);
	tcase_add_test(tests, a_symbolic_link_is_refused);
	tcase_add_test(tests, a_file_in_the_way_is_refused);
	tcase_add_loop_test(
		tests, a_name_that_cannot_be_is_refused, 0, sizeof name_case / sizeof name_case[0]);
	tcase_add_test(tests, without_a_file_nothing_is_written);
	tcase_add_test(tests, a_closed_descriptor_is_opened_again);
	tcase_add_test(tests, a_file_with_our_old_number_is_not_touched);
	tcase_add_test(tests, a_deleted_file_is_followed_by_a_new_one);
	tcase_add_test(tests, it_goes_on_without_privileges);
	tcase_add_test(tests, it_goes_on_in_another_root);
	tcase_add_test(tests, a_directory_that_becomes_writable_is_used);
	tcase_add_loop_test(tests, few_descriptors_are_enough, 0, 4);
	tcase_add_loop_test(tests, the_default_place_is_as_documented, 0,
		sizeof place_case / sizeof place_case[0]);
}

int main(void)
{
	return run_suite("audit_place", add_tests);
}
