/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls doctor`: whether a program can be covered, or a process is. */
#include "command.h"
#include "doctor.h"
#include "reach.h"
#include "rows.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct report {
	struct rows rows;
	bool covered, full; /* full: there is no memory for more */
};

static void tell(enum doctor_verdict verdict, const char *what, const char *detail, void *arg)
{
	static const char *const names[] = { "ok", "note", "warning", "no" };
	struct report *report = arg;

	if (verdict == DOCTOR_NO)
		report->covered = false;
	if (rows_add(&report->rows, (const char *const[]){ names[verdict], what, detail }) < 0)
		report->full = true;
}

static int examine(const char *subject, struct report *report)
{
	bool is_pid = subject[0] != '\0' && strspn(subject, "0123456789") == strlen(subject);
	char path[PATH_MAX];
	int r;

	if (is_pid)
		return strlen(subject) < 10 ? doctor_process(atoi(subject), tell, report) : -ESRCH;
	r = reach_find(subject, path, sizeof path);
	return r < 0 ? r : doctor_program(path, tell, report);
}

int cmd_doctor(int argc, char **argv)
{
	static const char *const names[] = { "verdict", "what", "detail", NULL };
	enum rows_format format = ROWS_TABLE;
	struct report report = { .covered = true };
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return usage_help();
		if (option != 'f')
			return usage_hint();
		if (!rows_parse_format(optarg, &format))
			return usage_error(
				"unknown format '%s', allowed: table, json, csv", optarg);
	}
	if (argc - optind != 1)
		return usage_error("one program or process at a time");
	rows_init(&report.rows, format, names);
	r = examine(argv[optind], &report);
	if (report.rows.count > 0)
		rows_finish(&report.rows);
	if (r < 0 || report.full)
		return fail(r < 0 ? r : -ENOMEM, "cannot look at '%s'", argv[optind]);
	return report.covered ? EXIT_SUCCESS : EXIT_FAILURE;
}
