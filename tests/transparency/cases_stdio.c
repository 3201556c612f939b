/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams of libc on a connection. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>
#include <wchar.h>

#define BLOCKING_ONLY (ANY_ROLE | BLOCKING)

static void nothing(int number)
{
	(void)number;
}

static void say_line(const char *call, const char *line, FILE *stream)
{
	size_t len = line != NULL ? strlen(line) : 0;

	if (line == NULL)
		say("%s: NULL, end %d, error %d (%s)", call, feof(stream) != 0, ferror(stream) != 0,
			ferror(stream) != 0 ? strerrorname_np(errno) : "");
	else
		say("%s: '%.*s'", call, (int)(len > 0 && line[len - 1] == '\n' ? len - 1 : len),
			line);
}

static FILE *stream_of(int fd, const char *mode)
{
	FILE *stream = fdopen(fd, mode);

	NEED(stream != NULL);
	return stream;
}

/* 64 */
static void modes(void)
{
	static const char *const modes[] = { "r", "w", "a", "r+", "w+", "a+", "rb", "wb+", "re",
		"rm", "rc", "r,ccs=UTF-8", "x", "", "+r" };
	int fd = connected();

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		int copy = dup(fd), r;
		FILE *stream = fdopen(copy, modes[i]);

		if (stream == NULL) {
			say("fdopen '%s': %s", modes[i], strerrorname_np(errno));
			close(copy);
			continue;
		}
		r = fclose(stream);
		say("fdopen '%s': number %d, fclose %d", modes[i], 1, r);
	}
	say("not open: %s", fdopen(500, "r") == NULL ? strerrorname_np(errno) : "a stream");
}

/* 64 */
static void lines(void)
{
	int fd = connected();
	FILE *stream = stream_of(fd, "r");
	char line[64], *more = NULL;
	size_t room = 0;
	ssize_t n;

	NEED(fileno(stream) == fd);
	tell_peer("text first");
	ask_peer("line");
	tell_peer("text second and");
	tell_peer("text  third");
	ask_peer("line");
	say_line("fgets", fgets(line, sizeof(line), stream), stream);
	say("getc: %c", getc(stream));
	NEED(ungetc('S', stream) == 'S');
	n = getline(&more, &room, stream);
	say("getline: %zd", n);
	say_line("getline", more, stream);
	ask_peer("text 12 0x1f word");
	ask_peer("line");
	{
		int one = 0, two = 0;
		char word[16] = "";

		n = fscanf(stream, "%d %i %15s", &one, &two, word);
		say("fscanf: %zd: %d %d %s", n, one, two, word);
	}
	NEED(getc(stream) == '\n');
	tell_peer("text the end");
	tell_peer("half_close");
	say_line("fgets", fgets(line, sizeof(line), stream), stream);
	say_line("fgets", fgets(line, sizeof(line), stream), stream);
	clearerr(stream);
	say("getc: %d", getc(stream));
	say_result("fseek", fseek(stream, 0, SEEK_SET));
	say_result("ftell", ftell(stream));
	say_result("fclose", fclose(stream));
	say_result("close again", close(fd));
	free(more);
}

/* 64 */
static void writes(void)
{
	int fd = connected();
	FILE *stream = stream_of(fd, "w");

	say("fprintf: %d", fprintf(stream, "%s %d", "number", 1));
	say("pending: %zu", __fpending(stream));
	say("fflush: %d", fflush(stream));
	tell_peer("read_text 8");
	NEED(setvbuf(stream, NULL, _IONBF, 0) == 0);
	say("fputs: %d", fputs("at once", stream) >= 0);
	tell_peer("read_text 7");
	NEED(setvbuf(stream, NULL, _IOLBF, 4096) == 0);
	say("fputs: %d", fputs("a line|rest", stream) >= 0);
	say("putc: %d", putc('!', stream));
	say("fflush: %d", fflush(stream));
	tell_peer("read_text 12");
	say_result("fseek", fseek(stream, 0, SEEK_CUR));
	say("fputs: %d", fputs("last", stream) >= 0);
	say("fclose: %d", fclose(stream));
	tell_peer("text_until_end");
}

