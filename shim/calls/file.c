/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Streams and printing on a protected connection. Those of libc go to the kernel from inside libc,
 * where no preload sees it; these come back through us.
 */
#include "calls/border.h"
#include "calls/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STREAMS_MOST (1 << 20)

static ssize_t stream_read(void *cookie, char *buf, size_t len)
{
	return read((int)(intptr_t)cookie, buf, len);
}

/* By descriptor; reserved as address space, made real page by page. */
static _Atomic(FILE *) *streams;
static _Atomic int streams_high; /* one above the highest there ever was */

static void stream_note(int fd, FILE *stream)
{
	if (streams == NULL) {
		void *made = mmap(NULL, STREAMS_MOST * sizeof(*streams), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (made == MAP_FAILED)
			return;
		streams = made;
	}
	if (fd >= STREAMS_MOST)
		return;
	atomic_store(&streams[fd], stream);
	if (fd >= atomic_load(&streams_high))
		atomic_store(&streams_high, fd + 1);
}

void streams_flush(void)
{
	for (int fd = 0; fd < atomic_load(&streams_high); fd++) {
		FILE *stream = atomic_load(&streams[fd]);

		/* Whoever holds it is in the middle of something, and may be for ever. */
		if (stream == NULL || ftrylockfile(stream) != 0)
			continue;
		fflush(stream);
		funlockfile(stream);
	}
}

/* As libc does: all of it, or an error. */
static ssize_t stream_write(void *cookie, const char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write((int)(intptr_t)cookie, buf + done, len - done);

		if (n < 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done; /* fopencookie(3): less is the error */
}

/* A socket has no places. */
static int stream_seek(void *cookie, off64_t *offset, int whence)
{
	(void)cookie;
	(void)offset;
	(void)whence;
	errno = ESPIPE;
	return -1;
}

static int stream_close(void *cookie)
{
	stream_note((int)(intptr_t)cookie, NULL);
	return close((int)(intptr_t)cookie);
}

/*
 * libc has wide characters for its own streams only. What fopencookie() leaves here is a pointer
 * that some wide functions follow; they find nothing to read and no room, and fail. More than
 * struct _IO_wide_data takes.
 */
static uint64_t no_wide_data[128];

static FILE *stream_of(int fd, const char *mode)
{
	const cookie_io_functions_t functions = {
		.read = stream_read,
		.write = stream_write,
		.seek = stream_seek,
		.close = stream_close,
	};
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);

	if (stream == NULL)
		return NULL;
	/* So that fileno(), and select() on it, are right. */
	stream->_fileno = fd;
	stream->_wide_data = (struct _IO_wide_data *)no_wide_data;
	stream_note(fd, stream);
	return stream;
}

/* Also for a socket that is not connected yet: it may become a protected connection under the
 * stream. */
SEAM_EXPORT FILE *fdopen(int fd, const char *mode)
{
	struct conn *conn = conn_get(fd);

	if (conn == NULL)
		return libc.fdopen(fd, mode);
	conn_put(conn);
	if (conn_is_observed(fd)) {
		conn_saw_not(fd, CAUSE_STREAM); /* libc moves the bytes from inside */
		return libc.fdopen(fd, mode);
	}
	return stream_of(fd, mode);
}

SEAM_EXPORT FILE *_IO_fdopen(int fd, const char *mode);

FILE *_IO_fdopen(int fd, const char *mode)
{
	return fdopen(fd, mode);
}

/* libc puts the new file on the old number without a call that we see; the connection under it ends
 * now. */
static void end_under(FILE *stream)
{
	int saved = errno, fd = stream != NULL ? fileno(stream) : -1;

	if (is_mapped(fd)) {
		fflush(stream);
		stream_note(fd, NULL);
		conn_replaced(fd);
	}
	/* It would write there. */
	if (stream != NULL && stream->_wide_data == (struct _IO_wide_data *)no_wide_data)
		stream->_wide_data = NULL;
	errno = saved;
}

SEAM_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	end_under(stream);
	return libc.freopen(path, mode, stream);
}

SEAM_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	end_under(stream);
	return libc.freopen64(path, mode, stream);
}

static int print(int fd, const char *format, va_list args)
{
	char *text = NULL;
	int len = vasprintf(&text, format, args), done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, (size_t)(len - done));

		if (n < 0) {
			len = -1;
			break;
		}
		done += (int)n;
	}
	free(text);
	return len;
}

SEAM_EXPORT int vdprintf(int fd, const char *format, va_list args)
{
	return is_mapped(fd) || conn_is_observed(fd) ? print(fd, format, args)
						     : libc.vdprintf(fd, format, args);
}

SEAM_EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

SEAM_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
SEAM_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...);

int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	(void)flag;
	return vdprintf(fd, format, args);
}

int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}
