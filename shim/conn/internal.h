/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The body of a connection, for the files of this folder. What processes share is in struct share;
 * what is here is this process's own: its descriptors, and the handshake while there is one.
 */
#ifndef SEAMTLS_CONN_INTERNAL_H
#define SEAMTLS_CONN_INTERNAL_H

#include "conn/conn.h"
#include "conn/driver.h"
#include "conn/observe.h"
#include "conn/share.h"
#include "conn/sys.h"
#include "host.h"
#include "tls/handshake.h"

#include <errno.h>

#define CONN_ADDRESS_LEN 64
#define CONN_NAME_LEN 256
/* What a program may send before the handshake is done. Sealed, it still fits a buffer of the
 * share. */
#define CONN_EARLY_MOST 32768

struct found;
struct observed;
struct interest; /* an entry of an epoll set */
struct starttls;

struct conn {
	_Atomic uint32_t refs;        /* descriptors, running calls, the driver's list */
	_Atomic uint32_t life;        /* counts what connections the object has been */
	_Atomic uint32_t descriptors; /* of this process */
	/* One of them. It changes only with the lock held, before the descriptor is closed. */
	_Atomic int fd;
	struct conn *next_free;

	struct share *share; /* NULL while CONN_NEW */
	enum tls_role role;
	bool accepted; /* the program did not connect: most often, but not always, it is the server
			*/
	int family;
	const struct policy_rule *rule; /* held */
	char local[CONN_ADDRESS_LEN], remote[CONN_ADDRESS_LEN];
	char name[CONN_NAME_LEN]; /* looked up by the program for remote; "" if none */

	/* Guards what follows. Never held over a wait. */
	pthread_mutex_t lock;
	struct tls_context *context; /* a reference */
	struct tls_handshake *handshake;
	struct starttls *starttls; /* the dialogue before the handshake, and the greeting it kept */
	_Atomic short upgrade_events; /* what the dialogue waits for */
	bool upgraded;                /* it is over */
	bool byte_held; /* of the handshake: the last one that was read is still in the kernel */
	struct observed *observed; /* its first bytes are looked at (observe.h); mostly NULL */
	uint64_t deadline_us;      /* monotonic; of the handshake. 0: none yet */
	uint64_t started_us;
	uint8_t *early; /* plaintext kept until the handshake is done */
	_Atomic size_t early_len;
	struct found *found; /* by the handshake; NULL: not by this process */
	uint32_t found_of;   /* share->tls_ended then */
	char *start_name;    /* what the program wants to be verified besides; NULL: nothing */
	uint32_t timeout_ms; /* that the program gives the handshake; 0: the policy's */
	bool early_closed;   /* the program shut down its side meanwhile */
	/* TLS 1.3, after the handshake. Server: goes before the first data, while
	 * share->tickets_due; client: makes sessions of tickets, with the receive lock. */
	uint8_t *tickets;
	size_t tickets_len;
	struct tls_resumption *resumption;
	struct tls_post_auth *post_auth; /* client: for a request of its certificate, likewise */
	uint32_t steps_seen;             /* share->steps when this process last saw the handshake */
	int step_fd;                     /* descriptor of the step that is under way */
	bool connect_told;               /* connect() has reported the outcome */
	bool out_told;                   /* CONN_DEFERRED: the program knows that it may write */
	bool early_allowed;              /* TCP would take what is sent now, so it is kept */
	bool self_connected; /* the peer listens in this process: nobody may wait for its handshake
			      */
	bool relayed;        /* this process is its relay */
	_Atomic bool edge_triggered; /* an epoll set of the program's waits for edges */
	_Atomic bool waits_first; /* the last read had to wait, so the next may begin with that */
	_Atomic uint32_t
		relays_seen;    /* share->relays_begun, when this process last let them go first */
	_Atomic bool lingering; /* closed by the program, bytes are still to go; the descriptor is
				   ours */
	struct interest *interests;

	/* The driver's list. */
	struct conn *driver_next;
	_Atomic bool driven;
	_Atomic uint64_t claimed_until_us; /* a thread waits for this very connection, and drives
					      it */
};

