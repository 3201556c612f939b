/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an end tells: to the reader, to the other end, and the bytes that both know. */
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KNOWN_LEN 1048573 /* a prime: no size that programs like divides it */
#define FNV_PRIME 1099511628211ULL
#define LINE_MOST 512
#define TAIL_LEN 4000 /* of what has happened, that is shown */

static uint8_t *known; /* twice, so that what begins in the first is in one piece */
static int known_fd = -1;
static struct end *watched[2];

/* --- Chance */

struct rng rng_of(uint64_t seed, unsigned step, unsigned use)
{
	struct rng rng = { seed * 0x9E3779B97F4A7C15ULL + step * 0xD1B54A32D192ED03ULL +
			   use * 0x8CB92BA72F3D8DD7ULL };

	rng_next(&rng);
	return rng;
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t x = rng->state += 0x9E3779B97F4A7C15ULL;

	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
	return x ^ x >> 31;
}

size_t rng_below(struct rng *rng, size_t n)
{
	return (size_t)(rng_next(rng) >> 32) % n;
}

bool rng_one_in(struct rng *rng, size_t n)
{
	return rng_below(rng, n) == 0;
}

size_t rng_size(struct rng *rng, size_t most)
{
	static const size_t edges[] = { 1, 2, 5, 16, 512, 1024, 4095, 4096, 8192, 16383, 16384,
		16385, 16406, 32768, 65535, 65536 };
	size_t size = 0;

	switch (rng_below(rng, 4)) {
	case 0:
		size = edges[rng_below(rng, sizeof(edges) / sizeof(*edges))];
		break;
	case 1:
		size = 1 + rng_below(rng, 64);
		break;
	default:
		size = 1 + rng_below(rng, (size_t)1 << (1 + rng_below(rng, 17)));
	}
	return size <= most ? size : 1 + rng_below(rng, most);
}

/* --- To the reader */

static void add_line(struct end *end, const char *line, size_t len)
{
	size_t at = atomic_fetch_add(&end->trace_len, len);

	if (at + len <= TRACE_LEN)
		memcpy(end->trace + at, line, len);
}

static size_t make_line(char *line, char mark, const char *format, va_list args)
{
	int n;

	line[0] = mark;
	line[1] = ' ';
	n = vsnprintf(line + 2, LINE_MOST - 3, format, args);
	n = n < LINE_MOST - 3 ? n + 2 : LINE_MOST - 2;
	line[n] = '\n';
	return (size_t)n + 1;
}

void say(struct end *end, const char *format, ...)
{
	char line[LINE_MOST];
	int saved = errno;
	va_list args;
	size_t len;

	va_start(args, format);
	len = make_line(line, '=', format, args);
	va_end(args);
	for (size_t i = 0; i < len; i++)
		end->hash = (end->hash ^ (uint8_t)line[i]) * FNV_PRIME;
	add_line(end, line, len);
	errno = saved;
}

void note(struct end *end, const char *format, ...)
{
	char line[LINE_MOST];
	int saved = errno;
	va_list args;
	size_t len;

	if (options.show == 1)
		return;
	va_start(args, format);
	len = make_line(line, '.', format, args);
	va_end(args);
	add_line(end, line, len);
	errno = saved;
}

static const char *side_name(const struct end *end)
{
	return end->side == CLIENT ? "client" : "server";
}

