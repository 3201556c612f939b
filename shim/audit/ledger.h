/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the chain of a file stands (chain.h), in memory that processes share over fork(), as they
 * share the file: one record after the other, under a lock that survives its owner. What a process
 * was killed at is put right by who comes next: a record that is whole in the file counts, one that
 * is torn is taken back.
 */
#ifndef SEAMTLS_AUDIT_LEDGER_H
#define SEAMTLS_AUDIT_LEDGER_H

#include "audit/chain.h"
#include "audit/file.h"

struct ledger;

/* Before the first ledger. 0; -ENOMEM. */
int ledger_init(void);

/* In a forked child: it goes on with the ledger of the file that it shares, but a file that it
 * makes is its own affair, and so is that one's ledger: its parent and siblings give out the same
 * places. */
void ledger_after_fork(void);

/* A ledger for a file that is new, empty and has an identity. Old ones are used again after
 * LEDGER_COUNT files of the process; who still has an old file then gets -ESTALE. NULL: no memory.
 */
struct ledger *ledger_new(const struct audit_file *file);

#define LEDGER_COUNT 64

/*
 * Writes one record of audit_encode(), chained. Takes it as written by this process's `file`; the
 * caller is in the guard (guard.h). 0; -EBADF, -ESTALE: as audit_file_check();
 * -ENODATA: the file has no beginning
 * yet; -EFBIG: with `most` > 0, the file would get larger than that, and nothing was written;
 * -ETIMEDOUT: another process holds the lock and does not go on; another -errno: not written.
 */
int ledger_append(struct ledger *ledger, const struct audit_file *file, const struct audit_key *key,
	uint8_t record[AUDIT_RECORD_MAX], size_t len, uint64_t most);

/* The same for the AUDIT_FILE that a file begins with, behind the magic. */
int ledger_begin(struct ledger *ledger, const struct audit_file *file, const struct audit_key *key,
	const struct audit_chain_head *head, const uint8_t *record, size_t len);

/* This process writes to the file, or does not any more. The last one to leave: true. */
void ledger_join(struct ledger *ledger);
bool ledger_leave(struct ledger *ledger);

/* The last link. 0; -ESTALE: it is another file's by now. */
int ledger_link(struct ledger *ledger, const struct audit_file *file, struct audit_link *out);

#endif
