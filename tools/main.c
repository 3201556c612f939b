/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The `seamtls` command: finds the subcommand in commands[] and hands over. What is common to all
 * subcommands, help and the form of messages, is here too.
 */
#include "command.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command commands[] = {
	{ "run", "[-p POLICY] [-l LABEL] [--] PROGRAM [ARGUMENT...]",
		"start a program under a policy",
		"  -p, --policy=POLICY  a policy file, or a NAME for NAME.conf in "
		"$XDG_CONFIG_HOME/seamtls or /etc/seamtls\n"
		"  -l, --label=LABEL    a word that rules can match with 'label ='\n"
		"\nThe program is refused if the library could not be loaded into it, or could not "
		"see its connections.\n",
		cmd_run },
	{ "check", "[--format table|json|csv] [POLICY]",
		"say what is wrong with a policy, or what it does",
		"A POLICY is a file, or a NAME for NAME.conf in $XDG_CONFIG_HOME/seamtls or "
		"/etc/seamtls; "
		"without one, the\npolicy that a program would get now is checked. Errors are "
		"FILE:LINE: KEY: "
		"MESSAGE on standard error.\n",
		cmd_check },
	{ "explain", "[OPTION...]", "which rule a connection would get, and why not the others",
		"  -p, --policy=POLICY      a policy file, or a NAME as in 'seamtls check'\n"
		"      --direction=WAY      outbound (default) or inbound\n"
		"      --local=ADDR:PORT    the program's end; either part may be left out\n"
		"      --remote=ADDR:PORT   the other end\n"
		"      --host=NAME          the name that the program looked up for it; may be "
		"repeated\n"
		"      --program=PATH       its executable\n"
		"      --user=USER          whom it runs as (default: you)\n"
		"  -l, --label=LABEL        its SEAMTLS_LABEL\n"
		"      --format=FORMAT      table (default) or json\n"
		"\nA condition that asks for what is not given does not hold.\n",
		cmd_explain },
	{ "doctor", "[--format FORMAT] PROGRAM|PID | --live [-p POLICY] [--rule NAME] HOST:PORT",
		"whether a program can be covered, or a process is, and what stands in the way",
		"      --format=FORMAT  table, json (one object a line) or csv\n"
		"      --live           do the handshake of a rule with a peer, and tell each "
		"step\n"
		"  -p, --policy=POLICY  of which policy\n"
		"      --rule=NAME      which rule (default: the one that a connection there would "
		"get)\n"
		"\nFails if it cannot be covered, or is not. Of a program: how it is linked, its "
		"privileges, its libraries, and system calls\n"
		"that are made without libc. Of a process: whether the library is in it, under "
		"which policy, "
		"and what goes past it.\n",
		cmd_doctor },
	{ "policy", "default", "print the built-in policy", NULL, cmd_policy },
	{ "log",
		"[--follow] [--since WHEN] [--until WHEN] [--event TYPES] [--format FORMAT] "
		"[FILTER...] "
		"[DIRECTORY|FILE...]",
		"show the audit log: what was protected, refused, or left alone",
		"      --format=FORMAT        table, json (one object a line), csv, or otlp-json "
		"(OpenTelemetry)\n"
		"  -f, --follow               go on as events come\n"
		"      --cursor-file=FILE     go on where the last one with this file stopped, and "
		"note there how far it is\n"
		"      --verify               say instead of each file whether it is as it was "
		"written\n"
		"      --key=FILE             with --verify: the key that the policy names with "
		"audit_key\n"
		"      --since=WHEN           a time like 2025-01-31T12:00:00Z, or 10m, 2h, 1d "
		"ago\n"
		"      --until=WHEN           the same: only what came before\n"
		"      --event=TYPE[,TYPE]    open, fail, close, pass, deny, observe, policy, "
		"lost\n"
		"      --cause=CAUSE[,CAUSE]  what failed for these causes; their names are those "
		"of "
		"'seamtls stat'\n"
		"      --protocol=NAME[,NAME] what protects what is left alone: tls, ssh, clear, "
		"none, unknown\n"
		"      --application=PATTERN  what is in the clear, or was before TLS: http, "
		"smtp, pgsql, redis and so on\n"
		"      --rule=PATTERN         the rule's name\n"
		"      --program=PATTERN      the executable: its path, or the last part of it\n"
		"      --peer=ADDRESS[:PORT]  the other side; or a PATTERN for the server's name\n"
		"      --direction=DIRECTION  inbound or outbound\n"
		"\nAll filters must hold; of several values for one of them, any. Patterns are "
		"those "
		"of the shell.\n"
		"Without a directory or file: the one that SEAMTLS_AUDIT names, else\n"
		"/var/log/seamtls for root and $XDG_STATE_HOME/seamtls for others.\n",
		cmd_log },
	{ "stat", "[--format FORMAT] [-p POLICY] [--top N] [FILTER...] [DIRECTORY|FILE...]",
		"what the audit log says in sum: what is protected with what, and what is not",
		"      --format=FORMAT        table, json (one object a line), csv, or prometheus "
		"(for the node exporter)\n"
		"  -p, --policy=POLICY        also say which of its rules were never used\n"
		"      --top=N                rows of each part of the table (default: 10)\n"
		"\nThe filters, directories and files are those of 'seamtls log'.\n",
		cmd_stat },
	{ "ps",
		"[--format FORMAT] [--sort KEY] [--state STATE] [--stale] [FILTER...] "
		"[DIRECTORY|FILE...]",
		"the connections of covered programs that are open now",
		"      --format=FORMAT  table, json (one object a line) or csv\n"
		"      --sort=KEY       age (default, the oldest first), bytes (the most first), "
		"pid, program, remote, rule\n"
		"      --state=STATE    only those that are protected, or clear\n"
		"      --stale          also what the log has as open and the kernel has not: of "
		"killed programs\n"
		"\nThe filters, directories and files are those of 'seamtls log'. What is left "
		"alone "
		"without being audited is not here. IN and OUT are bytes of TCP as the kernel "
		"counts them,\nwhat TLS adds included.\n",
		cmd_ps },
	{ "report", "FILE [FILTER...] [DIRECTORY|FILE...]",
		"the same as a page to be looked at: what is protected, what is not, and why",
		"FILE is one page of HTML that needs nothing else; '-' is standard output.\n"
		"The filters, directories and files are those of 'seamtls log'.\n",
		cmd_report },
	{ "suggest",
		"[--stage permissive|enforce] [--loopback] [--ca FILE] [--cert FILE] [--key FILE] "
		"[FILTER...] [DIRECTORY|FILE...]",
		"a policy that would protect what is in the clear",
		"      --stage=STAGE  permissive (default): servers speak TLS and take clients "
		"without it, clients go on as before;\n"
		"                     enforce: both insist on TLS\n"
		"      --loopback     also what stays within this host\n"
		"      --ca=FILE      whom clients trust (default: system)\n"
		"      --cert=FILE, --key=FILE\n"
		"                     what servers show; without it they are only observed\n"
		"\nThe filters, directories and files are those of 'seamtls log'. Look at what "
		"comes "
		"out before you use it.\n",
		cmd_suggest },
	{ "cert", "[-d DIR] [--client] [--rsa] [--days N] [--force] NAME...",
		"make a local CA, and certificates for trying things",
		"  -d, --directory=DIR  where: DIR/ca.pem and ca.key, made if missing, and "
		"NAME.pem and NAME.key (default: here)\n"
		"      --client         for clients; otherwise for servers\n"
		"      --rsa            RSA keys of 2048 bits; otherwise ECDSA, P-256\n"
		"      --days=N         how long they are valid (default: 397)\n"
		"      --force          replace certificates that are there; the CA stays\n"
		"\nA NAME is a host name (*.example.com, too), an IP address or a mail address. "
		"'localhost' gets 127.0.0.1 and ::1.\n"
		"Prints the paths of the files that it has made.\n",
		cmd_cert },
	{ "help", "[COMMAND]", "what the commands are, or what one of them does", NULL, cmd_help },
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const struct command *current; /* NULL until one is found */

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_prefix(void)
{
	fprintf(stderr, "seamtls%s%s: ", current != NULL ? " " : "",
		current != NULL ? current->name : "");
}

