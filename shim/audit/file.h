/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file of a writer: making it, knowing it again, appending to it. All system calls of the
 * writer are here. Nothing is allocated, nothing is shared.
 */
#ifndef SEAMTLS_AUDIT_FILE_H
#define SEAMTLS_AUDIT_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AUDIT_DIR_MAX 512
#define AUDIT_PATH_MAX (AUDIT_DIR_MAX + 64)

struct ledger;

struct audit_file {
	int fd; /* -1: there was no file to be had */
	dev_t dev;
	ino_t ino;
	bool created;            /* by this descriptor's opening */
	char dir[AUDIT_DIR_MAX]; /* absolute */
	char path[AUDIT_PATH_MAX];
	int64_t made_s; /* when, since the epoch */
	/* The writer fills these in: whose it is, the state of its chain, and whether this process
	 * is counted there. */
	char program[512], label[128];
	struct ledger *ledger;
	_Atomic bool joined;
};

/*
 * Makes `dir` absolute in out->dir, and no file yet. 0; -ENOENT, -ENAMETOOLONG, or -errno of
 * getcwd(), and out->dir is "", where no file can be made.
 */
int audit_file_init(struct audit_file *out, const char *dir);

/* Makes the directory, with its parents, and a new file in it. 0; -errno, and *why says what
 * failed. */
int audit_file_create(struct audit_file *file, const char **why);

/* Opens file->path again, if it is still the same file. 0; -errno. */
int audit_file_reopen(struct audit_file *file);

/* Whether the descriptor is still our file. 0; -EBADF: no; -ESTALE: yes, but the file was deleted.
 */
int audit_file_check(const struct audit_file *file, off_t *size);

/* One write. 0; -errno: not written, or in part (-ENOSPC). Never raises SIGXFSZ. */
int audit_file_append(const struct audit_file *file, off_t size, const void *data, size_t len);

/* Takes back what stands behind `size`: the part of a record that a full disk tore. */
void audit_file_cut(const struct audit_file *file, off_t size);

/* When a file of this name was made, in seconds since the epoch; false: it is not a name of ours.
 */
bool audit_file_name_time(const char *name, int64_t *out);

/* Closes a descriptor that no other thread uses; also deletes the file if it was created. */
void audit_file_discard(struct audit_file *file);

#endif