/* --- table.c */
struct conn *conn_new(void);
/* Puts a conn with its first reference on fd. -EMFILE: the number is beyond the table. */
int table_set(int fd, struct conn *conn, bool close_on_exec);
/* Takes the entry away. Its reference goes to the caller. NULL: there is none. */
struct conn *table_take(int fd);
bool table_has(int fd, const struct conn *conn);
/* conn_get() and conn_put() for who is in the guard anyway. */
struct conn *table_get(int fd);
struct conn *conn_ref(struct conn *conn);
void conn_unref(struct conn *conn);
/* In place of a reference over a wait, from which a thread may never come back: the connection
 * again, if it is still there, or NULL. */
struct conn_mark {
	struct conn *conn;
	uint32_t life;
};
struct conn_mark conn_mark(struct conn *conn);
struct conn *conn_regain(struct conn_mark mark);
/* conn_put() for a call that has waited, and may have lost the connection: NULL. */
void conn_put_held(struct conn *conn);
unsigned table_high(void);
/* The next conn at or after *fd, with a reference; NULL at the end. */
struct conn *table_next(int *fd);
bool table_kept_on_exec(int fd);
void table_keep_on_exec(int fd, bool keep);
/* ... because the program has cleared FD_CLOEXEC on purpose; and whether there may be any such. */
bool table_handed_on(int fd);
bool table_any_handed_on(void);
/* In a relay: all entries but this one are another process's. */
void table_reduce(int fd);
void table_lock_for_fork(bool on);

/* --- states */
static inline enum conn_state conn_state(const struct conn *conn)
{
	return conn->share != NULL ? (enum conn_state)atomic_load_explicit(
					     &conn->share->state, memory_order_acquire)
				   : CONN_NEW;
}

static inline void conn_set_state(struct conn *conn, enum conn_state state)
{
	atomic_store_explicit(&conn->share->state, state, memory_order_release);
}

/*
 * Whether "readable" has to be looked at before the program hears of it: a blocking read after it
 * must not wait for what is left of a record, and before the first data TLS 1.3 sends tickets. For
 * the rest, non-blocking programs take it as what it is, spurious. Of the kernel's TLS every one is
 * looked at: it calls a descriptor readable for each piece of a record, and as long as a record
 * that is no data is the next, what comes behind that makes no new edge and no signal.
 */
static inline bool conn_settles(const struct conn *conn)
{
	const struct share *share = conn->share;

	return conn_state(conn) == CONN_OPEN &&
	       (!atomic_load_explicit(&share->nonblock, memory_order_relaxed) ||
		       share->kernel_receives || share->kernel_receive_due ||
		       (conn->role == TLS_CLIENT && share->receive_key.version == RECORD_TLS13 &&
			       !atomic_load_explicit(&share->data_seen, memory_order_relaxed)));
}

/* A direction of it is the kernel's to protect, or is about to be. */
static inline bool conn_is_by_kernel(const struct conn *conn)
{
	const struct share *share = conn->share;

	return share->kernel_sends || share->kernel_receives || share->kernel_send_due ||
	       share->kernel_receive_due;
}

/* It has come to be TCP's alone, which it may not stay: a call that found it as ours begins again.
 */
static inline bool conn_is_clear(const struct conn *conn)
{
	enum conn_state state = conn_state(conn);

	return state == CONN_PASSED || state == CONN_WAITING;
}

/* TLS begins when the program says so, may end before the connection does, and begin again. */
static inline bool conn_is_controlled(const struct conn *conn)
{
	return conn->rule != NULL && conn->rule->tls.start == POLICY_START_PROGRAM;
}

/* Neither open nor failed, and not waiting for the program's first bytes. */
static inline bool conn_is_on_its_way(const struct conn *conn)
{
	enum conn_state state = conn_state(conn);

	return state == CONN_CONNECTING || state == CONN_ESTABLISHING;
}

/* TCP's own error has reached the program: what it reads from now on is the end, as from the
 * kernel. */
static inline ssize_t conn_told(struct conn *conn, ssize_t result)
{
	if (result < 0 && result != -EAGAIN && result != -EINTR && result != -ENOBUFS)
		atomic_store(&conn->share->reset_told, true);
	return result;
}

/* --- establish.c */
/*
 * Goes on with the way to CONN_OPEN as far as it goes without blocking. 0: open; -EAGAIN; else
 * failed, and *what* it failed with.
 */
