/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a policy file, and the files that an `include` names. */
#ifndef SEAMTLS_POLICY_SOURCE_H
#define SEAMTLS_POLICY_SOURCE_H

#include "policy/arena.h"
#include "policy/policy.h"
#include <sys/types.h>

#define SOURCE_BYTES_MAX ((size_t)1 << 20) /* of one file */
#define SOURCE_LINE_MAX 8000               /* bytes */
#define SOURCE_GLOB_MAX ((size_t)256)      /* files that one pattern may name */

struct source {
	char *text; /* malloc'ed, terminated */
	size_t len;
	dev_t dev; /* which file it is, whatever its path */
	ino_t ino;
};

/*
 * Reads a regular file of text. 0 and *out (source_clear()); -ENOMEM; any other -errno, and in
 * why[] what is wrong, *line where (0: the file as a whole). Neither a FIFO nor a device is waited
 * for.
 */
int source_read(const char *path, struct source *out, char *why, size_t why_len, unsigned *line);
void source_clear(struct source *source);

/*
 * The files that match a path whose last component is a pattern, sorted by byte order, as a list in
 * the arena. None is fine. 0, -ENOMEM, or -errno and why[].
 */
int source_glob(struct arena *arena, const char *pattern, struct policy_list *out, char *why,
	size_t why_len);

#endif
