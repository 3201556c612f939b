/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of `seamtls log --verify`, for the files that make it up. */
#ifndef SEAMTLS_TOOLS_LOG_VERIFY_PRIVATE_H
#define SEAMTLS_TOOLS_LOG_VERIFY_PRIVATE_H

#include "audit/chain.h"
#include "rows.h"

enum verify_state { WHOLE, UNSEALED, UNCHAINED, KEYED, CUT, CHANGED, UNREADABLE, MISSING };

#define DETAIL_LEN 256

struct file {
	char *path;
	const char *name; /* the last part of it */
	bool follows;
	char previous_name[AUDIT_NAME_MAX];
	struct audit_link previous;
	bool previous_seen;               /* that link is in the file of that name */
	char before_name[AUDIT_NAME_MAX]; /* the file that was made before it; "": not known */
	uint64_t last_us;                 /* its last record's time */
	/* what was found */
	enum verify_state state;
	uint64_t records;
	char detail[DETAIL_LEN];
};

struct verify {
	struct file *files;
	size_t count;
	struct file **by_previous; /* those that follow another one, by its name */
	size_t following;
	struct audit_key key;
};

/* "whole", ... */
const char *verify_state_name(enum verify_state state);

/* log_verify_file.c: finds out the state of a file, with what all of them say of each other. */
void verify_file(const struct verify *verify, struct file *file);

/* log_verify_missing.c: adds a row for each file that should be there and is not; all files have
 * been looked at. 1: there are some; 0; -ENOMEM. */
int verify_missing(const struct verify *verify, char **places, struct rows *rows);

#endif