/* 64 */
static void blocks(void)
{
	static uint8_t buf[300000];
	int fd = connected();
	FILE *in = stream_of(fd, "r"), *out = stream_of(dup(fd), "w");

	tell_peer_later("send 250000");
	say("fread: %zu", fread(buf, 1, 100, in));
	hear_peer();
	say("right: %zu", pattern_match(buf, 100, 0));
	say("fread: %zu", fread(buf + 100, 1000, 200, in));
	say("right: %zu", pattern_match(buf, 200100, 0));
	tell_peer("half_close");
	say("fread: %zu", fread(buf + 200100, 1, 99900, in));
	say("right: %zu, end %d, error %d", pattern_match(buf, 250000, 0), feof(in) != 0,
		ferror(in) != 0);
	tell_peer_later("until_end");
	say("fwrite: %zu", fwrite(outgoing(200000), 1, 200000, out));
	say("fwrite: %zu", fwrite(outgoing(10), 1, 10, out));
	say("fclose: %d", fclose(out));
	NEED(shutdown(fd, SHUT_WR) == 0);
	hear_peer();
	say("fclose: %d", fclose(in));
}

/* 64: one stream for both ways */
static void both_ways(void)
{
	static const char *const modes[] = { "r+", "w+", "a+" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		int fd = connected();
		FILE *stream = stream_of(fd, modes[i]);
		char text[64] = "";

		say("fputs: %d", fputs("question", stream) >= 0);
		say("fflush: %d", fflush(stream));
		tell_peer("read_text 8");
		tell_peer("text answer");
		say("fread: %zu", fread(text, 1, 6, stream));
		say("'%s'", text);
		say("fputs: %d", fputs("again", stream) >= 0);
		say_result("fflush", fflush(stream));
		tell_peer("read_text 5");
		tell_peer("text more and more");
		memset(text, 0, sizeof(text));
		say("fread: %zu", fread(text, 1, 4, stream));
		say("'%s'", text);
		say("fputs: %d", fputs("over", stream) >= 0);
		say_result("fflush", fflush(stream));
		say("fclose: %d", fclose(stream));
		ask_peer("close");
	}
}

/* 64 */
static void errors(void)
{
	int fd = connected();
	FILE *in = stream_of(fd, "r"), *out = stream_of(dup(fd), "w");
	char line[64];

	signal(SIGPIPE, SIG_IGN);
	if (is_nonblocking) {
		say_line("fgets", fgets(line, sizeof(line), in), in);
		clearerr(in);
		tell_peer("text part");
		await(fd, POLLIN);
		say_line("fgets", fgets(line, sizeof(line), in), in);
		clearerr(in);
	} else {
		struct sigaction action = { .sa_handler = nothing };

		sigaction(SIGUSR1, &action, NULL);
		tell_peer_later("signal %d %d", SIGUSR1, (int)getpid());
		say_line("fgets", fgets(line, sizeof(line), in), in);
		clearerr(in);
		ask_peer("nothing");
	}
	say_result("putc to read", putc('x', in));
	say_result("getc to write", getc(out));
	say("errors: %d %d", ferror(in) != 0, ferror(out) != 0);
	clearerr(out);
	NEED(shutdown(fd, SHUT_WR) == 0);
	say("fputs: %d", fputs("too late", out) >= 0);
	say_result("fflush", fflush(out));
	say("error: %d", ferror(out) != 0);
	say_result("fclose", fclose(out));
	say("fclose: %d", fclose(in));
}

