/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads one audit file, also while it is written. Damage is skipped and counted, never taken for a
 * record. Holds no descriptor between two calls, and no more memory than a buffer.
 */
#ifndef SEAMTLS_AUDIT_READER_H
#define SEAMTLS_AUDIT_READER_H

#include "audit/format.h"

struct audit_reader;

/* A record that is whole; to be given to audit_decode(). */
struct audit_record {
	const uint8_t *data;
	struct audit_frame frame;
	uint64_t offset; /* in the file */
};

/* What was skipped so far. */
struct audit_damage {
	uint64_t places, bytes;
	uint64_t first; /* offset of the first place */
};

/* Opens nothing yet. 0; -ENOMEM. */
int audit_reader_new(const char *path, struct audit_reader **out);
void audit_reader_free(struct audit_reader *reader);

/*
 * The next record that is an event; its data is valid until the next call. 1; 0: no more now (call
 * again when the file has grown); -errno: cannot be read, and not tried again: -EBADMSG: this is
 * not an audit file; -EPROTONOSUPPORT: it is of another version; -ESTALE: it was replaced or
 * became shorter; -EINVAL: no regular file.
 */
int audit_reader_next(struct audit_reader *reader, struct audit_record *out);

/* The same, with what is not shown: AUDIT_FILE and AUDIT_SEAL. */
int audit_reader_any(struct audit_reader *reader, struct audit_record *out);

/* The time of the first record, without going there. Returns as audit_reader_next(). */
int audit_reader_begin(struct audit_reader *reader, uint64_t *time_us);

/* Goes on at a place where a record ends. Before the first audit_reader_next(). */
void audit_reader_seek(struct audit_reader *reader, uint64_t offset);
/* Up to where all is read. */
uint64_t audit_reader_offset(const struct audit_reader *reader);
ino_t audit_reader_inode(const struct audit_reader *reader); /* 0: it was not opened yet */

const char *audit_reader_path(const struct audit_reader *reader);
const struct audit_damage *audit_reader_damage(const struct audit_reader *reader);

/* After audit_reader_next() gave 0: bytes at the end that could be the beginning of a record. */
size_t audit_reader_tail(const struct audit_reader *reader);

#endif
