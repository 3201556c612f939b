/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int read_file_open(const char *path)
{
	int fd;

	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	return fd >= 0 ? fd : -errno;
}

ssize_t read_file(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)done;
}