static void put(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* Fit for a signal handler that only the end of the process follows. */
void dump(struct end *end)
{
	char head[LINE_MOST];
	size_t len = atomic_load(&end->trace_len), from = 0;
	int n = snprintf(head, sizeof(head),
		"--- the %s of seed %" PRIu64 ", in step %u (%s): sent %" PRIu64 ", read %" PRIu64
		", due %" PRIu64 "\n",
		side_name(end), end->seed, end->step, end->phase, end->out.done, end->in.done,
		end->due);

	if (len > TRACE_LEN)
		len = TRACE_LEN;
	if (len > TAIL_LEN && !options.show)
		from = len - TAIL_LEN;
	put(head, (size_t)n);
	put(end->trace + from, len - from);
}

static void give_up(struct end *end)
{
	char line[LINE_MOST];
	int n = snprintf(line, sizeof(line), "--- again: seed %" PRIu64 " of '%s'\n", end->seed,
		options.command);

	put(line, (size_t)n);
	_exit(1);
}

void fail(struct end *end, const char *format, ...)
{
	char line[LINE_MOST], text[LINE_MOST];
	int saved = errno, n;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	n = snprintf(line, sizeof(line),
		"random: seed %" PRIu64 ", step %u (%s), %s: %s (errno %s)\n", end->seed, end->step,
		end->phase, side_name(end), text, strerrorname_np(saved));
	put(line, (size_t)n);
	for (int i = 0; i < 2; i++)
		if (watched[i] != NULL)
			dump(watched[i]);
	give_up(end);
	_exit(1);
}

void must(struct end *end, bool good, const char *what)
{
	if (!good)
		fail(end, "%s", what);
}

const char *outcome(ssize_t result)
{
	return result >= 0 ? "ok" : strerrorname_np(errno);
}

/* --- No step takes for ever */

static timer_t watch;

static void too_long(int signal)
{
	(void)signal;
	fail(watched[0], "a step takes longer than %d s", HANG_S);
}

void watch_begin(struct end *first, struct end *second)
{
	struct sigaction action = { .sa_handler = too_long, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };

	watched[0] = first;
	watched[1] = second;
	if (sigaction(SIGRTMIN, &action, NULL) != 0 ||
		timer_create(CLOCK_MONOTONIC, &event, &watch) != 0)
		fail(first, "no watch");
	watch_step();
}

void watch_step(void)
{
	struct itimerspec most = { .it_value.tv_sec = HANG_S + 10 };

	timer_settime(watch, 0, &most, NULL);
}

/* --- The known bytes */

void known_begin(void)
{
	struct rng rng = rng_of(1, 2, 3);

	known_fd = memfd_create("known", MFD_CLOEXEC);
	if (known_fd < 0 || ftruncate(known_fd, 2 * KNOWN_LEN) != 0)
		abort();
	known = mmap(NULL, 2 * KNOWN_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, known_fd, 0);
	if (known == MAP_FAILED)
		abort();
	for (size_t i = 0; i < KNOWN_LEN; i++)
		known[i] = (uint8_t)rng_next(&rng);
	memcpy(known + KNOWN_LEN, known, KNOWN_LEN);
}

static size_t known_place(const struct stream *stream, uint64_t ahead)
{
	return (size_t)((stream->start + stream->done + ahead) % KNOWN_LEN);
}

const uint8_t *known_at(const struct stream *stream, uint64_t ahead)
{
	return known + known_place(stream, ahead);
}

off_t known_offset(const struct stream *stream)
{
	return (off_t)known_place(stream, 0);
}

/* A descriptor with a position of its own. */
int known_file(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", known_fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void known_check(struct end *end, const uint8_t *data, size_t len, uint64_t ahead)
{
	const uint8_t *want = known_at(&end->in, ahead);

	if (memcmp(data, want, len) == 0)
		return;
	for (size_t i = 0; i < len; i++)
		if (data[i] != want[i])
			fail(end, "byte %" PRIu64 " of the stream is %02x and should be %02x",
				end->in.done + ahead + i, data[i], want[i]);
}

/* --- Beside the connection */

struct message {
	uint64_t step, value;
};

/* With poll(), as a program would: what the library has under way goes on meanwhile. */
static void wait_control(struct end *end, short events)
{
	struct pollfd pfd = { .fd = end->control, .events = events };
	int r;

	do
		r = poll(&pfd, 1, HANG_MS);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		fail(end, "the other end does not come: it hangs, or is somewhere else");
}

void tell(struct end *end, uint64_t value)
{
	struct message message = { end->step, value };
	ssize_t n;

	wait_control(end, POLLOUT);
	do
		n = send(end->control, &message, sizeof(message), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(message))
		fail(end, "the other end is gone");
}

uint64_t hear(struct end *end)
{
	struct message message;
	ssize_t n;

	wait_control(end, POLLIN);
	do
		n = recv(end->control, &message, sizeof(message), MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(message))
		fail(end, "the other end is gone");
	if (message.step != end->step)
		fail(end, "the other end is in step %" PRIu64 ", the test itself is wrong",
			message.step);
	return message.value;
}

void meet(struct end *end)
{
	tell(end, 0);
	hear(end);
}
