/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `seamtls ps`: the connections that are open now. What a connection is stands in the audit log,
 * and that it is still there in the kernel's table: no process has to be asked, and none that was
 * killed leaves an entry behind; the kernel also knows how many bytes it has carried. What the log
 * has as open and the kernel has not, is stale.
 */
#include "command.h"
#include "log_source.h"
#include "proc.h"
#include "rows.h"
#include "tcp_sieve.h"
#include "units.h"
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STALE_MAX 10000

enum { FORMAT = 1, SORT, STATE, STALE };

static const struct option options[] = {
	{ "format", required_argument, NULL, FORMAT },
	{ "sort", required_argument, NULL, SORT },
	{ "state", required_argument, NULL, STATE },
	{ "stale", no_argument, NULL, STALE },
	LOG_SOURCE_OPTIONS,
};

/* What the log says of a connection. */
struct row {
	uint64_t conn, time_us;
	pid_t pid;
	bool clear, stale, counted;
	uint64_t bytes_in, bytes_out; /* if counted */
	const char *own;              /* instead of both: protection of the program's own */
	char *program, *rule, *direction, *local, *remote, *version, *cipher, *plane;
};

struct ps {
	struct log_source source;
	enum rows_format format;
	bool want_stale;
	size_t order; /* of orders[] */
	enum { ANY, CLEAR, PROTECTED } state;
	struct tcp_table table; /* data: struct row */
	struct tcp_sieve sieve;
	void *stale; /* a tree of rows, by connection */
	size_t stale_count;
	bool incomplete;   /* there was not enough memory */
	struct row **list; /* what is to be shown */
	size_t list_count;
	struct rows rows;
	uint64_t now_us;
};

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

/* How a connection that is left alone protects itself; NULL: not at all, as far as is known. */
static const char *own_protection(const struct audit_event *event)
{
	const char *protocol = event->protocol != NULL ? event->protocol : "";

	if (strcmp(protocol, "tls") == 0)
		return "own TLS";
	return strcmp(protocol, "ssh") == 0 ? "ssh" : NULL;
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
	row->own = own_protection(event);
	row->clear = event->type != AUDIT_OPEN && row->own == NULL;
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
	bool may_be_stale = event->type == AUDIT_OPEN && event->conn != 0 && ps->want_stale &&
			    ps->state != CLEAR;
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
		row->stale = true;
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

/* --- order --- */

static uint64_t age_s(const struct ps *ps, const struct row *row)
{
	return ps->now_us > row->time_us ? (ps->now_us - row->time_us) / 1000000 : 0;
}

static int by_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_age(const struct row *a, const struct row *b)
{
	return by_number(a->time_us, b->time_us);
}

static int by_pid(const struct row *a, const struct row *b)
{
	return by_number((uint64_t)a->pid, (uint64_t)b->pid);
}

static int by_program(const struct row *a, const struct row *b)
{
	return strcmp(a->program, b->program);
}

static int by_rule(const struct row *a, const struct row *b)
{
	return strcmp(a->rule, b->rule);
}

static int by_remote(const struct row *a, const struct row *b)
{
	return strcmp(a->remote, b->remote);
}

/* The most come first. */
static int by_bytes(const struct row *a, const struct row *b)
{
	return by_number(b->bytes_in + b->bytes_out, a->bytes_in + a->bytes_out);
}

static const struct {
	const char *name;
	int (*compare)(const struct row *a, const struct row *b);
} orders[] = { { "age", by_age }, { "bytes", by_bytes }, { "pid", by_pid },
	{ "program", by_program }, { "remote", by_remote }, { "rule", by_rule } };

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;
	int r = orders[((const struct ps *)arg)->order].compare(x, y);

	return r != 0 ? r : by_age(x, y);
}

/* --- output --- */

static const char *state_of(const struct row *row)
{
	if (!row->stale)
		return row->own != NULL ? row->own : row->clear ? "clear" : "protected";
	return proc_runs_since(row->pid, row->time_us) ? "stale: no socket" : "stale: no process";
}

static void number_text(char out[UNITS_LEN], uint64_t number)
{
	snprintf(out, UNITS_LEN, "%" PRIu64, number);
}

static void print_row(struct ps *ps, const struct row *row)
{
	char pid[UNITS_LEN], age[UNITS_LEN], in[UNITS_LEN] = "", out[UNITS_LEN] = "";
	bool table = ps->format == ROWS_TABLE;
	const char *slash = table ? strrchr(row->program, '/') : NULL;

	number_text(pid, (uint64_t)row->pid);
	if (table)
		units_age(age, age_s(ps, row));
	else
		number_text(age, age_s(ps, row));
	if (row->counted && table) {
		units_bytes(in, row->bytes_in);
		units_bytes(out, row->bytes_out);
	} else if (row->counted) {
		number_text(in, row->bytes_in);
		number_text(out, row->bytes_out);
	}
	if (rows_add(&ps->rows, (const char *const[]){ state_of(row), pid,
					slash != NULL ? slash + 1 : row->program, row->rule,
					row->direction, row->local, row->remote, row->version,
					row->cipher, row->plane, in, out, age }) < 0)
		ps->incomplete = true;
}

