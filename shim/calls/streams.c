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

/* libc's list of all streams, and its lock (stdio's debuggers use them too). */
struct _IO_FILE_plus;
extern struct _IO_FILE_plus *_IO_list_all;
void _IO_list_lock(void);
void _IO_list_unlock(void);

bool streams_have(int fd)
{
	bool found = false;

	_IO_list_lock();
	for (const FILE *file = (const FILE *)_IO_list_all; file != NULL && !found;
		file = file->_chain)
		found = file->_fileno == fd;
	_IO_list_unlock();
	return found;
}

void streams_each(void (*each)(FILE *stream))
{
	_IO_list_lock();
	for (FILE *file = (FILE *)_IO_list_all; file != NULL; file = file->_chain)
		each(file);
	_IO_list_unlock();
}