int conn_establish(struct conn *conn, int fd);
/* The same with conn->lock held. */
int conn_establish_locked(struct conn *conn, int fd);
/* What the establishment waits for: POLLIN, POLLOUT; 0: nothing (deferred, or another process
 * drives it). */
short conn_establish_events(struct conn *conn);
/* Another process has begun the handshake and goes on with it, or has gone in the middle of it. */
bool conn_is_foreign(const struct conn *conn);
/* This process's copy of the handshake is as far as anybody's. */
bool conn_may_drive(const struct conn *conn);
/* When conn_establish() gives up, whoever drives it; 0: not yet known. */
uint64_t conn_deadline_us(const struct conn *conn);
/* Waits until open, as far as the program's descriptor may wait, and no longer than the socket
 * option (SO_RCVTIMEO, SO_SNDTIMEO) says. 0, -EAGAIN, -EINTR, or why it failed; -ESTALE as
 * driver_wait(). */
int conn_establish_wait(struct conn **held, int fd, int flags, int time_option);
/* The program has written before the handshake: keeps what fits. A count, or 0 if there is no room.
 */
size_t conn_keep_early(struct conn *conn, const struct iovec *iov, size_t count);
/* A connection that was deferred, or has waited for the program, becomes a protected one. */
void conn_start(struct conn *conn);
/* Makes the share and enters the state. 0 or -errno. */
int conn_map(struct conn *conn, enum tls_role role, const struct policy_rule *rule,
	enum conn_state state);

/* --- outcome.c */
/* The handshake is done, with conn->lock held: 0, and the connection is open; or -errno, and it has
 * failed. */
int conn_opened(struct conn *conn, int fd);
/* The connection ends here, and the program meets `error`: with a handshake's result, which has the
 * cause, or for a cause that the caller knows. */
void conn_fail(struct conn *conn, int error, const struct tls_result *result, const char *reason);
void conn_fail_for(struct conn *conn, int error, enum cause cause, const char *reason);
/* TCP itself failed: what the program would have met without us. Returns -error. */
int conn_tcp_failed(struct conn *conn, int error);
/* Descriptors of the connection have FD_CLOEXEC while it is ours; and as the program has set it
 * otherwise. */
void conn_set_real_close_on_exec(struct conn *conn, bool ours);
/* Nothing of ours stays on it: with conn->lock held. */
void conn_leave_alone(struct conn *conn);
/* The connection is the program's own again. */
void conn_let_go(struct conn *conn, const char *why);

/* --- upgrade.c */
/* With conn->lock held, before the handshake: what `starttls` says. 0: the handshake is next;
 * -EAGAIN; or failed. */
int conn_upgrade(struct conn *conn, int fd);
void conn_upgrade_init(struct conn *conn);
/* Whether that is still to be done. */
bool conn_upgrades(const struct conn *conn);
/* Whether the client hears the program's greeting before TLS, or will: what it writes must not wait
 * for the handshake, which waits for it. */
bool conn_is_greeted(const struct conn *conn);
/* ... and it has not written any of it: what a client sends meanwhile is not for it to see. */
static inline bool conn_waits_for_greeting(const struct conn *conn)
{
	return conn_state(conn) == CONN_DEFERRED && conn->role == TLS_SERVER;
}
/*
 * The greeting that the server said before TLS is the first that the program reads. It makes the
 * descriptor readable as a record does that is too long for its reader (DESIGN 5.2): the last byte
 * of the handshake is left in the kernel until the greeting has been handed out. conn_keeps_byte():
 * whether that is to be so; conn_recv_but_last(): what the handshake then reads with;
 * conn_give_greeting(): 0 or -errno.
 */
bool conn_keeps_byte(const struct conn *conn);
ssize_t conn_recv_but_last(struct conn *conn, uint8_t *buf, size_t len);
int conn_give_greeting(struct conn *conn);
/*
 * starttls = pgsql: a client that asks for encryption by itself is told that there is none, and
 * goes on without, in TLS already. Nothing in the kernel tells of this answer. Until the program
 * has sent anything else its waits are therefore ours, as if the connection were on its way.
 */
