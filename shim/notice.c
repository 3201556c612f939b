/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "notice.h"

#include "libc.h"
#include "policy/hash.h"
#include "variables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTICE_LEN 1024
#define NOTICES_KEPT 64

static _Atomic uint64_t said[NOTICES_KEPT]; /* hashes of what was said */
static _Atomic int level = -1;              /* -1: not read yet */

/* A long-running program may have given number 2 to something else: text goes only where text
 * belongs. */
static bool stderr_is_for_text(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) != 0)
		return false;
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))
		return true;
	return S_ISREG(st.st_mode) &&
	       (libc.fcntl(STDERR_FILENO, F_GETFL, 0) & O_ACCMODE) != O_RDONLY;
}

static uint64_t hash_text(const char *text)
{
	uint64_t hash = hash_add(HASH_START, text, strlen(text));

	return hash != 0 ? hash : 1;
}

static bool is_new(const char *text)
{
	uint64_t hash = hash_text(text);

	for (int i = 0; i < NOTICES_KEPT; i++) {
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(&said[i], &found, hash))
			return true;
		if (found == hash)
			return false;
	}
	return false; /* enough was said */
}

/* "seamtls: PROGRAM[PID]: TEXT\n", cut if need be. */
static size_t compose(char *line, size_t len, const char *format, va_list args)
{
	int head = snprintf(
		line, len, "seamtls: %s[%d]: ", program_invocation_short_name, (int)getpid());
	int body;
	size_t used;

	if (head < 0 || (size_t)head >= len)
		return 0;
	body = vsnprintf(line + head, len - (size_t)head, format, args);
	if (body < 0)
		return 0;
	used = (size_t)head + (size_t)body;
	if (used > len - 2)
		used = len - 2;
	line[used++] = '\n';
	line[used] = '\0';
	return used;
}

static void write_text(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = libc.write(fd, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void write_debug_text(const char *text, size_t len)
{
	const char *path = variable_get("SEAMTLS_DEBUG_FILE");
	int fd;

	if (path == NULL) {
		if (stderr_is_for_text())
			write_text(STDERR_FILENO, text, len);
		return;
	}
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return;
	write_text(fd, text, len);
	libc.close(fd);
}

void notice(const char *format, ...)
{
	char line[NOTICE_LEN];
	int saved = errno;
	va_list args;
	size_t len;

	va_start(args, format);
	len = compose(line, sizeof(line), format, args);
	va_end(args);
	if (is_new(line) && stderr_is_for_text())
		write_text(STDERR_FILENO, line, len);
	else if (notice_level() > 0)
		write_debug_text(line, len);
	errno = saved;
}

int notice_level(void)
{
	int now = atomic_load_explicit(&level, memory_order_relaxed);

	if (now < 0) {
		const char *text = variable_get("SEAMTLS_DEBUG");

		now = text != NULL && text[0] >= '1' && text[0] <= '3' ? text[0] - '0' : 0;
		atomic_store_explicit(&level, now, memory_order_relaxed);
	}
	return now;
}

void notice_write_debug(const char *format, ...)
{
	char line[NOTICE_LEN];
	int saved = errno;
	va_list args;
	size_t len;

	va_start(args, format);
	len = compose(line, sizeof(line), format, args);
	va_end(args);
	write_debug_text(line, len);
	errno = saved;
}
