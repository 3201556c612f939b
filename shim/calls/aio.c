/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asynchronous I/O: libc's worker threads would read and write the descriptor themselves, so that
 * plaintext would go past us. On a connection that is left alone its bytes are told: what is sent
 * when it is asked for, what has come when the program asks for the result.
 */
#include "calls/border.h"
#include "calls/seen.h"
#include "conn/table.h"

#include <aio.h>
#include <errno.h>
#include <stddef.h>

#define OPERATION 127 /* libc marks those of the names for large files by more bits */

static void tell(const struct aiocb *cb, int operation)
{
	const struct iovec iov = { (void *)(uintptr_t)cb->aio_buf, cb->aio_nbytes };

	if (table_is_foreign(cb->aio_fildes))
		return;
	if (operation == LIO_WRITE)
		conn_sees_sent(cb->aio_fildes, &iov, 1, iov.iov_len, CAUSE_AIO);
	else
		conn_saw_not(cb->aio_fildes, CAUSE_AIO);
}

SEAM_EXPORT int aio_read(struct aiocb *cb)
{
	if (is_mapped(cb->aio_fildes))
		return (int)errno_return(-EINVAL);
	tell(cb, LIO_READ);
	return libc.aio_read(cb);
}

SEAM_EXPORT int aio_write(struct aiocb *cb)
{
	if (is_mapped(cb->aio_fildes))
		return (int)errno_return(-EINVAL);
	tell(cb, LIO_WRITE);
	return libc.aio_write(cb);
}

static bool does_something(const struct aiocb *cb)
{
	return cb != NULL && cb->aio_lio_opcode != LIO_NOP;
}

SEAM_EXPORT int lio_listio(
	int mode, struct aiocb *const list[restrict], int count, struct sigevent *restrict event)
{
	for (int i = 0; i < count; i++)
		if (does_something(list[i]) && is_mapped(list[i]->aio_fildes))
			return (int)errno_return(-EINVAL);
	for (int i = 0; i < count; i++)
		if (does_something(list[i]))
			tell(list[i], list[i]->aio_lio_opcode & OPERATION);
	return libc.lio_listio(mode, list, count, event);
}

SEAM_EXPORT ssize_t aio_return(struct aiocb *cb)
{
	ssize_t n = libc.aio_return(cb);

	if ((cb->aio_lio_opcode & OPERATION) == LIO_READ)
		seen_received(cb->aio_fildes, (const void *)cb->aio_buf, 0, n);
	return n;
}

/* The same by the names for large files, which are other types of the same shape here. */
SEAM_EXPORT int aio_read64(struct aiocb64 *cb)
{
	return aio_read((struct aiocb *)cb);
}

SEAM_EXPORT int aio_write64(struct aiocb64 *cb)
{
	return aio_write((struct aiocb *)cb);
}

SEAM_EXPORT int lio_listio64(
	int mode, struct aiocb64 *const list[restrict], int count, struct sigevent *restrict event)
{
	return lio_listio(mode, (struct aiocb *const *)list, count, event);
}

SEAM_EXPORT ssize_t aio_return64(struct aiocb64 *cb)
{
	return aio_return((struct aiocb *)cb);
}
