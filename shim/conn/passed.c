/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/passed.h"

#include "conn/internal.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MOST 1024 /* numbers: programs make their rings early */
#define RING "anon_inode:[io_uring]"

bool passed_count(int fd, uint64_t count[RECOGNISE_WAYS])
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	int queued;

	if (fd < 0 || sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
		len < offsetof(struct tcp_info, tcpi_bytes_retrans) +
				sizeof(info.tcpi_bytes_retrans))
		return false;
	queued = sys_queued(fd);
	count[RECOGNISE_SENT] =
		info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
	count[RECOGNISE_RECEIVED] = info.tcpi_bytes_received - (queued > 0 ? (uint64_t)queued : 0);
	return true;
}

/* What is neither file nor socket has no type. */
static bool is_ring(int fd)
{
	char path[32], target[sizeof(RING)];
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target)) == (ssize_t)strlen(RING) &&
	       memcmp(target, RING, strlen(RING)) == 0;
}

enum cause passed_unseen_cause(void)
{
	int saved = errno, fd = 0;

	while (fd < LOOK_MOST && !is_ring(fd))
		fd++;
	errno = saved;
	return fd < LOOK_MOST ? CAUSE_IO_URING : CAUSE_UNSEEN;
}
