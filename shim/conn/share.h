/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What processes share of a connection: keys, sequence numbers, bytes in between. It lives in
 * shared mappings that the forked children of a process inherit, so that parent and child may both
 * go on (DESIGN 5.6). Everything in there is reached by index, nothing by pointer, and whatever a
 * killed process held is found and taken back.
 */
#ifndef SEAMTLS_CONN_SHARE_H
#define SEAMTLS_CONN_SHARE_H

#include "tls/gate.h"
#include "tls/handshake.h"
#include "tls/record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum conn_state {
	CONN_NEW,          /* a TCP socket of which nothing is decided; never shared */
	CONN_CONNECTING,   /* outbound: TCP is not there yet */
	CONN_DEFERRED,     /* TCP is there, the handshake waits for the program's first use
			      (if_program_tls, handshake_at), or for its greeting (starttls) */
	CONN_WAITING,      /* TCP's own until the program starts TLS (start = program) */
	CONN_GATED,        /* TCP's own once both sides have begun as policy requires (gate.h) */
	CONN_ESTABLISHING, /* the handshake */
	CONN_OPEN,
	CONN_FAILED, /* the connection or its handshake failed; `error` says with which errno */
	CONN_PASSED, /* it turned out to be the program's own affair: libc's from here on */
};

#define SHARE_HOLDERS 8
/* Two records: what is sent early, sealed, or what a call that waits leaves parked. A multiple of
 * the page. */
#define SHARE_BUFFER_LEN 36864
#define SHARE_NO_BUFFER 0

/* Bytes parked in a shared buffer. `buffer` is an index, SHARE_NO_BUFFER when there are none. How
 * many may be looked at without the lock with which it is changed. */
struct share_bytes {
	uint32_t buffer;
	uint32_t offset;
	_Atomic uint32_t len;
};

struct share {
	_Atomic uint32_t state; /* enum conn_state */
	_Atomic int error;      /* errno of CONN_FAILED */
	_Atomic bool error_told;
	_Atomic pid_t owner; /* the process that drives the handshake; 0: none yet */
	_Atomic uint32_t
		steps; /* of the handshake: a forked copy of it that has seen as many may go on */
	_Atomic pid_t holder[SHARE_HOLDERS];
	_Atomic uint32_t more_holders; /* beyond the array: counted, not known */
	_Atomic bool nonblock;         /* O_NONBLOCK as last set through us */
	bool serves;                   /* this side is TLS's server */
	_Atomic bool relay_reads;      /* an end of a relay is somebody's standard input */
	_Atomic uint32_t relays_begun, relays_done;
	uint64_t id;
	uint64_t created_us;         /* monotonic */
	char verify[TLS_VERIFY_MAX]; /* how the peer was verified; "": not at all. Written before
					CONN_OPEN */
	/* What the handshake agreed on, by IANA's numbers. */
	uint16_t version, cipher, group;
	bool resumed;
	uint32_t tls_ended; /* how often the program has ended TLS */
	bool tls_ending;    /* ... which it does now. With both locks */
	uint64_t handshake_us;
	_Atomic uint64_t bytes_in, bytes_out;
	_Atomic int send_error;       /* errno for the next call that sends; 0: none */
	_Atomic uint64_t bytes_acked; /* of bytes_out: at least so many, as was told */

	/* The plane `kernel`: what the policy asks for and is not there yet, and what is. Changed
	 * with the direction's lock. */
	_Atomic bool kernel_send_due, kernel_receive_due;
	_Atomic bool kernel_sends, kernel_receives;
	bool kernel_rekeys;         /* it can change keys */
	_Atomic bool left_sight;    /* programs that are not covered may have the socket itself */
	_Atomic uint64_t kernel_in; /* bytes of plaintext that it has been given to send */

	pthread_mutex_t receive_lock; /* robust, shared; guards what follows */
	struct record_key receive_key;
	struct share_bytes partial;   /* an incomplete record that was taken from the kernel */
	struct share_bytes plaintext; /* decrypted, not yet handed out */
	_Atomic bool held; /* the last byte of the record in `plaintext` is still in the kernel */
	_Atomic bool eof;  /* close_notify came, or an accepted truncation */
	_Atomic bool receive_closed; /* the program has shut its reading side */
	_Atomic bool reset_told;     /* the program knows of TCP's error: what follows is the end */
	_Atomic bool data_seen;      /* tickets are not to be expected any more */
	uint32_t told;         /* bytes that FIONREAD has told of, and that are not read yet */
	uint32_t message_skip; /* bytes of a handshake message that are still to be skipped */
	uint8_t message[5];    /* head of a handshake message split over records, or a KeyUpdate */
	uint8_t message_len;
	uint32_t control_count; /* control records in a row, against floods */
	_Atomic int low_water;  /* the program's SO_RCVLOWAT, of plaintext */
	int kernel_low_water;   /* ... and what the kernel has for it */
	int kernel_partial;     /* bytes of a record that is not all there, with the kernel's TLS */
	/* SO_RCVTIMEO, as a wait has found it: none since it was changed for the n-th time. */
	_Atomic uint32_t timeout_changes; /* from 1 on */
	_Atomic uint32_t untimed_since;
	_Atomic int alert_received; /* -1: none */

