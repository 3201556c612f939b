/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files without stdio: inside host programs, whose memory a stream would take, and leave what was
 * read in. */
#ifndef SEAMTLS_POLICY_READ_FILE_H
#define SEAMTLS_POLICY_READ_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* A descriptor, which waits for nothing (a FIFO); or -errno. */
int read_file_open(const char *path);
/* `len` bytes, or as many as there are; or -errno. */
ssize_t read_file(int fd, void *buf, size_t len);

#endif
