/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The TLS record layer: AEAD protection of records, TLS 1.2 (RFC 5246 6.2, RFC 5288, RFC 7905)
 * and 1.3 (RFC 8446 5). Pure: bytes in, bytes out. No sockets, no policy, no allocation. Everything
 * a direction needs is in struct record_key, which holds no pointers and may live in memory that
 * processes share; what a process may keep besides is the expanded form of the keys it used last.
 */
#ifndef SEAMTLS_TLS_RECORD_H
#define SEAMTLS_TLS_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define RECORD_HEADER_LEN 5
#define RECORD_MAX_PLAINTEXT 16384
/* RFC 8446 5.2: 2^14 + 256; RFC 5246 6.2.3 allows 2^14 + 2048 for TLS 1.2, its AEADs add at
 * most 24. */
#define RECORD_MAX_CIPHERTEXT (RECORD_MAX_PLAINTEXT + 256)
#define RECORD_MAX_LEN (RECORD_HEADER_LEN + RECORD_MAX_CIPHERTEXT)

enum record_type {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_APPLICATION_DATA = 23,
};

enum record_aead { RECORD_AES_128_GCM, RECORD_AES_256_GCM, RECORD_CHACHA20_POLY1305 };

#define RECORD_TLS12 0x0303
#define RECORD_TLS13 0x0304
#define RECORD_MAX_SECRET 48
/* RFC 8446 5.5: 2^24.5 records under one key, and what record_seal() allows beyond. */
#define RECORD_GCM_LIMIT 23726566
#define RECORD_GCM_SPARE 64

/* One direction of a connection. 128 bytes or less; to be wiped by record_key_clear(). */
struct record_key {
	uint16_t version; /* RECORD_TLS12, RECORD_TLS13 */
	uint8_t aead;     /* enum record_aead */
	uint8_t hash_len; /* of the suite's hash: 32 or 48; TLS 1.3 */
	uint8_t key[32];
	/* TLS 1.2 GCM: 4 bytes of implicit nonce, then the explicit one of record 0 (to kTLS: of
	 * record 0, XOR the sequence number) */
	uint8_t iv[12];
	uint8_t secret[RECORD_MAX_SECRET]; /* TLS 1.3 application traffic secret, for KeyUpdate */
	uint64_t seq;                      /* of the next record */
	uint16_t plaintext_most;           /* that the other side takes in a record; 0: all */
};

struct record_header {
	uint8_t type;    /* outer; TLS 1.3: RECORD_APPLICATION_DATA */
	uint16_t length; /* of what follows the header */
};

/* The plaintext that may be sealed into one record (RFC 6066 4). */
size_t record_seal_most(const struct record_key *key);

/* Bytes that a record adds to its plaintext, header included: 22 (TLS 1.3), 29 (1.2 GCM), 21 (1.2
 * ChaCha). */
size_t record_overhead(const struct record_key *key);

/* What a header of RECORD_HEADER_LEN bytes says of the bytes behind it; nothing is checked. */
static inline uint16_t record_body_len(const uint8_t *header)
{
	return (uint16_t)(header[3] << 8 | header[4]);
}

/* 0 and *out filled; -EAGAIN, fewer than RECORD_HEADER_LEN bytes; -EPROTO, not TLS; -EMSGSIZE,
 * longer than `key` allows. */
int record_parse_header(
	const struct record_key *key, const uint8_t *buf, size_t len, struct record_header *out);

/* The largest plaintext that a record of `length` (from its header) can hold. 0 if it is too short
 * to be valid. */
size_t record_plaintext_max(const struct record_key *key, size_t length);

/*
 * Protects `len` (0 .. record_seal_most()) bytes of plaintext, gathered from iov starting at byte
 * `offset` of it, into one record at `out`, which has room for len + record_overhead(). Returns the
 * record's length and steps key->seq; -EOVERFLOW if the sequence number is used up, or
 * record_key_left() has been 0 for some records; -EINVAL: len is too large; -EIO: the AEAD failed
 * (never seen). After an error nothing of the plaintext is in `out`. To take a record back that
 * never left the process: key->seq--.
 */
ssize_t record_seal(struct record_key *key, enum record_type type, const struct iovec *iov,
	size_t offset, size_t len, uint8_t *out);

/*
 * Opens the one whole record at `record` (record_len = header + length). The plaintext goes to out,
 * which has room for record_plaintext_max(); out may be record + RECORD_HEADER_LEN (in place), else
 * the two do not overlap. *type is the inner content type. Returns the content's length (0 is legal
 * for application data) and steps key->seq. -EBADMSG: it does not authenticate (alert
 * bad_record_mac); -EPROTO: malformed (unexpected_message: no content type, zero-length non-data);
 * -EMSGSIZE: content and padding over 2^14 (record_overflow); -EOVERFLOW: no sequence number is
 * left. On an error nothing in `out` may be used; it has been wiped.
 */
ssize_t record_open(struct record_key *key, const uint8_t *record, size_t record_len, uint8_t *out,
	enum record_type *type);

/* KeyUpdate, RFC 8446 7.2: the next secret, key and iv; seq 0. 0 or -EPROTO (TLS 1.2). */
int record_key_update(struct record_key *key);

/* A key of TLS 1.3 from a traffic secret (RFC 8446 7.3); seq 0. 0, or -EINVAL: no length of a
 * secret. */
int record_key_from_secret(
	struct record_key *key, enum record_aead aead, const uint8_t *secret, size_t secret_len);

/*
 * Records that may be sealed before a KeyUpdate is due: RFC 8446 5.5, 2^24.5 for AES-GCM. At 0
 * there is still room for the KeyUpdate itself and an alert, but not for much more. That limit is
 * TLS 1.3's; for TLS 1.2, which cannot change keys, and for ChaCha20 it is what is left of the
 * sequence numbers.
 */
uint64_t record_key_left(const struct record_key *key);

/* This process has done with the key, though others may have not: wipes what it keeps of it. */
void record_key_forget(const struct record_key *key);
/* The same, and the key itself. */
void record_key_clear(struct record_key *key);

#endif
