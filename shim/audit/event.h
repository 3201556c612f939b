/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is audited, and the layout of audit files, shared by the writer in the library and the
 * readers in the tools. (DESIGN 2.4 names the fields.)
 *
 * A file is the eight bytes of AUDIT_MAGIC and then records, of which the first is an AUDIT_FILE.
 * All numbers are little-endian. A record:
 *
 *     offset size
 *      0     4    sync: FF 53 41 31
 *      4     2    length of the whole record, 36 to 4096
 *      6     1    enum audit_type
 *      7     1    zero
 *      8     4    CRC-32 (IEEE) of the record without these four bytes
 *     12     8    time, microseconds since the epoch, UTC
 *     20     8    connection
 *     28     4    pid
 *     32     4    uid
 *     36     ...  fields: a tag (one byte), a length (LEB128), that many bytes of value
 *
 * A number's value is LEB128. A string's value has FE for FE 00 and FF for FE 01: so no FF stands
 * in it, the sync cannot occur inside a record's fields, and text from the network cannot pass for
 * a record when the one that holds it was torn. (LEB128 can hold FF 53, but a tag follows it.)
 * Unknown tags are skipped; tags from 70 on are chain.h's. A string that was cut ends in U+2026; if
 * there were more alternative names than fit, the last one is U+2026 alone.
 *
 * Each record is one write(2) with O_APPEND. It may still be torn: by a full disk, a crash, or a
 * reader that comes at the wrong moment. A reader goes on at the next sync.
 */
#ifndef SEAMTLS_AUDIT_EVENT_H
#define SEAMTLS_AUDIT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum audit_type {
	AUDIT_FILE = 0, /* the first of a file: when, and for what program it was made. Not shown */
	AUDIT_OPEN,
	AUDIT_FAIL,
	AUDIT_CLOSE,
	AUDIT_PASS,
	AUDIT_DENY,
	AUDIT_OBSERVE,
	AUDIT_POLICY,
	AUDIT_LOST,
	AUDIT_SEAL, /* the last of a file that was ended in good order (chain.h). Not shown */
};

#define AUDIT_SAN_MAX 16
#define AUDIT_ABSENT UINT64_MAX /* a number that does not apply */
#define AUDIT_NO_UID ((uid_t)-1)

/*
 * One event. A string that does not apply is NULL, a number AUDIT_ABSENT, `resumed` or an alert -1,
 * the time and the pid 0, the uid AUDIT_NO_UID: audit_event_init() sets all to that.
 */
struct audit_event {
	enum audit_type type;
	uint64_t time_us; /* since the epoch, UTC */
	uint64_t conn;    /* unique on the host; 0: not about a connection */
	pid_t pid;
	uid_t uid;
	const char *program, *label, *rule;
	const char *direction;      /* "inbound", "outbound" */
	const char *local, *remote; /* address:port, v6 in brackets */
	const char *server_name, *version, *cipher, *group, *alpn;
	/* Of a connection that is left alone, once its first bytes have passed: "tls", "ssh",
	 * "clear", "none", "unknown"; of what is, or was before TLS, in the clear: "http", ...;
	 * what the client offers at most; its JA4 */
	const char *protocol, *application, *offered_version, *ja4;
	int resumed; /* 0, 1 */
	const char *verify;
	const char *peer_subject, *peer_issuer, *peer_serial, *peer_sha256;
	const char *peer_san[AUDIT_SAN_MAX];
	size_t peer_san_count;
	uint64_t peer_not_after; /* seconds since the epoch */
	const char *plane;
	uint64_t handshake_us, bytes_in, bytes_out, duration_us;
	const char *reason;
	const char *cause; /* of what failed: cause_name(); from a file it may be any word */
	int alert_sent, alert_received; /* RFC 8446, 6: descriptions */
	uint64_t lost;                  /* AUDIT_LOST: how many events */
};

void audit_event_init(struct audit_event *event, enum audit_type type);

/* "open", ...; NULL: there is no such type. */
const char *audit_type_name(enum audit_type type);

/* The name of RFC 8446, B.2 without "_RESERVED": "bad_certificate"; NULL: it has none. */
const char *audit_alert_name(int description);

#endif
