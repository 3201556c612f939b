/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program that makes up what it does: from each seed two ends of a TCP connection get
 * a program of socket calls, do it and check it. Run plain it shows that the program is right; run
 * under the library, that nothing is different: each seed's line of output has to be the same.
 *
 *   random [seed=N] [count=N] [show=1] [covered=1] [threads=1] [simple=client|server]
 *          [end=client|server meet=PATH [tls=1 [cert=FILE key=FILE]]]
 *
 * The ends are two processes, two threads (threads=1), or one is played here and the other by
 * another program that meets this one at a socket's path. A simple end does what the other cannot
 * tell from plain calls, without the library, and speaks plain TCP or TLS by OpenSSL. A seed's line
 * is its number and a digest of every result that does not depend on timing; show=1 prints these
 * results. A seed that fails says so on standard error, with what it did until then and how to run
 * it again, and ends the run.
 *
 * tests/transparency/test_random.py runs it; with SEED=N and COUNT=M in its environment, those
 * seeds: one that has failed, or a long hunt.
 */
#include "random.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOMS 4
#define STEPS_MOST 8
#define FNV_BASIS 14695981039346656037ULL

struct options options = { .seed = 1, .count = 100, .end = -1, .simple = -1 };

static int listeners[ROOMS];
static struct sockaddr_in addresses[ROOMS];

static void begin(struct end *end, uint64_t seed)
{
	static const uint64_t places[] = { 7919, 104729 };

	end->seed = seed;
	end->step = 0;
	end->hash = FNV_BASIS;
	end->trace_len = 0;
	end->out_closed = end->in_closed = false;
	end->due = end->other_read = end->in_sent = 0;
	end->out.start = seed * places[end->side];
	end->in.start = seed * places[1 - end->side];
	end->out.done = end->in.done = 0;
}

static void run_seed(struct end *end, uint64_t seed)
{
	struct rng common = rng_of(seed, 0, 8);
	size_t steps = rng_below(&common, STEPS_MOST);

	begin(end, seed);
	establish(end);
	for (size_t i = 0; i < steps; i++) {
		watch_step();
		end->step++;
		if (rng_one_in(&common, 4))
			flow(end, false);
		else if (rng_one_in(&common, 12))
			fill(end);
		else
			turn(end);
	}
	watch_step();
	end->step++;
	finish(end);
}

/* One of them: it hears of the other's digest, unless the other is simple. */
static bool prints(const struct end *end)
{
	return options.simple == SERVER ? end->side == CLIENT : end->side == SERVER;
}

static void print_seed(const struct end *end, uint64_t other)
{
	const uint64_t both[2] = { end->side == CLIENT ? end->hash : other,
		end->side == SERVER ? end->hash : other };

	printf("%" PRIu64, end->seed);
	for (int side = CLIENT; side <= SERVER; side++)
		if (side == options.simple)
			printf(" simple");
		else
			printf(" %016" PRIx64, both[side]);
	printf("\n");
}

static void run_all(struct end *end)
{
	for (uint64_t i = 0; i < options.count; i++) {
		uint64_t other;

		run_seed(end, options.seed + i);
		other = prints(end) ? hear(end) : 0;
		if (options.show && !end->simple) {
			printf("--- the %s\n", end->side == CLIENT ? "client" : "server");
			fwrite(end->trace, 1, end->trace_len, stdout);
			fflush(stdout);
		}
		if (prints(end))
			print_seed(end, other);
		else
			tell(end, end->hash);
	}
}

static void listen_all(void)
{
	int least = 1, wide = 1 << 20;

	for (int room = 0; room < ROOMS; room++) {
		socklen_t len = sizeof(*addresses);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		addresses[room] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		if (room == ROOM_WIDE)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide));
		if (room == ROOM_TINY)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
		if (room == ROOM_TINY || room == ROOM_TINY_SEND)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
		if (bind(fd, (struct sockaddr *)&addresses[room], len) != 0 || listen(fd, 8) != 0 ||
			getsockname(fd, (struct sockaddr *)&addresses[room], &len) != 0) {
			perror("random: listen");
			exit(1);
		}
		listeners[room] = fd;
	}
}

