/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * To a pipe: plaintext is looked at, as MSG_PEEK does; what the pipe takes of it, which only it can
 * say, is then taken from the connection. The pages go into the pipe as they are (vmsplice), since
 * only that never blocks whatever the pipe's flags are, so they are made for this and given up
 * afterwards. From a pipe: its bytes are duplicated (tee) into a pipe of our own, and what the
 * connection has accepted of them is then taken out.
 */
#include "conn/splice.h"

#include "conn/internal.h"
#include "conn/memory.h"
#include "libc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)4 * RECORD_MAX_PLAINTEXT) /* one call to the kernel takes as much */

/* -1 with errno becomes -errno, and errno what it was. */
static ssize_t settle(ssize_t n, int saved)
{
	if (n < 0) {
		n = -errno;
		errno = saved;
	}
	return n;
}

int splice_check_file(int in, const off_t *offset, size_t count)
{
	int saved = errno, mode;
	struct stat st;
	off_t at;

	if (offset != NULL && !memory_is_there(offset, sizeof(*offset), true))
		return -EFAULT;
	if (offset != NULL && *offset >= 0 && count > 0)
		return 0; /* the rest shows when it is read */
	mode = sys_fcntl(in, F_GETFL, 0);
	if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY || (mode & O_PATH) != 0)
		return -EBADF;
	at = lseek(in, 0, SEEK_CUR);
	errno = saved;
	if (at < 0)
		return offset != NULL ? -ESPIPE : -EINVAL;
	if ((fstat(in, &st) == 0 && S_ISDIR(st.st_mode)) || (offset != NULL && *offset < 0))
		return -EINVAL;
	return 0;
}

/* --- To a pipe */

static ssize_t give(void *arg, uint8_t *data, size_t len)
{
	const int *pipe = arg;
	const struct iovec iov = { .iov_base = data, .iov_len = len };
	int saved = errno;

	return settle(libc.vmsplice(*pipe, &iov, 1, SPLICE_F_NONBLOCK), saved);
}

ssize_t splice_to_pipe(struct conn *conn, int fd, int pipe, size_t len)
{
	int saved = errno;
	size_t most = len < CHUNK ? len : CHUNK;
	uint8_t *pages =
		mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n = -ENOMEM;

	if (pages != MAP_FAILED) {
		n = conn_receive_into(conn, fd, pages, most, give, &pipe);
		munmap(pages, most);
	}
	errno = saved;
	return n;
}

/* --- From a pipe */

static int own_pipe(int own[2])
{
	int saved = errno, r = (int)settle(pipe2(own, O_CLOEXEC), saved);

	if (r < 0)
		return r;
	own[0] = sys_make_high(own[0]);
	own[1] = sys_make_high(own[1]);
	return 0;
}

/* All `len` bytes that are known to be there. */
static ssize_t drain(int fd, uint8_t *buf, size_t len)
{
	int saved = errno;
	size_t done = 0;

	while (done < len) {
		ssize_t n = libc.read(fd, buf + done, len - done);

		if (n < 0 && errno != EINTR)
			return settle(n, saved);
		if (n == 0)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	errno = saved;
	return (ssize_t)done;
}

static ssize_t send_piece(
	struct conn *conn, int fd, int pipe, const int own[2], uint8_t *buf, size_t len, int flags)
{
	struct iovec iov = { .iov_base = buf };
	int saved = errno;
	ssize_t n = settle(libc.tee(pipe, own[1], len, SPLICE_F_NONBLOCK), saved), sent;

	if (n > 0)
		n = drain(own[0], buf, (size_t)n);
	if (n <= 0)
		return n == -EAGAIN ? -ENODATA : n;
	iov.iov_len = (size_t)n;
	sent = conn_send_now(conn, fd, &iov, 1, flags);
	if (sent > 0 && libc.splice(pipe, NULL, own[1], NULL, (size_t)sent, SPLICE_F_NONBLOCK) < 0)
		errno = saved; /* another reader has taken it: the pipe was not the program's alone
				*/
	return sent;
}

ssize_t splice_peek(int pipe, uint8_t *buf, size_t len)
{
	int own[2];
	ssize_t n = own_pipe(own);

	if (n < 0)
		return n;
	n = settle(libc.tee(pipe, own[1], len, SPLICE_F_NONBLOCK), errno);
	if (n > 0)
		n = drain(own[0], buf, (size_t)n);
	sys_close(own[0]);
	sys_close(own[1]);
	return n;
}

ssize_t splice_from_pipe(struct conn *conn, int fd, int pipe, size_t len, int flags)
{
	uint8_t *buf = scratch_get();
	int own[2];
	ssize_t n = buf != NULL ? own_pipe(own) : -ENOMEM;

	if (n == 0) {
		n = send_piece(conn, fd, pipe, own, buf, len < CHUNK ? len : CHUNK, flags);
		sys_close(own[0]);
		sys_close(own[1]);
	}
	scratch_put(buf);
	return n;
}
