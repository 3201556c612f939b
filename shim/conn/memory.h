/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program's memory, which the kernel would refuse with EFAULT and which this library would
 * crash on.
 */
#ifndef SEAMTLS_CONN_MEMORY_H
#define SEAMTLS_CONN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Whether all of it can be read, or written. Remembered by page, so that this costs a load in all
 * calls but the first. */
bool memory_is_there(const void *at, size_t len, bool to_write);

/* Whether it can be memory of a program at all, by its address. */
bool memory_is_in_reach(uintptr_t at, size_t len);

/* An array of parts as the kernel takes it: 0; -EFAULT; -EINVAL: a length that is none. */
int memory_check_parts(const struct iovec *iov, size_t count);

/* Of `len` bytes of parts, beginning `skip` bytes in. */
bool memory_parts_are_there(
	const struct iovec *iov, size_t count, size_t skip, size_t len, bool to_write);

#endif
