/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A seccomp filter, since programs make rings by system calls of their own, without libc. It is the
 * least that does it: one comparison a system call, and nothing for all the others. It cannot be
 * taken off again, and children have it too; who has it already does not get another.
 */
#include "strict.h"

#include "libc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * io_uring_setup, io_uring_enter and io_uring_register have these numbers wherever this library
 * runs, in 32-bit programs of the same kernel too; x32 programs set a bit beside. A ring that was
 * made before, by a parent or a constructor, cannot be used without the other two.
 */
#define FIRST 425
#define LAST 427
#define X32_BIT 0x40000000U
static_assert(SYS_io_uring_setup == FIRST && SYS_io_uring_register == LAST,
	"the numbers of io_uring are others here");

#define LOOK_LEN 4096

static bool is_open_to_rings(void)
{
	return libc.syscall(SYS_io_uring_setup, 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS;
}

static long install(const struct sock_fprog *program)
{
	long r = libc.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
		(long)program, 0, 0, 0);

	/* Who may not do it outright gives up what set-user-ID programs would gain (seccomp(2)). */
	if (r < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0)
		r = libc.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			(long)program, 0, 0, 0);
	if (r > 0)
		errno = EBUSY; /* a thread with a filter of its own */
	return r;
}

int strict_enforce(char *why, size_t why_len)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };
	int saved = errno, r = 0;

	if (is_open_to_rings() && (install(&program) != 0 || is_open_to_rings())) {
		r = -errno;
		snprintf(why, why_len, "io_uring cannot be kept from this program (seccomp: %s)",
			strerror(errno));
	}
	errno = saved;
	return r;
}

static bool names_it(const char *text, size_t len)
{
	return memmem(text, len, "strict", strlen("strict")) != NULL ||
	       memmem(text, len, "include", strlen("include")) != NULL;
}

bool strict_is_mentioned(const char *path)
{
	int saved = errno, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t kept = 0, longest = strlen("include") - 1;
	char text[LOOK_LEN];
	bool found = fd < 0 && errno != ENOENT;
	ssize_t n = fd;

	while (!found && n >= 0 && (n = libc.read(fd, text + kept, sizeof(text) - kept)) > 0) {
		size_t len = kept + (size_t)n;

		found = names_it(text, len);
		kept = len < longest ? len : longest;
		memmove(text, text + len - kept, kept);
	}
	if (fd >= 0) {
		found |= n < 0; /* loading it will say what is wrong */
		libc.close(fd);
	}
	errno = saved;
	return found;
}