static inline bool conn_may_ask(const struct conn *conn)
{
	return conn_state(conn) == CONN_OPEN && conn->role == TLS_CLIENT &&
	       conn->rule->tls.starttls == POLICY_STARTTLS_PGSQL &&
	       atomic_load_explicit(&conn->share->bytes_out, memory_order_relaxed) == 0;
}
/* ... and the answer waits to be read. */
static inline bool conn_has_answer(const struct conn *conn)
{
	return conn_may_ask(conn) && conn->share->plaintext.len > 0 && !conn->share->held;
}
/* Whether these bytes of the program's are such a question: then they have been dealt with. */
bool conn_answer(struct conn *conn, const struct iovec *iov, size_t count);
/* After it has read, or sent something else. */
void conn_answered(struct conn *conn);

/* --- driver.c */
void driver_add(struct conn *conn);
void driver_remove(struct conn *conn);
/*
 * Waits until fd has one of the events, driving every other connection that is on its way. 0 (look
 * again); -EAGAIN: the deadline (monotonic, 0: none) has passed; -EINTR or -ERESTART as
 * interruptible_poll(); -ESTALE: fd is not *held any more. The reference is given up for the wait:
 * *held is NULL if the connection is gone. look_us is for waits
 * whose end another thread or process may bring about without a sign on fd: they return now and
 * then; *look_us is DRIVER_LOOK_FIRST_US at the first of several calls in a row. Else NULL.
 */
#define DRIVER_LOOK_FIRST_US 2000
int driver_wait(struct conn **held, int fd, short events, uint64_t deadline_us, uint64_t *look_us);
/* Deferred connections in the set that the program waits in to hear from the peer: they start now.
 */
void driver_start_deferred(int epfd);
/* ... and one that it polls for `events`. */
void driver_start_if_deferred(struct conn *conn, short events);
void driver_in_child(void);
void driver_in_relay(void); /* nothing of the list is this process's */
void driver_lock_for_fork(bool on);
/* What closed connections still have to send gets a bounded time at exit. */
void driver_finish(uint64_t deadline_us);

/* --- controlled.c */
/* A connection that waits for the program to start TLS is closed. */
void conn_end_waiting(struct conn *conn);

/* --- interest.c */
int interest_ctl(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event);
void interest_begin(struct conn *conn);  /* the kernel's entries become ours */
void interest_sync(struct conn *conn);   /* the handshake waits for something else now */
void interest_opened(struct conn *conn); /* ... with what the program waits for */
void interest_end(struct conn *conn);    /* ... and the program's again */
/* The number is about to be closed. */
void interest_forget(struct conn *conn, int fd);
bool interest_any(const struct conn *conn);
/* A deferred connection that the program waits for in this set to hear from the peer, now that it
 * knows it may write. */
bool interest_waits_for_peer(struct conn *conn, int epfd);
void interest_lock_for_fork(bool on);

/* --- send.c */
/* What a program that was handed the connection has written before it ended may still be with its
 * relay, and was written before what this process says after having waited for it. */
void conn_let_relays_go_first(struct conn *conn, uint64_t most_us);
/* What is parked goes out as far as it goes. 0: nothing is left; -EAGAIN; or -errno. */
int conn_flush(struct conn *conn, int fd);
/* What was kept until the handshake was done: all of it, before anybody else may send. */
int conn_send_early(struct conn *conn, int fd, const uint8_t *data, size_t len);

/* --- control.c */
/* RFC 8446 4.6.3: new keys for what is sent; `ask`: and for what the peer sends. With the send lock
 * held. 0 or -errno. */
int conn_key_update_locked(struct share *share, int fd, bool ask);
/* Sealed once; later calls flush what is parked. 0; -EAGAIN; or -errno. */
int conn_send_close_notify(struct conn *conn, int fd);

/* As conn_send(), but nothing is waited for or taken over. */
ssize_t conn_send_now(struct conn *conn, int fd, const struct iovec *iov, size_t count, int flags);

/* --- receive.c */
/*
 * What is there to read, at most `len` bytes of it at `data`, goes to `give`, which says how many
 * it takes; those are then read. Nothing is waited for, and give() must not wait either. What
 * give() returned; 0: there is nothing to read, or only the end; or -errno.
 */
ssize_t conn_receive_into(struct conn *conn, int fd, uint8_t *data, size_t len,
	ssize_t (*give)(void *arg, uint8_t *data, size_t len), void *arg);
