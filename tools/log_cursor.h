/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How far each audit file has been printed, kept in a file from one `seamtls log` to the next, so
 * that who collects events misses none that came while he did not run.
 */
#ifndef SEAMTLS_TOOLS_LOG_CURSOR_H
#define SEAMTLS_TOOLS_LOG_CURSOR_H

#include <stdint.h>
#include <sys/types.h>

struct log_cursor;

/* `path`: the cursor's own; a file that is not there yet is an empty cursor. What is gone of the
 * files in it is forgotten. 0; -EBADMSG: it is no cursor; -errno. */
int log_cursor_read(const char *path, struct log_cursor **out);
void log_cursor_free(struct log_cursor *cursor);

/* Bytes of that file; 0: it is new. */
uint64_t log_cursor_find(const struct log_cursor *cursor, const char *path, ino_t inode);
/* 0; -ENOMEM. */
int log_cursor_set(struct log_cursor *cursor, const char *path, ino_t inode, uint64_t offset);
void log_cursor_forget(struct log_cursor *cursor, const char *path);

/* Puts it in the place of the old one, which stays as it is if that fails. 0; -errno. */
int log_cursor_write(struct log_cursor *cursor);

#endif
