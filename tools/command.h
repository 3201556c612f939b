/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The subcommands of `seamtls`: one file (cmd_NAME.c) and one row of commands[] in main.c each.
 * argv[0] is "seamtls NAME". They write data to standard output and messages to standard
 * error, and return an exit status: EXIT_SUCCESS, EXIT_FAILURE, EXIT_USAGE.
 */
#ifndef SEAMTLS_TOOLS_COMMAND_H
#define SEAMTLS_TOOLS_COMMAND_H

#define EXIT_USAGE 2

struct command {
	const char *name;
	const char *arguments; /* synopsis of what follows the name */
	const char *summary;   /* one line */
	const char *details;   /* the options, in whole lines; or NULL */
	int (*run)(int argc, char **argv);
};

int cmd_cert(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_suggest(int argc, char **argv);

/* Prints "seamtls NAME: MESSAGE: what -error means" (without the last part if error is 0). Returns
 * EXIT_FAILURE. */
__attribute__((format(printf, 2, 3))) int fail(int error, const char *format, ...);

/* Prints "seamtls NAME: MESSAGE" and how to get help. Returns EXIT_USAGE. */
__attribute__((format(printf, 1, 2))) int usage_error(const char *format, ...);

/* For getopt_long() in a subcommand: what to return after '?' (it has printed the message), and for
 * --help. */
int usage_hint(void);
int usage_help(void);

#endif