/* Takes control records that come first out of the way. 1: a read would give data, or the end; 0:
 * it would wait. */
int conn_settle(struct conn *conn, int fd);
/* Unread control records would turn our FIN into a reset. Whether data is unread. */
bool conn_drain(struct conn *conn, int fd);

/* --- options.c */
/* What the program has set on the socket before it became a connection of ours. */
void conn_take_over_options(struct conn *conn, int fd);
/* After what the program has not read yet has changed; the receive lock is not needed, for the
 * worst is a poll that returns early. */
void conn_sync_low_water(struct conn *conn, int fd, bool waiting);
/* When a read that begins to wait now has waited as long as SO_RCVTIMEO lets it; 0: never. */
uint64_t conn_receive_deadline_us(struct conn *conn, int fd);
/* The connection is TCP's: so is its SO_RCVLOWAT, as the program has set it. */
void conn_give_back_low_water(struct conn *conn, int fd);

/* --- close.c */
void conn_recycle(struct conn *conn);
/* No covered process has it any more; others may. */
void conn_report_left(struct conn *conn);
/* A thread that still uses a connection while another ends the process has nothing to hear of the
 * end: it sleeps until then. */
void conn_wait_if_ending(void);
void conn_ends_in_child(void);
/* The kernel has no connection on fd any more, and none on the way. */
bool conn_tcp_is_over(int fd);
/* What a closed connection had to send is gone, or never will be. */
void conn_linger_end(struct conn *conn);
/* Gives up the process's part in the share; the last one frees it. */
void conn_unmap(struct conn *conn);
/* The number was closed and reused behind our back: what is left of the old connection goes. */
void conn_abandon(struct conn *conn);

/* --- connect.c, accept.c */
bool self_listens(uint16_t port);
/* local and remote, as far as the kernel knows them */
void conn_name_ends(struct conn *conn, int fd);
bool socket_is_tcp(int fd);
bool socket_address(int fd, bool peer, struct policy_address *out);

/* --- fork.c */
/* The process has become the relay of this connection, which is its only one. */
void conn_in_relay(struct conn *conn, int fd);

/* --- fork.c */
/* All locks of this process's threads, so that a copy of it finds nothing half done. */
void conn_lock_all(bool on);

/* --- report.c */
/* What all later events of the connection say of how its peer is verified (tls_result.verify). */
void report_verify(struct conn *conn, const char *verify);
void report_open(struct conn *conn, const struct tls_result *result);
void report_fail(struct conn *conn, const struct tls_result *result, int error, enum cause cause,
	const char *reason);
/* An orderly end, or one that the program has chosen; one that it has not. */
void report_close(struct conn *conn, const char *reason);
void report_broken(struct conn *conn, enum cause cause, const char *reason);
/* It is left alone, or was, or is not any more, by policy. `found`, or NULL: what was seen of it.
 * -EACCES as below. */
int report_alone(struct conn *conn, int type, const char *reason, const struct recognition *found);
/* Decisions that made no connection of ours. -EACCES if policy requires an audit that is not to be
 * had. `id`: what the event calls the connection; NULL: it has no number yet. */
int report_decision(int type, const struct policy_query *query,
	const struct policy_decision *decision, const char *reason, const uint64_t *id);
/* What protects a connection that is left alone, or why it is not known. */
void report_recognised(const struct conn *conn, int type, uint64_t id,
	const struct recognition *found, enum cause cause);
void report_address(const struct policy_address *address, char text[CONN_ADDRESS_LEN]);

/* --- names.c */
size_t names_find(const struct policy_address *address, const char **out, size_t most, char *memory,
	size_t memory_len);
void names_lock_for_fork(bool on);

/* --- scratch.c */
#define SCRATCH_LEN (4 * (RECORD_MAX_LEN + 16))
/* A buffer of SCRATCH_LEN bytes, this thread's alone until it is put back; NULL: no memory. */
uint8_t *scratch_get(
	void); /* two a thread are kept: for ciphertext, and for what is read from files */
void scratch_put(uint8_t *scratch);
/* The same, when no more than so many bytes from its start on were written to. */
void scratch_put_used(uint8_t *scratch, size_t used);
void scratch_empty(void); /* of plaintext that has gone through it */

#endif
