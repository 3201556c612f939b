/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What makes a change to an audit file show: each record ends with a number and a link, a SHA-256
 * over the link of the record before it and over itself, so that nothing between two records can
 * be changed, taken out or put in. With a key the link is an HMAC-SHA-256, which nobody can make
 * anew who has not the key; without, it shows accidents and the careless. Pure, nothing allocated.
 *
 * Fields of a record (event.h): 70, the number, from 0 with the AUDIT_FILE of the file; of an
 * AUDIT_FILE 73, 1 for SHA-256 or 2 for HMAC, and if the file goes on from another one 72, the
 * last link of that, and 74, its name; in a second AUDIT_FILE of the file 75, the name of the one
 * that was made before it in the directory (order.h); last 71, the link. The link covers the record
 * without its sync, length, CRC, and field 71.
 */
#ifndef SEAMTLS_AUDIT_CHAIN_H
#define SEAMTLS_AUDIT_CHAIN_H

#include "audit/format.h"

#define AUDIT_LINK_LEN 32
#define AUDIT_KEY_LEAST 16 /* bytes of a key file */
#define AUDIT_KEY_MOST 4096
#define AUDIT_NAME_MAX 64

enum audit_chain_kind { AUDIT_CHAIN_NONE, AUDIT_CHAIN_SHA256, AUDIT_CHAIN_HMAC };

struct audit_link {
	uint8_t bytes[AUDIT_LINK_LEN];
};

/* A key; len 0: none, and links are plain hashes. */
struct audit_key {
	size_t len;
	uint8_t bytes[64]; /* of a longer one its SHA-256, as RFC 2104 says */
};

/* What an AUDIT_FILE record says beyond other records. */
struct audit_chain_head {
	enum audit_chain_kind kind;
	const char *previous_name; /* the file that this one goes on from; NULL: none */
	struct audit_link previous;
};

/* What a record says of its place. */
struct audit_mark {
	bool chained;
	uint64_t number;
	struct audit_link link;
	size_t covered; /* bytes of the record that the link covers */
	enum audit_chain_kind kind;
	bool follows; /* `previous` is there */
	struct audit_link previous;
	char previous_name[AUDIT_NAME_MAX];
	char before_name[AUDIT_NAME_MAX]; /* "": the record does not say */
};

void audit_key_set(struct audit_key *out, const uint8_t *bytes, size_t len);

/* Reads a key file, which must be a regular one. 0; -EINVAL: it has less than AUDIT_KEY_LEAST or
 * more than AUDIT_KEY_MOST bytes; -errno. */
int audit_key_read(const char *path, struct audit_key *out);

/*
 * Adds number and link to a record of audit_encode(), and finishes its frame. `head`: for an
 * AUDIT_FILE, else NULL. *link: that of the record before (all zeroes: there is none), and then
 * that of this one. The new length.
 */
size_t audit_chain_add(uint8_t record[AUDIT_RECORD_MAX], size_t len, const struct audit_key *key,
	const struct audit_chain_head *head, uint64_t number, struct audit_link *link);

/* Adds to a record of audit_encode() which file was made before this one. The new length. */
size_t audit_chain_add_before(uint8_t record[AUDIT_RECORD_MAX], size_t len, const char *name);

/* Of a record that audit_frame_check() has passed. 0; -EBADMSG: the fields are malformed. */
int audit_chain_read(const uint8_t *record, size_t len, struct audit_mark *out);

/* Whether the link of a record is the right one, with `before` that of the record before it. */
bool audit_chain_check(const uint8_t *record, const struct audit_mark *mark,
	const struct audit_key *key, const struct audit_link *before);

#endif
