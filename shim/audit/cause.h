/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why a connection failed, in classes that can be counted, each with what to do about it. Where
 * something fails its class is known; the sentence beside it (`reason`) is for people, with names
 * and numbers in it. The names are part of the audit's contract: what scripts look for.
 */
#ifndef SEAMTLS_AUDIT_CAUSE_H
#define SEAMTLS_AUDIT_CAUSE_H

enum cause {
	CAUSE_NONE, /* it did not fail, or nobody has said why */
	CAUSE_NAME,
	CAUSE_CHAIN,
	CAUSE_EXPIRED,
	CAUSE_REVOKED,
	CAUSE_NOT_ALLOWED,
	CAUSE_NO_CERTIFICATE,
	CAUSE_NOTHING_IN_COMMON,
	CAUSE_CERTIFICATE_REFUSED,
	CAUSE_ALERT,
	CAUSE_PLAINTEXT,
	CAUSE_TIMEOUT,
	CAUSE_TRUNCATED,
	CAUSE_RESET,
	CAUSE_CLOSED,
	CAUSE_PROBE,
	CAUSE_TAMPERED,
	CAUSE_KEY,
	CAUSE_POLICY,
	CAUSE_UNPROTECTED,
	CAUSE_AUDIT,
	CAUSE_STARTTLS,
	CAUSE_PROGRAM,
	CAUSE_LIMIT,
	CAUSE_RESOURCES,
	/* Why it is not known what protects a connection that is left alone. */
	CAUSE_STREAM,
	CAUSE_AIO,
	CAUSE_IO_URING,
	CAUSE_UNSEEN,
	CAUSE_TOO_SHORT,
	CAUSE_OTHER,
	CAUSE_COUNT
};

/* "nothing_in_common"; NULL: CAUSE_NONE. */
const char *cause_name(enum cause cause);

/* In words, and what to do; "" for CAUSE_NONE. Static. */
const char *cause_meaning(enum cause cause);
const char *cause_advice(enum cause cause);

/* CAUSE_NONE: no cause has this name. */
enum cause cause_named(const char *name);

#endif
