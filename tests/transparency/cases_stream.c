/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams of stdio, and what is printed to a descriptor. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>
#include <wchar.h>

static void lines(void)
{
	int fd = connected();
	FILE *in = fdopen(fd, "r");
	char line[100];

	NEED(in != NULL);
	say("fileno %d", fileno(in) == fd);
	tell_peer("text one two three");
	tell_peer("half_close");
	NEED(fscanf(in, "%99s", line) == 1);
	say("'%s'", line);
	say("next %d", fgetc(in));
	say("ungetc %d", ungetc('X', in));
	NEED(fgets(line, sizeof(line), in) != NULL);
	say("'%s', end %d, error %d", line, feof(in) != 0, ferror(in) != 0);
	say("fgetc %d", fgetc(in));
	say("end %d", feof(in) != 0);
	say_result("fclose", fclose(in));
	say_result("close", close(fd));
	tell_peer("text_until_end");
}

static void printed(void)
{
	int fd = connected();
	FILE *out = fdopen(fd, "w");

	NEED(out != NULL);
	say_result("fprintf", fprintf(out, "%s %d\n", "number", 42));
	say_result("fputs", fputs("more", out) >= 0 ? 0 : -1);
	say_result("fflush", fflush(out));
	tell_peer("read_text 14");
	say_result("setvbuf", setvbuf(out, NULL, _IONBF, 0));
	say_result("fwrite", (long)fwrite("unbuffered", 1, 10, out));
	tell_peer("read_text 10");
	say_result("fclose", fclose(out));
	tell_peer("text_until_end");
}

static void line_buffered(void)
{
	int fd = connected();
	FILE *out = fdopen(fd, "w");

	NEED(out != NULL);
	say_result("setvbuf", setvbuf(out, NULL, _IOLBF, 1024));
	say_result("fputs", fputs("a line\nand half", out) >= 0 ? 0 : -1);
	tell_peer("read_text 7");
	say_result("fclose", fclose(out));
	tell_peer("text_until_end");
}

/* One stream for both, and two with a copy of the descriptor. */
static void both_ways(void)
{
	int fd = connected();
	FILE *both = fdopen(fd, "r+");
	char line[100];

	NEED(both != NULL);
	say_result("fputs", fputs("hello\n", both) >= 0 ? 0 : -1);
	say_result("fflush", fflush(both));
	tell_peer("read_text 6");
	tell_peer("text_line answer");
	NEED(fgets(line, sizeof(line), both) != NULL);
	say("'%.6s'", line);
	say_result("fclose", fclose(both));
	tell_peer("text_until_end");
}

static void two_streams(void)
{
	int fd = connected();
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[100];

	NEED(in != NULL && out != NULL);
	for (int i = 0; i < 3; i++) {
		fprintf(out, "call %d\n", i);
		say_result("fflush", fflush(out));
		tell_peer("read_text 7");
		tell_peer("text_line answer");
		NEED(fgets(line, sizeof(line), in) != NULL);
		say("'%.6s'", line);
	}
	say_result("fclose", fclose(out));
	tell_peer("text_line last");
	NEED(fgets(line, sizeof(line), in) != NULL);
	say_result("fclose", fclose(in));
	tell_peer("text_until_end");
}

static void other_calls(void)
{
	int fd = connected();
	FILE *both = fdopen(fd, "r+b");
	char *line = NULL, block[8] = "";
	size_t room = 0;

	NEED(both != NULL);
	tell_peer("text_line a rather long line");
	say_result("getline", getline(&line, &room, both));
	tell_peer("text 12345678");
	say_result("fread", (long)fread(block, 2, 4, both));
	say("'%.8s'", block);
	say_result("fseek", fseek(both, 0, SEEK_SET));
	say_result("ftell", ftell(both));
	say_result("putc", putc('x', both));
	say_result("puts", fputc('y', both));
	say_result("fflush", fflush(NULL));
	tell_peer("read_text 2");
	free(line);
	say_result("fclose", fclose(both));
	tell_peer("text_until_end");
}

static void bad_modes(void)
{
	int fd = connected();

	say("%d", fdopen(fd, "z") == NULL ? errno : 0);
	say("%d", fdopen(999, "r") == NULL ? errno : 0);
	say_result("write", write(fd, "ok", 2));
	tell_peer("read_text 2");
}

static void vprint(int fd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_result("vdprintf", vdprintf(fd, format, args));
	va_end(args);
}

static void to_a_descriptor(void)
{
	int fd = connected();

	say_result("dprintf", dprintf(fd, "%s-%05d", "text", 42));
	vprint(fd, "%c%c", 'a', 'b');
	tell_peer("read_text 12");
	say_result("dprintf", dprintf(fd, "%s", ""));
	say_result("close", close(fd));
	tell_peer("text_until_end");
	say_result("dprintf", dprintf(fd, "x"));
}

/* A stream whose peer is gone. */
static void broken(void)
{
	int fd = connected();
	FILE *both = fdopen(fd, "r+");

	NEED(both != NULL);
	tell_peer("abort");
	await(fd, POLLERR | POLLHUP);
	say("fgetc %d", fgetc(both));
	say("error %d, end %d", ferror(both) != 0, feof(both) != 0);
	clearerr(both);
	say_result("fclose", fclose(both));
}

/* What is left in a stream's buffer goes out at exit. */
static void left_to_exit(void)
{
	FILE *out = fdopen(connected(), "w");

	NEED(out != NULL);
	fputs("last words", out);
	if (fork() == 0)
		_exit(0);
	tell_peer_now("text_until_end");
	say("leaving");
	exit(0);
}

const struct test_case cases[] = {
	CASE(64, lines, ANY_ROLE | BLOCKING),
	CASE(64, printed, ANY_ROLE | BLOCKING),
	CASE(64, line_buffered, ANY_ROLE | BLOCKING),
	CASE(64, both_ways, ANY_ROLE | BLOCKING),
	CASE(64, two_streams, ANY_ROLE | BLOCKING),
	CASE(64, other_calls, ANY_ROLE | BLOCKING),
	CASE(64, bad_modes, ANY_ROLE | BLOCKING),
	CASE(64, broken, ANY_ROLE | BLOCKING),
	CASE(64, left_to_exit, ANY_ROLE | BLOCKING),
	CASE(66, to_a_descriptor, ANY_ROLE | BLOCKING),
	END_OF_CASES,
};
