/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * write_audit DIR [key=FILE] [size=BYTES] [keep=SECONDS] [events=N] [children=N] [kill=N]: writes
 * as the library does, N events in this process and in each child; `kill` children are killed while
 * they write. Prints nothing.
 */
#include "audit/writer.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 64

static unsigned long events = 10, children, killed;
static struct audit_settings settings;

static void give_up(const char *what)
{
	fprintf(stderr, "write_audit: %s\n", what);
	exit(EXIT_FAILURE);
}

static void read_argument(char *arg)
{
	char *value = strchr(arg, '=');

	if (value == NULL)
		give_up(arg);
	*value++ = '\0';
	if (strcmp(arg, "key") == 0)
		settings.key_file = value;
	else if (strcmp(arg, "size") == 0)
		settings.max_size = strtoul(value, NULL, 10);
	else if (strcmp(arg, "keep") == 0)
		settings.keep_s = strtoul(value, NULL, 10);
	else if (strcmp(arg, "events") == 0)
		events = strtoul(value, NULL, 10);
	else if (strcmp(arg, "children") == 0)
		children = strtoul(value, NULL, 10);
	else if (strcmp(arg, "kill") == 0)
		killed = strtoul(value, NULL, 10);
}

static void write_one(unsigned long number)
{
	struct audit_event event;

	audit_event_init(&event, AUDIT_OPEN);
	event.conn = number;
	event.rule = "web";
	event.reason = "\xff\xfe some text";
	if (audit_write(&event) < 0)
		give_up("cannot write");
}

static void child(bool endless)
{
	audit_writer_after_fork();
	for (unsigned long i = 0; endless || i < events; i++)
		write_one(i + 1);
	audit_writer_finish();
	_exit(0);
}

int main(int argc, char **argv)
{
	char why[512];
	pid_t pids[CHILDREN_MAX];

	for (int i = 2; i < argc; i++)
		read_argument(argv[i]);
	if (argc < 2 || children > CHILDREN_MAX)
		give_up("DIR");
	audit_writer_configure(&settings);
	if (audit_writer_open(argv[1], why, sizeof why) < 0)
		give_up(why);
	for (unsigned long i = 0; i < children; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			child(i < killed);
	}
	for (unsigned long i = 0; i < events; i++)
		write_one(i + 1);
	for (unsigned long i = 0; i < children; i++) {
		if (i < killed)
			kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	write_one(events + 1);
	audit_writer_finish();
	return EXIT_SUCCESS;
}
