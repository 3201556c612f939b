/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls report`: a page of HTML. It takes the place of an older one only when it is whole. */
#include "command.h"
#include "log_source.h"
#include "report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct option options[] = { LOG_SOURCE_OPTIONS };

/* There are no options of its own. */
static int set_option(void *arg, int option, const char *value)
{
	(void)arg;
	(void)option;
	(void)value;
	return -EINVAL;
}

static const char *allowed(int option)
{
	(void)option;
	return "";
}

/* 0; -errno. */
static int print(const struct totals *totals, FILE *out)
{
	const struct totals_view view = { .totals = totals, .now = (uint64_t)time(NULL) };
	int r = report_print(&view, out);

	if (fflush(out) != 0 && r == 0)
		r = -errno;
	return r;
}

/* Into a new file beside it, which then gets its name. */
static int print_file(const struct totals *totals, const char *path)
{
	char *draft;
	FILE *out = NULL;
	int fd, r;

	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(draft, O_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	if (r == 0) {
		out = fdopen(fd, "w");
		r = out == NULL || fchmod(fd, 0640) < 0 ? -errno : print(totals, out);
		if (out == NULL)
			close(fd);
		else if (fclose(out) != 0 && r == 0)
			r = -errno;
		if (r == 0 && rename(draft, path) < 0)
			r = -errno;
		if (r < 0)
			unlink(draft);
	}
	free(draft);
	return r;
}

static int run(const struct log_source *source, struct totals *totals, const char *path)
{
	int status = log_source_each(source, totals_take, totals);
	int r = totals->incomplete ? -ENOMEM : 0;

	if (r == 0)
		r = strcmp(path, "-") == 0 ? print(totals, stdout) : print_file(totals, path);
	return r < 0 ? fail(r, "cannot write '%s'", path) : status;
}

int cmd_report(int argc, char **argv)
{
	const struct log_options own = { "", options, set_option, allowed, NULL };
	struct log_source source;
	struct totals *totals;
	bool done;
	int status = log_source_operands(&source, argc, argv, 1, &own, &done);

	if (status != EXIT_SUCCESS || done)
		return status;
	totals = calloc(1, sizeof *totals);
	if (totals == NULL)
		return fail(ENOMEM, "cannot begin to read the log");
	status = run(&source, totals, source.operands[0]);
	totals_clear(totals);
	free(totals);
	return status;
}
