/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The descriptor lies where the host program does not look, but a program may close it all the same
 * (a loop over all descriptors, by a raw system call) and be given its number for another file. So
 * the file is known by device and inode, and looked at before each write.
 */
#include "audit/file.h"
#include "civil.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIR_MODE 0750
#define FILE_MODE 0640
#define NAME_TRIES 16
#define NAME_BEGIN "seamtls-"
#define NAME_END ".audit"

int audit_file_init(struct audit_file *out, const char *dir)
{
	size_t len = 0;

	memset(out, 0, sizeof *out);
	out->fd = -1;
	if (dir[0] != '/') {
		if (getcwd(out->dir, sizeof out->dir - 1) == NULL) {
			out->dir[0] = '\0';
			return errno == ERANGE ? -ENAMETOOLONG : -errno;
		}
		len = strlen(out->dir);
		out->dir[len++] = '/';
	}
	if (dir[0] == '\0' || strlen(dir) >= sizeof out->dir - len) {
		out->dir[0] = '\0';
		return dir[0] == '\0' ? -ENOENT : -ENAMETOOLONG;
	}
	strcpy(out->dir + len, dir);
	for (len = strlen(out->dir); len > 1 && out->dir[len - 1] == '/'; len--)
		out->dir[len - 1] = '\0';
	return 0;
}

/* The directory, which is not to be a symbolic link: O_PATH, so that nothing can be written to it.
 */
static int open_dir(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 ? fd : -errno;
}

static int make_dirs(const char *dir)
{
	char path[AUDIT_DIR_MAX];
	char *slash = path;

	strcpy(path, dir);
	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST && errno != EROFS &&
			errno != EACCES && errno != EPERM)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, DIR_MODE) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_or_make_dir(const char *dir)
{
	int fd = open_dir(dir), r;

	if (fd != -ENOENT)
		return fd;
	r = make_dirs(dir);
	return r < 0 ? r : open_dir(dir);
}

/*
 * Moves a new descriptor up, out of the way of a program that counts on getting the next free one:
 * near the limit, but not so high that the kernel's table grows (it is copied by every fork).
 */
static int move_high(int fd)
{
	struct rlimit limit = { 0, 0 };
	int high = -1;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > 1024)
		limit.rlim_cur = 1024;
	for (int floor = (int)limit.rlim_cur - 24; high < 0 && floor > 2; floor = floor * 3 / 4)
		high = fcntl(fd, F_DUPFD_CLOEXEC, floor);
	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

/* `count` digits. */
static bool take_digits(const char **text, int count, int *out)
{
	*out = 0;
	for (; count > 0; count--, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		*out = *out * 10 + (**text - '0');
	}
	return true;
}

static bool take_text(const char **text, const char *wanted)
{
	size_t len = strlen(wanted);

	if (strncmp(*text, wanted, len) != 0)
		return false;
	*text += len;
	return true;
}

bool audit_file_name_time(const char *name, int64_t *out)
{
	int year, month, day, hour, minute, second;
	size_t len = strlen(name), end = strlen(NAME_END);

	if (len < end || strcmp(name + len - end, NAME_END) != 0)
		return false;
	if (!take_text(&name, NAME_BEGIN) || !take_digits(&name, 4, &year) ||
		!take_digits(&name, 2, &month) || !take_digits(&name, 2, &day) ||
		!take_text(&name, "T") || !take_digits(&name, 2, &hour) ||
		!take_digits(&name, 2, &minute) || !take_digits(&name, 2, &second) ||
		!take_text(&name, "Z-"))
		return false;
	*out = civil_days(year, month, day) * CIVIL_DAY_S + hour * 3600 + minute * 60 + second;
	return true;
}

/* The names of a process's files are in the order in which they were made. Its number may be that
 * of another in the same second, before this or in another container: then there is a next name. */
