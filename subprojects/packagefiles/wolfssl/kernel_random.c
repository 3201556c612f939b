/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * wolfCrypt's random numbers are the kernel's, each as it is asked for, or as many at once as one
 * step of a handshake may take. A generator of its own would be seeded, and tested by known
 * answers, for every WOLFSSL object; and it is state which a fork duplicates and which would have
 * to be wiped. The kernel's has neither in this process.
 */
#include "kernel_random.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

static _Thread_local struct kernel_random_store *store
	__attribute__((tls_model("initial-exec")));

static int ask(unsigned char *out, unsigned len)
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

int kernel_random(unsigned char *out, unsigned len)
{
	int r = 0;

	if (store == NULL || len > KERNEL_RANDOM_AHEAD)
		return ask(out, len);
	if (len > KERNEL_RANDOM_AHEAD - store->from) {
		r = ask(store->bytes, KERNEL_RANDOM_AHEAD);
		store->from = r == 0 ? 0 : KERNEL_RANDOM_AHEAD;
	}
	if (r != 0) {
		explicit_bzero(out, len);
		return r;
	}
	memcpy(out, store->bytes + store->from, len);
	explicit_bzero(store->bytes + store->from, len);
	store->from += len;
	return 0;
}

void kernel_random_begin(struct kernel_random_store *made)
{
	made->before = store;
	made->from = KERNEL_RANDOM_AHEAD;
	store = made;
}

void kernel_random_end(struct kernel_random_store *made)
{
	store = made->before;
	explicit_bzero(made, sizeof *made);
}
