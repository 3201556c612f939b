/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program made from a seed: two ends of a TCP connection that agree on nothing but the seed and
 * what they tell each other beside the connection, on a socket pair that no policy covers. See
 * random.c.
 */
#ifndef SEAMTLS_TESTS_RANDOM_H
#define SEAMTLS_TESTS_RANDOM_H

#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef HANG_S
#define HANG_S 30
#endif
#define HANG_MS (HANG_S * 1000)
#define ALIASES 4
#define TRACE_LEN (1 << 22)
#define MOST (256 * 1024) /* of one call */

enum side { CLIENT, SERVER };

/* --- Chance */

struct rng {
	uint64_t state;
};

struct rng rng_of(uint64_t seed, unsigned step, unsigned use);
uint64_t rng_next(struct rng *rng);
/* 0 to n-1 */
size_t rng_below(struct rng *rng, size_t n);
bool rng_one_in(struct rng *rng, size_t n);
/* 1 to most, as programs choose their sizes: small ones, round ones, records' edges. */
size_t rng_size(struct rng *rng, size_t most);

/* --- What an end is, in memory that it shares with the processes it forks */

/* One direction: its bytes are known beforehand. */
struct stream {
	uint64_t start; /* where it begins in the known bytes */
	_Atomic uint64_t done;
};

enum room { ROOM_USUAL, ROOM_WIDE, ROOM_TINY_SEND, ROOM_TINY };

struct end {
	enum side side;
	uint64_t seed;
	_Atomic unsigned step;
	const char *_Atomic phase;
	const int *listeners; /* by room */
	const struct sockaddr_in *addresses;
	int control;
	enum room room;

	int fd; /* the one in use, of the aliases */
	int alias[ALIASES];
	unsigned aliases;
	bool simple;     /* this end is played by random_peer.c */
	bool met_simple; /* the other is, and speaks TLS as it likes */
	bool nonblock;
	bool nodelay;
	bool waits;       /* its calls wait, and none may say EAGAIN */
	bool by_sendfile; /* the last call was one, which signals always interrupt */
	int messages;     /* that the last recvmmsg() gave */
	bool one_read; /* a call that reads is one read, so that a short count means what it says */
	struct stream out, in;
	uint64_t due_most;   /* how much may lie unread at the other end */
	uint64_t other_read; /* what the other end has told us */
	uint64_t due;        /* arrived and not read */
	uint64_t in_sent;    /* what the other end has said that it has sent */
	bool out_closed, in_closed;
	_Atomic bool may_be_interrupted; /* a storm of signals that restart nothing */

	uint64_t hash; /* of the lines that must be the same over TCP */
	_Atomic size_t trace_len;
	char trace[TRACE_LEN];
};

extern struct options {
	uint64_t seed, count;
	int show;     /* 1: every line that must be the same; 2: every line */
	bool threads; /* both ends in one process */
	int end;      /* only this one is played here, the other by another program; -1: both */
	int simple;   /* the end that random_peer.c plays; -1: none */
	/*
	 * After a short count the library holds back the last byte that it has sent, so that the
	 * program comes back for the rest (DESIGN 5.3). One who does not has sent a byte more.
	 */
	bool covered;
	const char *meet;       /* where two programs meet: the path of a socket */
	bool tls;               /* the simple end speaks TLS */
	const char *cert, *key; /* with these */
	const char *command;
} options;

/* --- random_say.c: what happened, and failing with it */

/* A line that must be the same over TCP and under the library, whatever the timing. */
void say(struct end *end, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One that only helps to understand. */
void note(struct end *end, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct end *end, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void must(struct end *end, bool good, const char *what);
void dump(struct end *end);
/* The name of the last error, or "ok" of what is not negative. */
const char *outcome(ssize_t result);
/* From here on the process ends with its trace if it does not get to the next step in time. */
void watch_begin(struct end *first, struct end *second);
void watch_step(void);

/* --- random_say.c: the known bytes */
void known_begin(void);
const uint8_t *known_at(const struct stream *stream, uint64_t ahead);
off_t known_offset(const struct stream *stream);
int known_file(void);
/* `len` bytes that were read at `ahead` of what has been read already */
void known_check(struct end *end, const uint8_t *data, size_t len, uint64_t ahead);

/* --- random_say.c: beside the connection */
void tell(struct end *end, uint64_t value);
uint64_t hear(struct end *end);
void meet(struct end *end);

/* --- random_call.c: one call */

/* By any of the calls that send, which may wait if the descriptor lets it. */
ssize_t call_send(struct end *end, int fd, struct rng *rng, size_t len);
/* By any of the calls that read; checks what it gave, and that it touched nothing behind. */
ssize_t call_receive(struct end *end, int fd, struct rng *rng, size_t len, int flags);
/* The same, and the stream goes on. */
ssize_t call_take(struct end *end, int fd, struct rng *rng, size_t len, int flags);
int pipe_signals(void); /* SIGPIPEs until now */

/* --- random_wait.c */
/* What poll, select or epoll say now, as poll's bits; `events` is what they are asked. */
int wait_look(struct end *end, int fd, struct rng *rng, int events, int timeout_ms);
/* Until all that the other end has given to its kernel is in ours. */
uint64_t arrival_of(struct end *end);
void arrival_wait(struct end *end, uint64_t bytes);
/* SIOCOUTQ comes to nothing. */
void arrival_acknowledged(struct end *end);
bool arrival_ended(struct end *end, bool reset);

/* --- random_turn.c: what concerns the descriptor alone */
void aside(struct end *end, struct rng *rng, bool forked);
void aside_set_int(struct end *end, int level, int name, int value);

/* --- random_read.c: reads whose results are known */
void read_some(struct end *end, struct rng *rng, bool all, bool forked);
/* Part of a record has come, and the rest has not. */
void read_torn(struct end *end, struct rng *rng);
/* Until nothing is due, and twice more if the stream has ended. */
void read_drain(struct end *end, struct rng *rng);
void read_look(struct end *end, struct rng *rng);

/* --- random_peer.c: the simple end, after the connection is there */
void peer_begin(struct end *end);
/* torn: the last record's end stays behind. peer_send() of nothing brings it. */
void peer_send(struct end *end, size_t most, bool torn);
void peer_receive(struct end *end, bool all);
void peer_flow(struct end *end, size_t out, size_t in, bool last);
void peer_shut(struct end *end);
void peer_expect_end(struct end *end, bool any);
void peer_close(struct end *end, bool reset);

/* --- The program */
void establish(struct end *end); /* random_establish.c */
void turn(struct end *end);      /* random_turn.c */
void turn_to(struct end *end, bool acting, size_t most, bool all);
void flow(struct end *end, bool last); /* random_flow.c */
/* random_fill.c */
void fill(struct end *end);
/* Until there is no room; how much was counted altogether. */
uint64_t fill_up(struct end *end, struct rng *rng);
/* All that was counted, and the end. */
void fill_read_to_end(struct end *end, struct rng *rng);
void finish(struct end *end); /* random_finish.c */

#endif
