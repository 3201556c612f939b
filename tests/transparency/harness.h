/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A case is an unmodified program in miniature: what it does with a connection, in both roles, on a
 * blocking and on a non-blocking descriptor, and a transcript of all that it saw. The transcripts
 * of a plain run and of one under the library are to be the same. What may differ by nature (how
 * much a buffer takes, ports) does not belong into a transcript.
 */
#ifndef TRANSPARENCY_HARNESS_H
#define TRANSPARENCY_HARNESS_H

#include "pattern.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	CLIENT = 1,
	SERVER = 2,
	BLOCKING = 4,
	NONBLOCKING = 8,
	ANY_ROLE = CLIENT | SERVER,
	ANY_MODE = BLOCKING | NONBLOCKING,
	EVERYWHERE = ANY_ROLE | ANY_MODE,
};

struct test_case {
	int number; /* in TRANSPARENCY.md */
	const char *name;
	void (*run)(void);
	unsigned where;
	/* What is different on purpose: its own transcript under the library, and why. */
	const char *covered, *because;
};

#define CASE(number, function, where)                                                              \
	{                                                                                          \
		number, #function, function, where, NULL, NULL                                     \
	}
/* Several rows may be of one case, if it differs by role or mode. */
#define DIFFERS(number, function, where, covered, because)                                         \
	{                                                                                          \
		number, #function, function, where, covered, because                               \
	}
#define END_OF_CASES                                                                               \
	{                                                                                          \
		0, NULL, NULL, 0, NULL, NULL                                                       \
	}

extern const struct test_case cases[]; /* the last has no name */

extern bool is_client, is_nonblocking;

/* --- The transcript */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "call: result", or the name of errno. */
long say_result(const char *call, long result);
/* The same for what was received, which is compared with what the peer has sent. */
ssize_t say_received(const char *call, const void *buf, ssize_t n);
/* "what: IN|OUT", of poll's bits (EPOLL* are the same). */
void say_events(const char *what, unsigned events);
/* The test itself cannot go on. */
void need(bool good, const char *what);
#define NEED(condition) need(condition, #condition)

/* --- The peer. Numbers of connections: 0 unless use_peer() says otherwise. */
void use_peer(int number);
/* Waits for the answer, and says it: "peer: command: answer". */
void tell_peer(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same without a line in the transcript; the answer. */
const char *ask_peer(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The command is for when this thread sleeps in a call; hear_peer() waits for its answer and says
 * it.
 */
void tell_peer_later(const char *format, ...) __attribute__((format(printf, 1, 2)));
void hear_peer(void);
/* The command is for now, await_peer() gives the answer. */
void tell_peer_now(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *await_peer(void);
/* The next connection begins at the stream's first byte. */
void forget_peer_bytes(void);

/* --- Connections */
/* A connection of this run's role and mode, the handshake done at both ends. */
int connected(void);
/* Only the socket, as far as it is the program's affair: the server's is accepted and not used yet.
 */
int connected_unused(void);
int client_socket(void);               /* of this run's mode, not connected */
int listening_socket(uint16_t *port);  /* blocking */
struct sockaddr_in peer_listens(void); /* the address at which the peer listens */
void peer_connects(int listener);      /* and has done so on return */
void make_nonblocking(int fd, bool on);
/* A non-blocking client's way: until writable, and SO_ERROR. */
int finish_connect(int fd);

/* --- Waits: without a bound of their own, for the alarm names the case. */
short await(int fd, short events); /* poll(); what it said */
short poll_now(int fd, short events);
/* Before a call on a non-blocking descriptor; nothing on a blocking one. */
void ready_for(int fd, short events);

/* --- The stream */
/* Bytes as they are to be sent next; they count as sent. */
uint8_t *outgoing(size_t len);
/* Undoes the last `len` bytes of that: they were not taken. */
void not_sent(size_t len);
/* All of it, waiting where it has to; true, or false with errno. */
bool send_all(int fd, size_t len);
/* Reads that many bytes in parts of at most `part`; says how many came. */
void receive_all(int fd, size_t len, size_t part);
/* How many bytes FIONREAD says are there, once it is at least `least`. */
int queued(int fd, int least);
/* As say_received(), of what was only looked at, from that place in the stream on. */
void say_seen(const char *call, const void *buf, ssize_t n, uint64_t from);
/* Reads to the end: "N bytes, then 0", or errno. */
void receive_to_end(int fd);

#endif
