/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An unmodified program that makes up what it does: from each seed two ends of a TCP connection get
 * a program of socket calls, do it and check it. Run plain it shows that the program is right; run
 * under the library, that nothing is different: each seed's line of output has to be the same.
 *
 *   random [seed=N] [count=N] [threads=1] [show=1]
 *
 * The ends are two processes, or two threads (threads=1). A seed's line is its number and a digest
 * of every result that does not depend on timing; show=1 prints these results. A seed that fails
 * says so on standard error, with what it did until then and how to run it again, and ends the run.
 *
 * tests/transparency/test_random.py runs it; with SEED=N and COUNT=M in its environment, those
 * seeds: one that has failed, or a long hunt.
 */
#include "random.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOMS 4
#define STEPS_MOST 8
#define FNV_BASIS 14695981039346656037ULL

struct options options = { .seed = 1, .count = 100 };

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
	end->due = end->other_read = 0;
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
		else
			turn(end);
	}
	watch_step();
	end->step++;
	finish(end);
}

static void run_all(struct end *end)
{
	uint64_t other;

	for (uint64_t i = 0; i < options.count; i++) {
		run_seed(end, options.seed + i);
		other = end->side == SERVER ? hear(end) : 0;
		if (options.show) {
			printf("--- the %s\n", end->side == CLIENT ? "client" : "server");
			fwrite(end->trace, 1, end->trace_len, stdout);
			fflush(stdout);
		}
		if (end->side == CLIENT) {
			tell(end, end->hash);
			continue;
		}
		printf("%" PRIu64 " %016" PRIx64 " %016" PRIx64 "\n", end->seed, other, end->hash);
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
			options.show = number != 0;
		else if (strcmp(argv[i], "threads") == 0)
			options.threads = number != 0;
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
	known_begin();
	listen_all();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return 1;
	if (options.threads)
		return run_threads(new_end(CLIENT, pair[0]), new_end(SERVER, pair[1]));
	return run_processes(new_end(CLIENT, pair[0]), new_end(SERVER, pair[1]));
}