static struct end *new_end(enum side side, int control)
{
	struct end *end =
		mmap(NULL, sizeof(*end), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (end == MAP_FAILED)
		abort();
	end->side = side;
	end->control = control;
	end->listeners = listeners;
	end->addresses = addresses;
	end->simple = options.simple == (int)side;
	end->met_simple = options.simple == 1 - (int)side;
	end->phase = "begin";
	return end;
}

static void *client_thread(void *arg)
{
	run_all(arg);
	return NULL;
}

static int run_threads(struct end *client, struct end *server)
{
	pthread_t thread;

	watch_begin(client, server);
	if (pthread_create(&thread, NULL, client_thread, client) != 0)
		return 1;
	run_all(server);
	pthread_join(thread, NULL);
	return 0;
}

static int run_processes(struct end *client, struct end *server)
{
	pid_t child = fork();
	int status = -1;

	if (child < 0)
		return 1;
	close(child == 0 ? server->control : client->control);
	watch_begin(child == 0 ? client : server, NULL);
	run_all(child == 0 ? client : server);
	if (child == 0)
		exit(0);
	if (waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "random: the client's process ended with %x\n", (unsigned)status);
		return 1;
	}
	return 0;
}

/* --- Two programs */

static int meet_at(const struct sockaddr_un *path, bool first)
{
	struct timespec little = { 0, 10000000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), met = -1;

	if (first) {
		if (bind(fd, (const struct sockaddr *)path, sizeof(*path)) == 0 &&
			listen(fd, 1) == 0)
			met = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		close(fd);
		return met;
	}
	for (int looks = 0; looks < HANG_S * 100; looks++) {
		if (connect(fd, (const struct sockaddr *)path, sizeof(*path)) == 0)
			return fd;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &little, NULL);
	}
	return -1;
}

static int run_one(void)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct end *end;
	ssize_t n;

	snprintf(path.sun_path, sizeof(path.sun_path), "%s", options.meet);
	end = new_end(options.end, meet_at(&path, options.end == options.simple));
	if (end->control < 0)
		return 1;
	watch_begin(end, NULL);
	n = options.end == SERVER ? send(end->control, addresses, sizeof(addresses), 0)
				  : recv(end->control, addresses, sizeof(addresses), MSG_WAITALL);
	if (n != sizeof(addresses))
		return 1;
	run_all(end);
	return 0;
}

static int side_of(const char *name)
{
	return strcmp(name, "client") == 0 ? CLIENT : strcmp(name, "server") == 0 ? SERVER : -1;
}

static void read_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		uint64_t number = value != NULL ? strtoull(value + 1, NULL, 10) : 0;

		if (value == NULL) {
			fprintf(stderr, "random: what is '%s'?\n", argv[i]);
			exit(2);
		}
		*value = '\0';
		if (strcmp(argv[i], "seed") == 0)
			options.seed = number;
		else if (strcmp(argv[i], "count") == 0)
			options.count = number;
		else if (strcmp(argv[i], "show") == 0)
			options.show = (int)number;
		else if (strcmp(argv[i], "threads") == 0)
			options.threads = number != 0;
		else if (strcmp(argv[i], "end") == 0)
			options.end = side_of(value + 1);
		else if (strcmp(argv[i], "simple") == 0)
			options.simple = side_of(value + 1);
		else if (strcmp(argv[i], "covered") == 0)
			options.covered = number != 0;
		else if (strcmp(argv[i], "meet") == 0)
			options.meet = value + 1;
		else if (strcmp(argv[i], "tls") == 0)
			options.tls = number != 0;
		else if (strcmp(argv[i], "cert") == 0)
			options.cert = value + 1;
		else if (strcmp(argv[i], "key") == 0)
			options.key = value + 1;
		else {
			fprintf(stderr, "random: what is '%s'?\n", argv[i]);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	int pair[2];

	options.command = argv[0];
	read_arguments(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	known_begin();
	if (options.end != CLIENT)
		listen_all();
	if (options.end >= 0 && options.meet != NULL)
		return run_one();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return 1;
	if (options.threads)
		return run_threads(new_end(CLIENT, pair[0]), new_end(SERVER, pair[1]));
	return run_processes(new_end(CLIENT, pair[0]), new_end(SERVER, pair[1]));
}
