/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Streams and printing on a protected connection. Those of libc go to the kernel from inside libc,
 * where no preload sees it; these come back through us.
 */
#include "calls/border.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t stream_read(void *cookie, char *buf, size_t len)
{
	return read((int)(intptr_t)cookie, buf, len);
}

static ssize_t stream_write(void *cookie, const char *buf, size_t len)
{
	ssize_t n = write((int)(intptr_t)cookie, buf, len);

	return n < 0 ? 0 : n; /* fopencookie(3): 0 is the error */
}

static int stream_close(void *cookie)
{
	return close((int)(intptr_t)cookie);
}

static FILE *stream_of(int fd, const char *mode)
{
	const cookie_io_functions_t functions = {
		.read = stream_read, .write = stream_write, .close = stream_close
	};
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);

	if (stream == NULL)
		return NULL;
	/* So that fileno(), and select() on it, are right; and for freopen(), which would follow
	 * what fopencookie() has left there. */
	stream->_fileno = fd;
	stream->_wide_data = NULL;
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
		conn_replaced(fd);
	}
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
	return is_mapped(fd) ? print(fd, format, args) : libc.vdprintf(fd, format, args);
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
