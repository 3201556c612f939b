/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * seamtls for programs that want to know: what protects a connection, and TLS at the moment that
 * the program says (STARTTLS). A program needs nothing but this header: it links with no library,
 * and where libseamtls.so is not loaded the kernel answers, see seamtls_is_absent(). All of it is
 * explained in seamtls(3).
 *
 * A structure grows at its end only. The library fills as much of one as the program has room for,
 * and says how much that was; what a program passes may be shorter than what the library knows, the
 * rest is 0, or longer, if the rest is 0. So either may be newer than the other.
 */
#ifndef SEAMTLS_H
#define SEAMTLS_H

#include <errno.h>
#include <stdint.h>

/* The level of getsockopt() and setsockopt(). The kernel's own levels are small numbers that count
 * upwards (socket.h of Linux 6.18 ends at 287), and its TCP knows none that it does not use. */
#define SOL_SEAMTLS 0x5ea7

/* --- getsockopt() */

#define SEAMTLS_INFO 1 /* struct seamtls_info */
/* Text, with its final NUL; nothing (a length of 0) where there is none. */
#define SEAMTLS_RULE 2         /* the rule of the policy, as in [rule "name"] */
#define SEAMTLS_REASON 3       /* why it failed, or is in the clear; a sentence */
#define SEAMTLS_SERVER_NAME 4  /* that the client has sent */
#define SEAMTLS_ALPN 5         /* the protocol that was agreed on */
#define SEAMTLS_CIPHER 6       /* IANA's name */
#define SEAMTLS_GROUP 7        /* IANA's name */
#define SEAMTLS_VERIFY 8       /* "ok"; what was left out of it, or "none"; or why not */
#define SEAMTLS_PEER_SUBJECT 9 /* of the peer's certificate (RFC 4514) */
#define SEAMTLS_PEER_ISSUER 10
#define SEAMTLS_PEER_SERIAL 11 /* hexadecimal */
#define SEAMTLS_PEER_SHA256 12 /* of the certificate, hexadecimal */
/* Several texts, one behind the other, each with its NUL. */
#define SEAMTLS_PEER_SAN 13 /* "dns:...", "ip:...", "uri:...", "email:..." */
#define SEAMTLS_NAMES 14    /* that this program looked up for the peer's address, newest first */
/* Bytes. */
#define SEAMTLS_PEER_CERTIFICATE 15 /* DER */

enum seamtls_state {
	SEAMTLS_PASSTHROUGH = 1, /* in the clear, by policy */
	SEAMTLS_WAITING,         /* in the clear, until the program says SEAMTLS_START */
	SEAMTLS_ESTABLISHING,    /* the handshake */
	SEAMTLS_OPEN,            /* protected */
	SEAMTLS_CLOSING,         /* protected; one side has said close_notify */
	SEAMTLS_FAILED,          /* it carries nothing any more */
};

enum seamtls_policy {
	SEAMTLS_POLICY_CLEAR = 1, /* no rule, or one that says pass or observe */
	SEAMTLS_POLICY_TLS,       /* TLS from the beginning */
	SEAMTLS_POLICY_PROGRAM,   /* TLS when the program says so (start = program) */
};

enum seamtls_role { SEAMTLS_ROLE_NONE, SEAMTLS_ROLE_CLIENT, SEAMTLS_ROLE_SERVER };

enum seamtls_plane {
	SEAMTLS_PLANE_NONE,
	SEAMTLS_PLANE_USER,   /* the library seals the records */
	SEAMTLS_PLANE_KERNEL, /* the kernel does (kTLS) */
	SEAMTLS_PLANE_RELAY,  /* a process beside this one does */
};

#define SEAMTLS_ACCEPTED 1u /* the program accepted the connection, it did not connect */
#define SEAMTLS_RESUMED 2u  /* an earlier session was resumed */
#define SEAMTLS_VERIFIED 4u /* the peer's certificate was: the chain, and a client the name */
#define SEAMTLS_HAS_CERTIFICATE 8u /* the peer has shown one, and this process knows it */
#define SEAMTLS_STARTED_BEFORE 16u /* SEAMTLS_STOP has ended TLS on it at least once */

struct seamtls_info {
	uint32_t size;   /* of this structure, as the library knows it */
	uint32_t state;  /* enum seamtls_state */
	uint32_t policy; /* enum seamtls_policy */
	uint32_t role;   /* enum seamtls_role */
	uint32_t plane;  /* enum seamtls_plane */
	uint32_t flags;
	uint16_t version;   /* 0x0303: TLS 1.2; 0x0304: TLS 1.3; 0: not known yet */
	uint16_t cipher;    /* IANA's number */
	uint16_t group;     /* IANA's number */
	int16_t alert_sent; /* RFC 8446, 6; -1: none */
	int16_t alert_received;
	uint16_t reserved;
	int32_t error;       /* SEAMTLS_FAILED: the errno that it failed with */
	uint64_t connection; /* its id in the audit, there in 16 hexadecimal digits; 0: none */
	uint64_t bytes_in;   /* of plaintext, since TLS is open */
	uint64_t bytes_out;
	uint64_t handshake_us; /* how long the handshake took, in microseconds */
	uint64_t age_us;       /* of the connection */
};

/* --- setsockopt() */

#define SEAMTLS_START 32 /* struct seamtls_start, or nothing (a length of 0) */
#define SEAMTLS_STOP 33  /* nothing */
#define SEAMTLS_REKEY 34 /* int: one of those below, or nothing: SEAMTLS_REKEY_BOTH */

#define SEAMTLS_REKEY_SEND 0 /* new keys for what this side sends */
#define SEAMTLS_REKEY_BOTH 1 /* ... and the peer is asked for new ones, too */

struct seamtls_start {
	uint32_t role; /* enum seamtls_role; none: the server's, if the program accepted it */
	uint32_t
		timeout_ms; /* for the handshake, if that is less than the policy allows; 0: that */
	uint32_t flags;     /* 0 */
	uint32_t reserved;  /* 0 */
	/* Client: the peer's certificate has to be for this name, too; "": for those of the policy
	 * only. */
	char server_name[256];
};

/*
 * Whether the errno of one of these calls on a TCP socket says that seamtls is not loaded, or was
 * disabled: the kernel's word for a level that it does not know is ENOPROTOOPT, but from
 * getsockopt() over IPv4, where it is EOPNOTSUPP. seamtls itself says ENOPROTOOPT only of an option
 * that is newer than it.
 */
static inline int seamtls_is_absent(int error)
{
	return error == ENOPROTOOPT || error == EOPNOTSUPP;
}

#endif