/* 64 */
static void selected(void)
{
	int fd = connected();
	FILE *stream = stream_of(fd, "r");
	fd_set in;
	struct timeval none = { 0 };

	setvbuf(stream, NULL, _IONBF, 0);
	FD_ZERO(&in);
	FD_SET(fileno(stream), &in);
	say("select: %d", select(fileno(stream) + 1, &in, NULL, NULL, &none));
	tell_peer("text x");
	FD_SET(fileno(stream), &in);
	say("select: %d", select(fileno(stream) + 1, &in, NULL, NULL, NULL));
	say("getc: %d", getc(stream));
}

/* 64 */
static void wide(void)
{
	int fd = connected();
	FILE *in = stream_of(fd, "r"), *out = stream_of(dup(fd), "w");
	wchar_t line[64] = L"";

	ask_peer("text some words");
	ask_peer("line");
	say("fwide: %d", fwide(out, 0) < 0);
	say("fwprintf: %d", fwprintf(out, L"%ls %d", L"wide", 7));
	say("fputwc: %d", fputwc(L'!', out) == L'!');
	say("fflush: %d", fflush(out));
	say("fgetws: %d", fgetws(line, 64, in) != NULL);
	say("right: %d", wcscmp(line, L"some words\n") == 0);
	say("fclose: %d %d", fclose(in), fclose(out));
	tell_peer("text_until_end");
}

static int by_list(int fd, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

/* 66 */
static void printed(void)
{
	int fd = connected();

	say_result("dprintf", dprintf(fd, "%s-%d", "dprintf", 1));
	tell_peer("read_text 9");
	say_result("vdprintf", by_list(fd, "%s-%d", "vdprintf", 2));
	tell_peer("read_text 10");
	say_result("dprintf of nothing", dprintf(fd, "%s", ""));
	say_result("dprintf of much", dprintf(fd, "%20000d", 7));
	ask_peer("read_text 20000");
	signal(SIGPIPE, SIG_IGN);
	NEED(shutdown(fd, SHUT_WR) == 0);
	say_result("dprintf", dprintf(fd, "too late"));
	say_result("dprintf to no file", dprintf(-1, "%s", "x"));
}

/* 64 */
static void reopened(void)
{
	int fd = connected(), r;
	FILE *stream = stream_of(fd, "w");

	fputs("before", stream);
	stream = freopen("/dev/null", "w", stream);
	NEED(stream != NULL);
	say("number: %d", fileno(stream) == fd);
	r = fputs("after", stream);
	say("fputs: %d, fclose: %d", r >= 0, fclose(stream));
	tell_peer("text_until_end");
}

/* 64: a stream that was there before */
static void popened(void)
{
	int fd = connected();
	FILE *stream = popen("cat", "r+"), *child = popen("echo from a child", "r");
	char line[64];

	say("popen: %d", stream != NULL);
	NEED(child != NULL);
	say_line("fgets", fgets(line, sizeof(line), child), child);
	say("pclose: %d", pclose(child));
	NEED(send_all(fd, 10));
	tell_peer("recv 10");
}

const struct test_case cases[] = {
	CASE(64, modes, EVERYWHERE),
	CASE(64, lines, EVERYWHERE),
	CASE(64, writes, EVERYWHERE),
	CASE(64, blocks, BLOCKING_ONLY),
	CASE(64, both_ways, BLOCKING_ONLY),
	CASE(64, errors, EVERYWHERE),
	CASE(64, selected, BLOCKING_ONLY),
	DIFFERS(64, wide, BLOCKING_ONLY,
		"fwide: 1\nfwprintf: -1\nfputwc: 0\nfflush: 0\nfgetws: 0\nright: 0\nfclose: 0 0\n"
		"peer: text_until_end: '', then a reset\ndone\n",
		"streams of programs' own making are for bytes only (fopencookie)"),
	CASE(64, reopened, BLOCKING_ONLY),
	CASE(64, popened, BLOCKING_ONLY),
	CASE(66, printed, EVERYWHERE),
	END_OF_CASES,
};
