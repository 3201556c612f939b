/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `seamtls ps`: the connections that are open now. What a connection is stands in the audit log,
 * and that it is still there in the kernel's table: no process has to be asked, and none that was
 * killed leaves an entry behind. What the log has as open and the kernel has not, is stale.
 */
#include "command.h"
#include "log_source.h"
#include "proc.h"
#include "rows.h"
#include "tcp_table.h"
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STALE_MAX 10000

enum { FORMAT = 1, STALE };

static const struct option options[] = {
	{ "format", required_argument, NULL, FORMAT },
	{ "stale", no_argument, NULL, STALE },
	LOG_SOURCE_OPTIONS,
};

/* What the log says of a connection. */
struct row {
	uint64_t conn, time_us;
	pid_t pid;
	bool clear;
	char *program, *rule, *direction, *local, *remote, *version, *cipher, *plane;
};

struct ps {
	struct log_source source;
	enum rows_format format;
	bool want_stale;
	struct tcp_table table; /* data: struct row */
	void *stale;            /* a tree of rows, by connection */
	size_t stale_count;
	bool incomplete; /* there was not enough memory */
	struct rows rows;
	uint64_t now_us;
};

static int set_option(void *arg, int option, const char *value)
{
	struct ps *ps = arg;

	if (option == FORMAT)
		return rows_parse_format(value, &ps->format) ? 0 : -EINVAL;
	ps->want_stale = true;
	return 0;
}

static const char *allowed(int option)
{
	(void)option;
	return "table, json, csv";
}

static void row_free(void *item)
{
	struct row *row = item;

	if (row == NULL)
		return;
	free(row->program);
	free(row->rule);
	free(row->direction);
	free(row->local);
	free(row->remote);
	free(row->version);
	free(row->cipher);
	free(row->plane);
	free(row);
}

static char *copy(const char *text)
{
	return strdup(text != NULL ? text : "");
}

/* NULL: no memory. */
static struct row *row_new(const struct audit_event *event)
{
	struct row *row = calloc(1, sizeof *row);

	if (row == NULL)
		return NULL;
	row->conn = event->conn;
	row->time_us = event->time_us;
	row->pid = event->pid;
	row->clear = event->type != AUDIT_OPEN;
	row->program = copy(event->program);
	row->rule = copy(event->rule);
	row->direction = copy(event->direction);
	row->local = copy(event->local);
	row->remote = copy(event->remote);
	row->version = copy(event->version);
	row->cipher = copy(event->cipher);
	row->plane = copy(event->plane);
	if (row->program != NULL && row->rule != NULL && row->direction != NULL &&
		row->local != NULL && row->remote != NULL && row->version != NULL &&
		row->cipher != NULL && row->plane != NULL)
		return row;
	row_free(row);
	return NULL;
}

static int compare_conns(const void *a, const void *b)
{
	uint64_t x = ((const struct row *)a)->conn, y = ((const struct row *)b)->conn;

	return x < y ? -1 : x > y;
}

static void take_begin(struct ps *ps, const struct audit_event *event)
{
	struct tcp_entry *entry = tcp_table_find(&ps->table, event->local, event->remote);
	bool may_be_stale = event->type == AUDIT_OPEN && event->conn != 0 && ps->want_stale;
	struct row *row;

	/* A connection in the clear has no `close` that would be missed. */
	if (entry == NULL && (!may_be_stale || ps->stale_count == STALE_MAX))
		return;
	row = row_new(event);
	if (row == NULL) {
		ps->incomplete = true;
	} else if (entry != NULL) {
		row_free(entry->data);
		entry->data = row;
	} else if (tsearch(row, &ps->stale, compare_conns) == NULL) {
		ps->incomplete = true;
		row_free(row);
	} else {
		ps->stale_count++;
	}
}

