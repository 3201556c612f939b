/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events to records and back; event.h has the layout. Pure: bytes in, bytes out, nothing allocated.
 */
#ifndef SEAMTLS_AUDIT_FORMAT_H
#define SEAMTLS_AUDIT_FORMAT_H

#include "audit/event.h"

#define AUDIT_MAGIC "\x89SEAMAU\x01" /* the last byte is the version */
#define AUDIT_MAGIC_LEN 8
#define AUDIT_RECORD_MAX 4096
#define AUDIT_SYNC_BYTE 0xff /* what every record begins with */

/* What a record says before its fields are looked at. */
struct audit_frame {
	size_t len; /* of the whole record */
	enum audit_type type;
	uint64_t time_us;
};

/* What audit_encode() leaves free for what may be added to a record (chain.h). */
#define AUDIT_ADD_ROOM 320

/* The length of the record, which always fits: what is too long is cut. */
size_t audit_encode(const struct audit_event *event, uint8_t out[AUDIT_RECORD_MAX]);

/* Adds a field to a record that has room for it, or a string of any bytes. The new length; the
 * frame is to be finished then. */
size_t audit_add_number(uint8_t *record, size_t len, uint8_t tag, uint64_t value);
size_t audit_add_bytes(
	uint8_t *record, size_t len, uint8_t tag, const uint8_t *bytes, size_t count);
void audit_finish_frame(uint8_t *record, size_t len);

enum { AUDIT_TAG_LOCAL = 6, AUDIT_TAG_REMOTE = 7 };

/* A field of a record, as it stands there. */
struct audit_field {
	const uint8_t *begin, *value, *next; /* next NULL: before the first */
	uint8_t tag;
};

/* Goes on to the next field of a record that audit_frame_check() has passed. 1; 0: there is none;
 * -EBADMSG. */
int audit_field_next(const uint8_t *record, size_t len, struct audit_field *field);

/* 0; -EBADMSG: it is none. */
int audit_field_number(const struct audit_field *field, uint64_t *out);

/* How many bytes the value has, of which at most `room` go to `out`; SIZE_MAX: it is malformed. */
size_t audit_field_bytes(const struct audit_field *field, uint8_t *out, size_t room);

/*
 * Whether a record begins at `buf`. 0 and *out: a whole one with the right CRC; -EAGAIN: what is
 * there could be the beginning of one; -EBADMSG: no.
 */
int audit_frame_check(const uint8_t *buf, size_t len, struct audit_frame *out);

/*
 * The event of a record that audit_frame_check() has passed; its strings are in `text`.
 * 0; -EBADMSG: the fields are malformed, *out is not to be used.
 */
int audit_decode(
	const uint8_t *buf, size_t len, struct audit_event *out, char text[AUDIT_RECORD_MAX]);

#endif
