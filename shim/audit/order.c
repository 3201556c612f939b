/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small file with one name in it, under a lock that is held for two calls. Nobody waits for it: a
 * process that was stopped with the lock must not stop others. Only calls that a writer of the
 * audit needs anyway, for the sake of programs that allow themselves few.
 */
#include "audit/order.h"
#include "audit/file.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 200

static bool lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (int i = 0; i < TRIES; i++) {
		if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
			return true;
		sched_yield();
	}
	return false;
}

/* The name that is there, if it is one of an audit file. */
static void read_name(int fd, char out[AUDIT_NAME_MAX])
{
	ssize_t n = read(fd, out, AUDIT_NAME_MAX - 1);
	int64_t made;

	out[n > 0 ? n : 0] = '\0';
	if (strchr(out, '/') != NULL || !audit_file_name_time(out, &made))
		out[0] = '\0';
}

/* Always as long, so that what is there is never the end of a longer one. */
static bool write_name(int fd, const char *name)
{
	char padded[AUDIT_NAME_MAX] = "";

	snprintf(padded, sizeof padded, "%s", name);
	return lseek(fd, 0, SEEK_SET) == 0 && write(fd, padded, sizeof padded) == sizeof padded;
}

bool audit_order_take(const char *dir, const char *name, char before[AUDIT_NAME_MAX])
{
	char path[AUDIT_PATH_MAX];
	struct stat st;
	bool done = false;
	int fd;

	before[0] = '\0';
	snprintf(path, sizeof path, "%s/" AUDIT_ORDER_BEGIN "%u" AUDIT_ORDER_END, dir,
		(unsigned)geteuid());
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lock(fd)) {
		read_name(fd, before);
		done = write_name(fd, name);
	}
	close(fd);
	return done;
}