static void take_end(struct ps *ps, const struct audit_event *event)
{
	struct tcp_entry *entry = tcp_table_find(&ps->table, event->local, event->remote);
	struct row key = { .conn = event->conn }, **found;
	struct row *row = entry != NULL ? entry->data : NULL;

	if (row != NULL && row->conn == event->conn) {
		row_free(row);
		entry->data = NULL;
	}
	found = tfind(&key, &ps->stale, compare_conns);
	if (found == NULL)
		return;
	row = *found;
	tdelete(row, &ps->stale, compare_conns);
	row_free(row);
	ps->stale_count--;
}

static void take(const struct audit_event *event, void *arg)
{
	if (event->type == AUDIT_OPEN || event->type == AUDIT_PASS || event->type == AUDIT_OBSERVE)
		take_begin(arg, event);
	else if (event->type == AUDIT_CLOSE || event->type == AUDIT_FAIL)
		take_end(arg, event);
}

/* "5s", "12m", "3h", "9d" */
static const char *age_text(uint64_t seconds, char *out, size_t len)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	snprintf(out, len, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
	return out;
}

static void print_row(struct ps *ps, const struct row *row, const char *state)
{
	uint64_t age = ps->now_us > row->time_us ? (ps->now_us - row->time_us) / 1000000 : 0;
	char pid[16], age_cell[24];

	snprintf(pid, sizeof pid, "%d", (int)row->pid);
	if (ps->format == ROWS_TABLE)
		age_text(age, age_cell, sizeof age_cell);
	else
		snprintf(age_cell, sizeof age_cell, "%" PRIu64, age);
	if (rows_add(&ps->rows, (const char *const[]){ state, pid, row->program, row->rule,
					row->direction, row->local, row->remote, row->version,
					row->cipher, row->plane, age_cell }) < 0)
		ps->incomplete = true;
}

static void print_stale(const void *node, VISIT visit, void *arg)
{
	const struct row *row = *(const struct row *const *)node;

	if (visit == postorder || visit == leaf)
		print_row(arg, row,
			proc_runs_since(row->pid, row->time_us) ? "stale: no socket"
								: "stale: no process");
}

static void print(struct ps *ps)
{
	static const char *const table_names[] = { "STATE", "PID", "PROGRAM", "RULE", "DIRECTION",
		"LOCAL", "REMOTE", "VERSION", "CIPHER", "PLANE", "AGE", NULL };
	static const char *const names[] = { "state", "pid", "program", "rule", "direction",
		"local", "remote", "version", "cipher", "plane", "age_s", NULL };

	rows_init(&ps->rows, ps->format, ps->format == ROWS_TABLE ? table_names : names);
	for (size_t i = 0; i < ps->table.count; i++) {
		const struct row *row = ps->table.entries[i].data;

		if (row != NULL)
			print_row(ps, row, row->clear ? "clear" : "protected");
	}
	twalk_r(ps->stale, print_stale, ps);
	rows_finish(&ps->rows);
}

static int run(struct ps *ps)
{
	int r = tcp_table_read(&ps->table), status;

	if (r < 0)
		return fail(r, "cannot read the kernel's connections (/proc/net/tcp)");
	status = log_source_each(&ps->source, take, ps);
	ps->now_us = (uint64_t)time(NULL) * 1000000;
	print(ps);
	return ps->incomplete ? fail(ENOMEM, "the list is not complete") : status;
}

int cmd_ps(int argc, char **argv)
{
	struct ps ps = { .format = ROWS_TABLE };
	const struct log_options own = { "", options, set_option, allowed, &ps };
	bool done;
	int status = log_source_arguments(&ps.source, argc, argv, &own, &done);

	if (status != EXIT_SUCCESS || done)
		return status;
	status = run(&ps);
	for (size_t i = 0; i < ps.table.count; i++)
		row_free(ps.table.entries[i].data);
	tcp_table_clear(&ps.table);
	tdestroy(ps.stale, row_free);
	return status;
}
