/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `seamtls log`: the audit events of all programs, in the order of time. */
#include "command.h"
#include "log_print.h"
#include "log_progress.h"
#include "log_source.h"
#include "log_verify.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, VERIFY, KEY, CURSOR };

static const struct option options[] = {
	{ "format", required_argument, NULL, FORMAT },
	{ "follow", no_argument, NULL, 'f' },
	{ "cursor-file", required_argument, NULL, CURSOR },
	{ "verify", no_argument, NULL, VERIFY },
	{ "key", required_argument, NULL, KEY },
	LOG_SOURCE_OPTIONS,
};

struct request {
	struct log_source source;
	enum log_format format;
	bool follow, verify;
	const char *key, *cursor;
};

static int read_format(const char *text, enum log_format *out)
{
	static const struct {
		const char *name;
		enum log_format format;
	} formats[] = { { "table", LOG_TABLE }, { "json", LOG_JSON }, { "csv", LOG_CSV },
		{ "otlp-json", LOG_OTLP } };

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(formats[i].name, text) == 0) {
			*out = formats[i].format;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_option(void *arg, int option, const char *value)
{
	struct request *request = arg;

	if (option == FORMAT)
		return read_format(value, &request->format);
	if (option == KEY)
		request->key = value;
	else if (option == CURSOR)
		request->cursor = value;
	else if (option == VERIFY)
		request->verify = true;
	else
		request->follow = true;
	return 0;
}

static const char *allowed(int option)
{
	(void)option;
	return "table, json, csv, otlp-json";
}

static int print_all(struct log_merge *merge, struct log_printer *printer)
{
	struct audit_event event;
	int r;

	while ((r = log_merge_next(merge, &event)) > 0 && !ferror(printer->out))
		log_print(printer, &event);
	return fflush(printer->out) != 0 ? -errno : r;
}

/* What was printed is where it belongs before the cursor says so. */
static int save(struct log_merge *merge, const char *cursor)
{
	int r;

	if (fdatasync(STDOUT_FILENO) < 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		return fail(errno, "cannot write the output");
	r = log_merge_save(merge);
	return r < 0 ? fail(r, "cannot write the cursor '%s'", cursor) : EXIT_SUCCESS;
}

/* Whoever was killed may have left half a line in the file that this goes on with. */
static void begin_line(void)
{
	struct stat st;
	char last = '\n';
	int fd;

	if (fstat(STDOUT_FILENO, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return;
	fd = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		putchar('\n');
	close(fd);
}

static int print_and_follow(const struct request *request, struct log_merge *merge,
	struct log_follow *follow, struct log_printer *printer, int *status)
{
	struct log_progress progress;
	int r;

	log_progress_begin(&progress, merge, true);
	r = print_all(merge, printer);
	log_progress_end(&progress);
	*status = r == 0 ? save(merge, request->cursor) : EXIT_SUCCESS;
	while (follow != NULL && r == 0 && *status == EXIT_SUCCESS) {
		r = log_follow_wait(follow, merge);
		if (r <= 0)
			break;
		r = print_all(merge, printer);
		if (r == 0)
			*status = save(merge, request->cursor);
	}
	log_printer_finish(printer);
	return r;
}

static int run(const struct request *request, struct log_merge *merge, struct log_follow *follow)
{
	struct log_printer printer;
	bool good = log_source_open(&request->source, merge, follow);
	int r, status;

	if (log_merge_count(merge) == 0 && follow == NULL && request->cursor == NULL)
		return good ? EXIT_SUCCESS : EXIT_FAILURE;
	if (request->cursor != NULL)
		begin_line();
	log_printer_init(&printer, request->format, stdout);
	r = print_and_follow(request, merge, follow, &printer, &status);
	if (r < 0)
		fail(r, "cannot go on reading the log");
	return log_merge_finish(merge) && good && r == 0 ? status : EXIT_FAILURE;
}

static int tell_cursor(const char *path, int error)
{
	char name[512];

	text_safe(name, sizeof name, path);
	if (error == -EBADMSG)
		return fail(0,
			"'%s' is no cursor of seamtls log: name another file, or delete it to "
			"begin from the start",
			name);
	return fail(error, "cannot read the cursor '%s'", name);
}

static int log_places(const struct request *request)
{
	struct log_merge *merge = log_merge_new(&request->source.filter);
	struct log_follow *follow = NULL;
	struct log_cursor *cursor = NULL;
	int r = merge != NULL ? 0 : -ENOMEM;

	if (request->cursor != NULL && r == 0) {
		int read = log_cursor_read(request->cursor, &cursor);

		if (read < 0) {
			log_merge_free(merge);
			return tell_cursor(request->cursor, read);
		}
		log_merge_resume(merge, cursor);
	}
	if (r == 0 && request->follow)
		r = log_follow_new(&follow);
	r = r < 0 ? fail(r, "cannot begin to read the log") : run(request, merge, follow);
	log_follow_free(follow);
	log_cursor_free(cursor);
	log_merge_free(merge);
	return r;
}

static enum rows_format row_format(enum log_format format)
{
	return format == LOG_JSON ? ROWS_JSON : format == LOG_CSV ? ROWS_CSV : ROWS_TABLE;
}

int cmd_log(int argc, char **argv)
{
	struct request request = { .format = LOG_TABLE };
	const struct log_options own = { "f", options, set_option, allowed, &request };
	bool done;
	int r = log_source_arguments(&request.source, argc, argv, &own, &done);

	if (r != EXIT_SUCCESS || done)
		return r;
	if (request.verify)
		return log_verify(request.source.places, request.key, row_format(request.format));
	return log_places(&request);
}
