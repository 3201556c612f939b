/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A line a secret, each in one write() to a file that is opened for it: a descriptor that was kept
 * could be closed by the program, which would then be given its number for something else. Lines of
 * several processes do not mix (O_APPEND).
 */
#include "tls/keylog.h"
#include "tls/handshake_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYLOG_MODE 0600
#define RANDOM_LEN 32
#define LABEL_MAX 40
#define LINE_MAX_LEN (LABEL_MAX + 2 * RANDOM_LEN + 2 * RECORD_MAX_SECRET + 4)

static const char *const labels[] = {
	[SECRET_CLIENT_HANDSHAKE] = "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	[SECRET_SERVER_HANDSHAKE] = "SERVER_HANDSHAKE_TRAFFIC_SECRET",
	[SECRET_CLIENT_TRAFFIC] = "CLIENT_TRAFFIC_SECRET_0",
	[SECRET_SERVER_TRAFFIC] = "SERVER_TRAFFIC_SECRET_0",
};

/* A file of this user's that nobody else may read or write. -EPERM: it is another's; -EBADF: it is
 * no file. */
static int check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADF;
	return st.st_uid == geteuid() && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 ? 0 : -EPERM;
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		KEYLOG_MODE);
	int r;

	if (fd < 0)
		return -errno;
	r = check_file(fd);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int keylog_check(const char *path, const struct why *why)
{
	int fd = open_file(path);

	if (fd == -EPERM)
		return why_say(why, -EACCES,
			"the keylog '%s' is another user's, or others may use it: whoever reads it "
			"can read the connections (chmod 600)",
			path);
	if (fd == -EBADF || fd == -ELOOP)
		return why_say(why, -EINVAL, "the keylog '%s' is not a file", path);
	if (fd < 0)
		return why_say(why, fd, "cannot write the keylog '%s': %s", path, why_errno(fd));
	close(fd);
	return 0;
}

static size_t put_hex(char *out, const uint8_t *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	return 2 * len;
}

static int write_line(const char *path, const char *line, size_t len)
{
	int fd = open_file(path);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, line, len);
	n = n < 0 ? -errno : n == (ssize_t)len ? 0 : -EIO;
	close(fd);
	return (int)n;
}

/* What cannot be written is for the audit to tell; the connection goes on. */
static void note(
	struct tls_handshake *handshake, const char *label, const uint8_t *secret, size_t len)
{
	char line[LINE_MAX_LEN];
	uint8_t random[RANDOM_LEN];
	size_t used = strlen(label);
	int r;

	if (wolfSSL_get_client_random(handshake->ssl, random, sizeof random) != sizeof random)
		return;
	memcpy(line, label, used);
	line[used++] = ' ';
	used += put_hex(line + used, random, sizeof random);
	line[used++] = ' ';
	used += put_hex(line + used, secret, len);
	line[used++] = '\n';
	r = write_line(handshake->context->keylog, line, used);
	explicit_bzero(line, sizeof line);
	if (r < 0)
		handshake->result.keylog_error = r;
}

static int on_master_secret(WOLFSSL *ssl, void *secret, int len, void *arg)
{
	(void)ssl;
	if (len > 0 && len <= RECORD_MAX_SECRET)
		note(arg, "CLIENT_RANDOM", secret, (size_t)len);
	return 0;
}

void keylog_begin(struct tls_handshake *handshake)
{
	if (handshake->context->keylog != NULL)
		wolfSSL_set_secret_cb(handshake->ssl, on_master_secret, handshake);
}

void keylog_secret(struct tls_handshake *handshake, int which, const uint8_t *secret, size_t len)
{
	if (handshake->context->keylog != NULL)
		note(handshake, labels[which], secret, len);
}
