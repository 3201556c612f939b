/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where wolfCrypt has its random numbers from (user_settings.h). */
#ifndef SEAMTLS_WOLFSSL_KERNEL_RANDOM_H
#define SEAMTLS_WOLFSSL_KERNEL_RANDOM_H

#define KERNEL_RANDOM_FAILED (-199) /* wolfCrypt's RNG_FAILURE_E */

#define KERNEL_RANDOM_AHEAD 128

/* Of what was asked for in one go: bytes[from ..] have not been given out. Those that were are
 * wiped. */
struct kernel_random_store {
	struct kernel_random_store *before;
	unsigned from;
	unsigned char bytes[KERNEL_RANDOM_AHEAD];
};

/* 0, or KERNEL_RANDOM_FAILED; then `out` has nothing. */
int kernel_random(unsigned char *out, unsigned len);

/* Until the end this thread asks for several numbers at once. In between is no fork(), whose child
 * would go on with the same ones. */
void kernel_random_begin(struct kernel_random_store *store);
void kernel_random_end(struct kernel_random_store *store);

#endif