static void new_name(char *out, size_t len)
{
	static _Atomic uint16_t made;
	struct timespec now;
	struct civil at;

	clock_gettime(CLOCK_REALTIME, &now);
	at = civil_of(now.tv_sec);
	snprintf(out, len, NAME_BEGIN "%04d%02d%02dT%02d%02d%02dZ-%d-%04x" NAME_END, (int)at.year,
		at.month, at.day, at.hour, at.minute, at.second, (int)getpid(), made++);
}

/* What we know the file by. 0; -errno, and the descriptor is closed. */
static int adopt(struct audit_file *file, int fd)
{
	struct stat st;

	fd = move_high(fd);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	file->fd = fd;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	return 0;
}

static int create_in(struct audit_file *file, int dir)
{
	char name[AUDIT_PATH_MAX - AUDIT_DIR_MAX];
	struct timespec now;
	int fd = -1, r;

	for (unsigned i = 0; fd < 0 && i < NAME_TRIES; i++) {
		new_name(name, sizeof name);
		fd = openat(dir, name,
			O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	if (fd < 0)
		return -EEXIST;
	/* A daemon's umask would take the log away from the group that is to read it. */
	(void)fchmod(fd, FILE_MODE);
	r = adopt(file, fd);
	if (r < 0) {
		unlinkat(dir, name, 0);
		return r;
	}
	file->created = true;
	clock_gettime(CLOCK_REALTIME, &now);
	file->made_s = now.tv_sec;
	snprintf(file->path, sizeof file->path, "%s/%s", file->dir, name);
	return 0;
}

int audit_file_create(struct audit_file *file, const char **why)
{
	int dir = open_or_make_dir(file->dir), r;

	*why = "cannot open or make the directory";
	if (dir == -ELOOP || dir == -ENOTDIR)
		*why = "this is a symbolic link, or no directory";
	if (dir < 0)
		return dir;
	*why = "cannot make a file in the directory";
	r = create_in(file, dir);
	close(dir);
	return r;
}

int audit_file_reopen(struct audit_file *file)
{
	struct audit_file found = *file;
	int fd = open(file->path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = adopt(&found, fd);
	if (r < 0)
		return r;
	found.created = false;
	if (found.dev != file->dev || found.ino != file->ino) {
		close(found.fd);
		return -ESTALE;
	}
	*file = found;
	return 0;
}

int audit_file_check(const struct audit_file *file, off_t *size)
{
	struct stat st;

	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return -EBADF;
	if (st.st_dev != file->dev || st.st_ino != file->ino || !S_ISREG(st.st_mode))
		return -EBADF;
	*size = st.st_size;
	return st.st_nlink > 0 ? 0 : -ESTALE;
}

static int write_record(int fd, const void *data, size_t len)
{
	ssize_t n;

	do
		n = write(fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* The rest would not stand behind it if another process writes too. */
	return (size_t)n == len ? 0 : -ENOSPC;
}

/*
 * A process with a limit on file sizes is killed by a write beyond it. What the file's size says
 * may be out of date when others append, hence the signal is also held off, and taken back.
 */
static int write_limited(int fd, const void *data, size_t len)
{
	const struct timespec none = { 0, 0 };
	sigset_t limit, before, pending;
	int r;

	sigemptyset(&limit);
	sigaddset(&limit, SIGXFSZ);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &limit, &before);
	r = write_record(fd, data, len);
	if (r == -EFBIG && !sigismember(&pending, SIGXFSZ))
		sigtimedwait(&limit, NULL, &none);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int audit_file_append(const struct audit_file *file, off_t size, const void *data, size_t len)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return write_record(file->fd, data, len);
	if ((uint64_t)size + len > limit.rlim_cur)
		return -EFBIG;
	return write_limited(file->fd, data, len);
}

void audit_file_cut(const struct audit_file *file, off_t size)
{
	while (ftruncate(file->fd, size) < 0 && errno == EINTR)
		;
}

void audit_file_discard(struct audit_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->created)
		unlink(file->path);
	file->fd = -1;
}
