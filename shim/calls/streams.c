/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calls/streams.h"

#include "calls/border.h"

#include <unistd.h>

static FILE *stream_of(int fd)
{
	switch (fd) {
	case STDIN_FILENO:
		return stdin;
	case STDOUT_FILENO:
		return stdout;
	case STDERR_FILENO:
		return stderr;
	default:
		return NULL;
	}
}

/* The numbers whose stream was taken away. */
static _Atomic unsigned held;

void streams_hold(int fd)
{
	FILE *stream = stream_of(fd);

	if (stream == NULL || stream->_fileno != fd || !is_mapped(fd))
		return;
	stream->_fileno = -1;
	held |= 1U << fd;
}

void streams_release(int fd)
{
	FILE *stream = stream_of(fd);

	if (stream == NULL || (held & 1U << fd) == 0)
		return;
	held &= ~(1U << fd);
	if (stream->_fileno == -1)
		stream->_fileno = fd;
}
