/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The keys that tickets are sealed with. Either a ring of our own that changes by itself, in memory
 * that forked workers share; or those of a file that several hosts have, newest first.
 */
#ifndef SEAMTLS_TLS_TICKET_KEY_H
#define SEAMTLS_TLS_TICKET_KEY_H

#include "why.h"
#include <stdbool.h>
#include <stdint.h>

/* From the full handshake on; no ticket, and none that replaces it, is good for longer. */
#define TICKET_LIFETIME_S 7200
#define TICKET_KEY_NAME_LEN 16
#define TICKET_KEY_SECRET_LEN 64

/* As it stands in a file: what nginx and HAProxy call a ticket key of 80 bytes. */
struct ticket_key {
	uint8_t name[TICKET_KEY_NAME_LEN];
	uint8_t secret[TICKET_KEY_SECRET_LEN];
};

/* Makes the ring if there is none yet; to be called before workers are forked. 0 or -ENOMEM. */
int ticket_ring_prepare(void);

struct ticket_file;
/* Reads the file. 0 and *out; or -errno with the reason. */
int ticket_file_open(const char *path, struct ticket_file **out, const struct why *why);
void ticket_file_close(struct ticket_file *file); /* wipes */

/* All with a file, or NULL for the ring. What is given out is to be wiped. */
/* The key for new tickets. 0 or -errno. */
int ticket_key_newest(struct ticket_file *file, struct ticket_key *out);
/* 0, and whether it is the newest; -ENOENT: no such key, or its time is over. */
int ticket_key_find(
	struct ticket_file *file, const uint8_t *name, struct ticket_key *out, bool *newest);

#endif