static void add_stale(const void *node, VISIT visit, void *arg)
{
	struct ps *ps = arg;

	if (visit == postorder || visit == leaf)
		ps->list[ps->list_count++] = *(struct row *const *)node;
}

/* All that are to be shown, in order. */
static int make_list(struct ps *ps)
{
	ps->list = calloc(ps->table.count + ps->stale_count + 1, sizeof(struct row *));
	if (ps->list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ps->table.count; i++) {
		const struct tcp_entry *entry = &ps->table.entries[i];
		struct row *row = entry->data;

		if (row == NULL || (ps->state != ANY && row->clear != (ps->state == CLEAR)))
			continue;
		row->counted = entry->counted;
		row->bytes_in = entry->bytes_in;
		row->bytes_out = entry->bytes_out;
		ps->list[ps->list_count++] = row;
	}
	twalk_r(ps->stale, add_stale, ps);
	qsort_r(ps->list, ps->list_count, sizeof(struct row *), compare_rows, ps);
	return 0;
}

static int print(struct ps *ps)
{
	static const char *const table_names[] = { "STATE", "#PID", "PROGRAM", "RULE", "DIRECTION",
		"LOCAL", "REMOTE", "VERSION", "CIPHER", "PLANE", "#IN", "#OUT", "#AGE", NULL };
	static const char *const names[] = { "state", "#pid", "program", "rule", "direction",
		"local", "remote", "version", "cipher", "plane", "#tcp_bytes_in", "#tcp_bytes_out",
		"#age_s", NULL };
	/* What a narrow terminal leaves out, the greatest first. */
	static const int ranks[] = { 0, 3, 1, 2, 11, 12, 1, 7, 10, 9, 5, 5, 4 };
	int r = make_list(ps);

	if (r < 0)
		return r;
	rows_init(&ps->rows, ps->format, ps->format == ROWS_TABLE ? table_names : names);
	ps->rows.ranks = ranks;
	for (size_t i = 0; i < ps->list_count; i++)
		print_row(ps, ps->list[i]);
	rows_finish(&ps->rows);
	return 0;
}

/* What cannot change the list is not even decoded. */
static void look_for_less(struct ps *ps)
{
	struct log_filter *filter = &ps->source.filter;

	if (filter->types == 0)
		filter->types = 1u << AUDIT_OPEN | 1u << AUDIT_PASS | 1u << AUDIT_OBSERVE |
				1u << AUDIT_CLOSE | 1u << AUDIT_FAIL;
	if (ps->want_stale)
		return;
	tcp_sieve_fill(&ps->sieve, &ps->table);
	filter->may_hold = tcp_sieve_passes;
	filter->may_hold_arg = &ps->sieve;
}

static int run(struct ps *ps)
{
	int r = tcp_table_read(&ps->table), status;

	if (r < 0)
		return fail(r, "cannot read the kernel's connections (/proc/net/tcp)");
	look_for_less(ps);
	status = log_source_each(&ps->source, take, ps);
	ps->now_us = (uint64_t)time(NULL) * 1000000;
	if (print(ps) < 0)
		ps->incomplete = true;
	return ps->incomplete ? fail(ENOMEM, "the list is not complete") : status;
}

/* --- arguments --- */

static int read_order(const char *text, size_t *out)
{
	for (*out = 0; *out < sizeof orders / sizeof orders[0]; ++*out)
		if (strcmp(orders[*out].name, text) == 0)
			return 0;
	return -EINVAL;
}

static int set_option(void *arg, int option, const char *value)
{
	struct ps *ps = arg;

	switch (option) {
	case FORMAT:
		return rows_parse_format(value, &ps->format) ? 0 : -EINVAL;
	case SORT:
		return read_order(value, &ps->order);
	case STATE:
		ps->state = strcmp(value, "clear") == 0 ? CLEAR : PROTECTED;
		return ps->state == CLEAR || strcmp(value, "protected") == 0 ? 0 : -EINVAL;
	default:
		ps->want_stale = true;
		return 0;
	}
}

static const char *allowed(int option)
{
	return option == FORMAT ? "table, json, csv"
	       : option == SORT ? "age, bytes, pid, program, remote, rule"
				: "protected, clear";
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
	free(ps.list);
	return status;
}