	pthread_mutex_t send_lock; /* robust, shared; guards what follows. Taken after receive_lock
				      if both are */
	struct gate gate;          /* CONN_GATED */
	struct record_key send_key;
	struct share_bytes tail; /* sealed bytes that the kernel has not taken yet */
	uint32_t burst; /* bytes of the answer that is under way, as far as records depend on it */
	_Atomic bool asked; /* data was read since it began. Set with the receive lock */
	bool owed; /* the last byte of a cut record was not reported: the next send begins with it
		    */
	uint8_t owed_byte;
	pid_t owed_by;                 /* whose short send that was */
	_Atomic bool send_closed;      /* close_notify is sealed */
	_Atomic bool fin_due;          /* ... and FIN follows as soon as what is parked has gone */
	_Atomic bool abortive;         /* SO_LINGER of 0 s: close() is to be a reset */
	uint32_t key_updates;          /* that were sent */
	uint64_t kernel_from_seq;      /* the kernel's first record, .. */
	uint64_t kernel_from_byte;     /* .. and where in TCP's stream it is */
	_Atomic bool kernel_alert_due; /* `kernel_alert` has not gone yet */
	uint8_t kernel_alert[2];
	_Atomic bool kernel_send_over; /* TCP has told of its end */
	_Atomic bool
		kernel_unsettled; /* what it was given may not all be TCP's yet, and FIN is next */
	bool tickets_due;         /* none of the server's tickets has gone out */
	_Atomic bool key_update_due; /* the peer asked for it. Set with the receive lock */
	_Atomic int alert_sent;      /* -1: none */

	uint32_t next_free; /* index in the free list */
};

/* A zeroed share with one holder, this process. NULL: no memory, or no slot left. */
struct share *share_new(void);

/*
 * This process has closed its last descriptor. Returns true if no other still has one: then this
 * one ends the connection towards the peer. The share stays valid for calls that are still running.
 */
bool share_leave(struct share *share);
/* Another process has no descriptors of it any more, though it lives. */
void share_forget(struct share *share, pid_t pid);
/* Undoes share_leave(). */
void share_return(struct share *share);
/* Whether another process has descriptors of it. */
bool share_has_others(struct share *share);
/* This process will not touch it again. Returns true if none will: the caller then calls
 * share_free(). */
bool share_release(struct share *share);
void share_free(struct share *share); /* wipes */

/* Around fork(): the child becomes a holder before either process can go on. */
void share_before_fork(struct share *share);
void share_in_child(struct share *share);
void share_fork_failed(struct share *share);
void share_lock_for_fork(bool on);

/* Something that was sent is still with us, or in the kernel's TLS; with the send lock, or to look
 * at. */
static inline bool share_is_parked(const struct share *share)
{
	return share->tail.len > 0 || share->kernel_alert_due || share->kernel_unsettled;
}

/* Locks: 0, -EOWNERDEAD (locked, but a holder died inside: the stream's state is unknown), -EDEADLK
 * (this thread has it: a signal handler). */
int share_lock(pthread_mutex_t *lock);
void share_unlock(pthread_mutex_t *lock);

static inline void share_bytes_set_len(struct share_bytes *bytes, size_t len)
{
	atomic_store_explicit(&bytes->len, (uint32_t)len, memory_order_relaxed);
}

/* The memory of parked bytes; takes a buffer if there is none. NULL: no memory. */
uint8_t *share_bytes_start(struct share_bytes *bytes);
/* Where the bytes begin. Only if bytes->len > 0. */
uint8_t *share_bytes_data(const struct share_bytes *bytes);
/* Appends; 0 or -ENOBUFS. */
int share_bytes_put(struct share_bytes *bytes, const uint8_t *data, size_t len);
/* Drops len bytes from the front, and the buffer with the last of them. */
void share_bytes_drop(struct share_bytes *bytes, size_t len);

#endif
