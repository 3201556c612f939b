/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The border to the host program: exported names, and results as it expects them.
 */
#ifndef SEAMTLS_CALLS_BORDER_H
#define SEAMTLS_CALLS_BORDER_H

#include "conn/conn.h"
#include "libc.h"

#include <sys/types.h>

#define SEAM_EXPORT __attribute__((visibility("default")))
/* Another name of the same function, as libc has them. */
#define SEAM_ALIAS(name, of)                                                                       \
	extern __typeof__(of) name __attribute__((visibility("default"), alias(#of)))

/* recv() and send() of more do as much; read() and write() refuse what is no length (read(2)). */
static inline size_t at_most(size_t len)
{
	return len < 0x7ffff000 ? len : 0x7ffff000;
}

/* A count, or -1 with errno set: the only place that sets it. */
ssize_t errno_return(ssize_t n);

/* The same for what a write returned: SIGPIPE, unless the caller has asked for none. */
ssize_t errno_return_sent(ssize_t n, int flags);

/*
 * What preadv2() and pwritev2() mean on a socket, as flags of recv() and send(). Flags that are
 * about files mean nothing to a socket, but the kernel takes them: which ones, it says itself. 0,
 * or -EOPNOTSUPP.
 */
int socket_flags(int flags, bool writes, int *out);
/* What the kernel makes of such a call on a socket that is not connected to anybody. A count or
 * -errno. */
ssize_t socket_tries(const struct iovec *iov, int count, off_t offset, int flags, bool writes);

/* The bytes of all parts. */
size_t iov_bytes(const struct iovec *iov, size_t count);

/* The connection of fd if its bytes go through us; NULL: libc's affair. A reference, if not NULL.
 */
struct conn *mapped_get(int fd);
bool is_mapped(int fd);

#endif
