/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The peer's end of a connection: plain TCP, or TLS by OpenSSL over it. OpenSSL sees memory only,
 * so that how its records are cut into segments, and when they go, is ours to say.
 */
#ifndef TRANSPARENCY_PEER_LINK_H
#define TRANSPARENCY_PEER_LINK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum link_end { LINK_GOING, LINK_END, LINK_TRUNCATED, LINK_RESET, LINK_NO_FIN, LINK_BROKEN };

struct link {
	int fd;
	SSL *ssl; /* NULL: plain */
	BIO *in, *out;
	bool open;      /* the handshake, if there is one, is done */
	size_t segment; /* bytes of a TCP segment; 0: as they come */
	pid_t paced_by; /* before each further segment this thread has to be asleep; 0: none */
	uint8_t *held;  /* sealed, and kept back */
	size_t held_len;
	enum link_end end; /* how receiving ended */
	int error;         /* errno of the first send that failed */
};

void link_init(struct link *link, int fd, SSL *ssl);
void link_clear(struct link *link);
/* A step of the handshake. True: it is done; false: it waits for the program. */
bool link_step(struct link *link);
/* Until the handshake is done. */
void link_finish(struct link *link);
/* The bytes, or -errno; `keep` bytes of what they are sealed into are held back. */
ssize_t link_write(struct link *link, const uint8_t *data, size_t len, size_t keep);
/* What was held back; what OpenSSL has put out. 0 or -errno. */
int link_release(struct link *link);
int link_flush(struct link *link);
/* Bytes; 0: the end, see link->end; -EAGAIN: none now and not waiting. */
ssize_t link_read(struct link *link, uint8_t *buf, size_t len, bool wait);
const char *link_end_name(const struct link *link);
/* Until the thread sleeps in a call. False: it did not for long. */
bool wait_asleep(pid_t thread);

#endif
