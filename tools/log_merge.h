/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The events of many audit files in the order of time, in bounded memory: of each file only what
 * comes next is held, and files are not opened before their time has come. Threads of a program may
 * write in another order than they looked at the clock; a window over the result puts that right.
 * What cannot be read is told on standard error, and the rest goes on.
 */
#ifndef SEAMTLS_TOOLS_LOG_MERGE_H
#define SEAMTLS_TOOLS_LOG_MERGE_H

#include "log_cursor.h"
#include "log_filter.h"

struct log_merge;

/* `filter`, which stays the caller's, decides what comes out. NULL: no memory. */
struct log_merge *log_merge_new(const struct log_filter *filter);
void log_merge_free(struct log_merge *merge);

/* Goes on where the cursor says, which stays the caller's. */
void log_merge_resume(struct log_merge *merge, struct log_cursor *cursor);
/* After log_merge_next() gave 0: all that came out is noted in the cursor, and it is written. 0;
 * -errno. */
int log_merge_save(struct log_merge *merge);

/* What an audit file is called in a directory. */
bool log_merge_is_name(const char *name);

/* Adds a file, or the audit files of a directory, or looks at one again that has grown. 0; -errno.
 */
int log_merge_add(struct log_merge *merge, const char *path);
int log_merge_add_dir(struct log_merge *merge, const char *dir);

/* A file that is gone. */
void log_merge_remove(struct log_merge *merge, const char *path);

/* The next event; its strings are valid until the next call. 1; 0: none now; -ENOMEM. */
int log_merge_next(struct log_merge *merge, struct audit_event *event);

/* `step` is called now and then while files are read; NULL: no more. */
void log_merge_on_step(struct log_merge *merge, void (*step)(void *arg), void *arg);

/* Bytes that were read, and those of all files when they were added. */
void log_merge_progress(const struct log_merge *merge, uint64_t *done, uint64_t *total);

/* Of files, with those of which nothing is wanted. */
size_t log_merge_count(const struct log_merge *merge);

/* At the end: tells of records that were left incomplete. Returns whether all could be read. */
bool log_merge_finish(struct log_merge *merge);

#endif
