/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The audit writer of a process: one append-only file, safe with threads and forks, opened before
 * the program may lose the right to. A guest: no threads, no allocation, never blocks on anything
 * but the disk, no descriptor the program could meet, errno as it was. Whoever calls it is in the
 * guard (guard.h): no handler of the program's may come in between and write events too, and the
 * thread not be cancelled in the middle.
 */
#ifndef SEAMTLS_AUDIT_WRITER_H
#define SEAMTLS_AUDIT_WRITER_H

#include "audit/event.h"

/* What policy says of the files. */
struct audit_settings {
	const char *key_file; /* NULL: none */
	uint64_t max_size;    /* bytes of a file; 0: any number */
	uint64_t max_age_s;   /* of a file that is written to; 0: any */
	uint64_t keep_s;      /* after which files are deleted; 0: never */
};

/* Before audit_writer_open(), and again when they change; but a key stays what it was then. */
void audit_writer_configure(const struct audit_settings *chosen);

/*
 * Opens the process's file in `dir` (made if missing, 0750; files 0640; a symbolic link is
 * refused). Once: later calls change nothing. 0, or -errno and a sentence in `why` (empty in later
 * calls, which return the error of the first until audit_write() has found the directory usable).
 * Call it early: afterwards privileges or the root directory may go.
 */
int audit_writer_open(const char *dir, char *why, size_t why_len);

/*
 * Writes one event; pid, uid, program, label and time are filled in if absent, and valid as long as
 * the process. 0, or -errno: the event was counted as lost, and an AUDIT_LOST event will tell how
 * many as soon as writing works again. -EBADF: audit_writer_open() was never called.
 */
int audit_write(struct audit_event *event);

/* Tells of lost events now, if there are any. 0; -errno: they stay counted. */
int audit_writer_flush(void);

/* The process ends: the same, and the last of those that share the file seals it. More may be
 * written afterwards. */
void audit_writer_finish(void);

/* The default directory: /var/log/seamtls for root, else $XDG_STATE_HOME/seamtls, else
 * $HOME/.local/state/seamtls. 0; -ENOENT: no home; -ENAMETOOLONG. */
int audit_default_dir(const char *state_home, const char *home, char *buf, size_t len);

/* Whether `fd` is the writer's own: close, dup2 and close_range of the host program must leave it
 * alone. */
bool audit_writer_owns(int fd);

/* The descriptor it writes to; -1: none. For ranges that are to be closed around it. */
int audit_writer_descriptor(void);

/* In a forked child: what the parent lost, the parent will tell. */
void audit_writer_after_fork(void);

#endif
