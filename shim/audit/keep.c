/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * readdir() allocates, so the directory is read by the system call. The name says when a file was
 * made, so that the others need not be looked at.
 */
#include "audit/keep.h"
#include "audit/file.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFER_LEN 8192

static bool is_old(int dir, const char *name, int64_t before)
{
	int64_t made;
	struct stat st;

	if (!audit_file_name_time(name, &made) || made >= before)
		return false;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_mtime < before;
}

void audit_keep(const char *path, int64_t before)
{
	_Alignas(struct dirent64) char buf[BUFFER_LEN];
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	long n = 0;

	while (dir >= 0 && (n = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(buf + at);

			if (is_old(dir, entry->d_name, before))
				unlinkat(dir, entry->d_name, 0);
			at += entry->d_reclen;
		}
	}
	if (dir >= 0)
		close(dir);
}
