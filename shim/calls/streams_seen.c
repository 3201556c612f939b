/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libc's own streams on connections that are left alone move bytes inside libc. What of them is in
 * their buffers is looked at before it is written, and what was read last while it still stands
 * there; the stream itself stays as it is. Whether others have passed in between, TCP knows.
 */
#include "calls/border.h"
#include "calls/streams.h"
#include "conn/table.h"

#include <stdint.h>
#include <stdio.h>

static bool is_looked_at(const FILE *stream)
{
	return stream != NULL && !table_is_foreign(stream->_fileno) &&
	       conn_is_observed(stream->_fileno);
}

/* With the stream's lock. */
static void look(const FILE *stream)
{
	const struct iovec pending = { stream->_IO_write_base,
		(size_t)(stream->_IO_write_ptr - stream->_IO_write_base) };

	if (stream->_IO_read_end > stream->_IO_read_base)
		conn_saw_read(stream->_fileno, stream->_IO_read_base,
			(size_t)(stream->_IO_read_end - stream->_IO_read_base));
	if (stream->_IO_write_ptr > stream->_IO_write_base)
		conn_sees_sent(stream->_fileno, &pending, 1, pending.iov_len, CAUSE_STREAM);
}

/* Whoever holds a stream is in the middle of something, and may be for ever. */
static void look_at(FILE *stream)
{
	if (!is_looked_at(stream) || ftrylockfile(stream) != 0)
		return;
	look(stream);
	funlockfile(stream);
}

void streams_look(void)
{
	if (conn_any_observed())
		streams_each(look_at);
}

SEAM_EXPORT int fflush(FILE *stream)
{
	if (stream == NULL)
		streams_look();
	else
		look_at(stream);
	return libc.fflush(stream);
}
SEAM_ALIAS(_IO_fflush, fflush);

SEAM_EXPORT int fflush_unlocked(FILE *stream)
{
	if (stream == NULL)
		streams_look();
	else if (is_looked_at(stream))
		look(stream);
	return libc.fflush_unlocked(stream);
}

/* libc closes the number without a call that we see. */
SEAM_EXPORT int fclose(FILE *stream)
{
	if (is_looked_at(stream)) {
		int fd = stream->_fileno;

		look_at(stream);
		libc.fflush(stream);
		conn_replaced(fd);
	}
	return libc.fclose(stream);
}
SEAM_ALIAS(_IO_fclose, fclose);