int fail(int error, const char *format, ...)
{
	va_list args;

	print_prefix();
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error != 0)
		fprintf(stderr, ": %s", strerror(abs(error)));
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

int usage_hint(void)
{
	if (current != NULL)
		fprintf(stderr, "Try 'seamtls %s --help'.\n", current->name);
	else
		fputs("Try 'seamtls --help'.\n", stderr);
	return EXIT_USAGE;
}

int usage_error(const char *format, ...)
{
	va_list args;

	print_prefix();
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return usage_hint();
}

static int print_overview(FILE *out)
{
	fputs("usage: seamtls COMMAND [ARGUMENT...]\n\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].summary);
	fputs("\n'seamtls COMMAND --help' tells more about one of them. 'seamtls --version' prints "
	      "the version.\n",
		out);
	return EXIT_SUCCESS;
}

static int print_help(const struct command *command)
{
	printf("usage: seamtls %s %s\n\n%s\n", command->name, command->arguments, command->summary);
	if (command->details != NULL)
		printf("\n%s", command->details);
	return EXIT_SUCCESS;
}

int usage_help(void)
{
	return print_help(current);
}

int cmd_help(int argc, char **argv)
{
	const struct command *command;

	if (argc == 1)
		return print_overview(stdout);
	if (argc > 2)
		return usage_error("one command at a time");
	command = command_find(argv[1]);
	if (command == NULL)
		return usage_error("unknown command '%s'", argv[1]);
	return print_help(command);
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int run(int argc, char **argv)
{
	static char title[32];

	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (is_help(argv[1]))
		return print_overview(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		puts("seamtls " SEAMTLS_VERSION);
		return EXIT_SUCCESS;
	}
	current = command_find(argv[1]);
	if (current == NULL)
		return usage_error("unknown command '%s'", argv[1]);
	if (argc > 2 && is_help(argv[2]))
		return print_help(current);
	snprintf(title, sizeof title, "seamtls %s", current->name);
	argv[1] = title; /* getopt_long() begins its messages with it */
	return current->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);

	/* A full disk or a closed pipe must not pass for success. */
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(0, "cannot write to standard output");
	return status;
}
