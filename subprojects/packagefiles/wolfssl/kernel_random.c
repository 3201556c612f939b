/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfCrypt's random numbers are the kernel's, each as it is asked for. A generator of its own
 * would be seeded, and tested by known answers, for every WOLFSSL object; and it is state which a
 * fork duplicates and which would have to be wiped. The kernel's has neither in this process.
 */
#include "kernel_random.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

int kernel_random(unsigned char *out, unsigned len)
{
	int saved = errno;

	for (unsigned have = 0; have < len;) {
		ssize_t n = getrandom(out + have, len - have, 0);

		if (n > 0) {
			have += (unsigned)n;
		} else if (n == 0 || errno != EINTR) {
			explicit_bzero(out, len);
			errno = saved;
			return KERNEL_RANDOM_FAILED;
		}
	}
	errno = saved;
	return 0;
}
